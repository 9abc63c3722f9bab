package io.podwire.node.ffm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/**
 * libbpf (bpf/libbpf.h, bpf/bpf.h, of 1.0 or later), as far as we call it: an object file's programs and maps into the
 * kernel, and members of maps. Integers and pointers as C has them; a failed call returns the negative errno.
 * What it says on stderr is switched off. Safe for all threads; an object is used by one at a time until it is loaded.
 */
@SuppressWarnings("restricted") // --enable-native-access is set for every Podwire JVM
public final class LibBpf {
    private static final String FILE = "libbpf.so.1";

    private final MethodHandle openMem;
    private final MethodHandle load;
    private final MethodHandle close;
    private final MethodHandle program;
    private final MethodHandle programFd;
    private final MethodHandle mapFd;
    private final MethodHandle linkCreate;
    private final MethodHandle update;
    private final MethodHandle lookup;
    private final MethodHandle delete;
    private final MethodHandle processors;

    private LibBpf(SymbolLookup library) {
        openMem = CFunction.of(library, "bpf_object__open_mem");
        load = CFunction.of(library, "bpf_object__load");
        close = CFunction.of(library, "bpf_object__close");
        program = CFunction.of(library, "bpf_object__find_program_by_name");
        programFd = CFunction.of(library, "bpf_program__fd");
        mapFd = CFunction.of(library, "bpf_object__find_map_fd_by_name");
        linkCreate = CFunction.of(library, "bpf_link_create");
        update = CFunction.of(library, "bpf_map_update_elem");
        lookup = CFunction.of(library, "bpf_map_lookup_elem");
        delete = CFunction.of(library, "bpf_map_delete_elem");
        processors = CFunction.of(library, "libbpf_num_possible_cpus");
        MethodHandle print = CFunction.of(library, "libbpf_set_print");
        call((_, state) -> (long) print.invokeExact(state, 0L, 0L, 0L, 0L, 0L));
    }

    /** The library; empty where it is not installed. */
    public static Optional<LibBpf> open() {
        try {
            return Optional.of(new LibBpf(SymbolLookup.libraryLookup(FILE, Arena.global())));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /**
     * bpf_object__open_mem().
     *
     * @param elf an object file, as clang makes it
     * @return a struct bpf_object pointer, or the negative errno
     */
    public long openObject(byte[] elf) {
        return pointer((arena, state) -> {
            MemorySegment copy = copy(arena, elf);
            return (long) openMem.invokeExact(state, copy.address(), (long) elf.length, 0L, 0L, 0L);
        });
    }

    /** bpf_object__load(): the kernel verifies its programs. */
    public int loadObject(long object) {
        return number((_, state) -> (long) load.invokeExact(state, object, 0L, 0L, 0L, 0L));
    }

    /** bpf_object__close(): what a device uses of it stays in the kernel. */
    public void closeObject(long object) {
        call((_, state) -> (long) close.invokeExact(state, object, 0L, 0L, 0L, 0L));
    }

    /** The descriptor of a program of a loaded object: bpf_object__find_program_by_name(), bpf_program__fd(). */
    public int programFd(long object, String name) {
        long found = pointer((arena, state) -> (long)
                program.invokeExact(state, object, arena.allocateFrom(name).address(), 0L, 0L, 0L));
        return found < 0
                ? (int) found
                : number((_, state) -> (long) programFd.invokeExact(state, found, 0L, 0L, 0L, 0L));
    }

    /** bpf_object__find_map_fd_by_name(): the descriptor of a map of a loaded object. */
    public int mapFd(long object, String name) {
        return number((arena, state) ->
                (long) mapFd.invokeExact(state, object, arena.allocateFrom(name).address(), 0L, 0L, 0L));
    }

    /**
     * bpf_link_create(), without options: has a program do its work somewhere until the link is closed.
     *
     * @param target what it is given to, by the type of attachment: a descriptor, or the index of a device in the caller's
     *     network namespace
     * @param type enum bpf_attach_type, linux/bpf.h; also one that the library does not know yet
     * @return the link's descriptor, or the negative errno
     */
    public int createLink(int program, int target, int type) {
        return number(
                (_, state) -> (long) linkCreate.invokeExact(state, (long) program, (long) target, (long) type, 0L, 0L));
    }

    /** bpf_map_update_elem(), whether the member was there before or not. Key and value as the map's types lie in memory. */
    public int updateMember(int map, byte[] key, byte[] value) {
        return number((arena, state) -> (long) update.invokeExact(
                state,
                (long) map,
                copy(arena, key).address(),
                copy(arena, value).address(),
                0L,
                0L));
    }

    /** bpf_map_delete_elem(). */
    public int deleteMember(int map, byte[] key) {
        return number((arena, state) ->
                (long) delete.invokeExact(state, (long) map, copy(arena, key).address(), 0L, 0L, 0L));
    }

    /**
     * The sum of a 64-bit counter of which each processor has its own (BPF_MAP_TYPE_PERCPU_ARRAY), or the negative errno.
     *
     * @param index of the counter in its map
     */
    public long counter(int map, int index) {
        int count = number((_, state) -> (long) processors.invokeExact(state, 0L, 0L, 0L, 0L, 0L));
        if (count < 0) {
            return count;
        }
        long[] sum = {0};
        int result = number((arena, state) -> {
            MemorySegment key = arena.allocateFrom(JAVA_INT, index);
            MemorySegment values = arena.allocate(JAVA_LONG, count);
            long code = (long) lookup.invokeExact(state, (long) map, key.address(), values.address(), 0L, 0L);
            for (int i = 0; i < count; i++) {
                sum[0] += values.getAtIndex(JAVA_LONG, i);
            }
            return code;
        });
        return result < 0 ? result : sum[0];
    }

    private static MemorySegment copy(Arena arena, byte[] bytes) {
        MemorySegment copy = arena.allocate(bytes.length, Long.BYTES);
        MemorySegment.copy(bytes, 0, copy, JAVA_BYTE, 0, bytes.length);
        return copy;
    }

    @FunctionalInterface
    private interface Body {
        long run(Arena arena, MemorySegment state) throws Throwable;
    }

    /** Of a function that returns a pointer: NULL and errno after a failure. */
    private static long pointer(Body body) {
        long[] result = {0};
        int errno = call((arena, state) -> {
            result[0] = body.run(arena, state);
            return result[0];
        });
        return result[0] == 0 ? -errno : result[0];
    }

    /** Of a function that returns an int: the negative errno after a failure, since libbpf 1.0. */
    private static int number(Body body) {
        int[] result = {0};
        call((arena, state) -> {
            result[0] = (int) body.run(arena, state);
            return result[0];
        });
        return result[0];
    }

    /** Runs a call; errno after it, which says something only after a failure. */
    private static int call(Body body) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(CFunction.STATE);
            long _ = body.run(arena, state);
            return state.get(JAVA_INT, CFunction.ERRNO);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError("a downcall throws nothing checked", e);
        }
    }
}

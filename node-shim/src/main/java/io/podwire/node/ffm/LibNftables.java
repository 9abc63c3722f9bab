package io.podwire.node.ffm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/**
 * libnftables(3), as far as we call it: text in, text out. A context is not safe for use by two
 * threads at once; the caller serializes.
 */
@SuppressWarnings("restricted") // --enable-native-access is set for every Podwire JVM
public final class LibNftables implements AutoCloseable {
    /** NFT_CTX_OUTPUT_JSON, nftables/libnftables.h. */
    public static final int OUTPUT_JSON = 1 << 4;

    private static final SymbolLookup LIBRARY = SymbolLookup.libraryLookup("libnftables.so.1", Arena.global());

    /** Nobody looks at what a call leaves there: the library says in text what went wrong. */
    private static final MemorySegment IGNORED = Arena.global().allocate(CFunction.STATE);

    private static final MethodHandle CTX_NEW = CFunction.of(LIBRARY, "nft_ctx_new");
    private static final MethodHandle CTX_FREE = CFunction.of(LIBRARY, "nft_ctx_free");
    private static final MethodHandle RUN_CMD = CFunction.of(LIBRARY, "nft_run_cmd_from_buffer");
    private static final MethodHandle BUFFER_OUTPUT = CFunction.of(LIBRARY, "nft_ctx_buffer_output");
    private static final MethodHandle BUFFER_ERROR = CFunction.of(LIBRARY, "nft_ctx_buffer_error");
    private static final MethodHandle GET_OUTPUT = CFunction.of(LIBRARY, "nft_ctx_get_output_buffer");
    private static final MethodHandle GET_ERROR = CFunction.of(LIBRARY, "nft_ctx_get_error_buffer");
    private static final MethodHandle SET_OUTPUT_FLAGS = CFunction.of(LIBRARY, "nft_ctx_output_set_flags");

    /** A struct nft_ctx pointer. */
    private final long context;

    private LibNftables(long context) {
        this.context = context;
    }

    /**
     * What a run said.
     *
     * @param code 0: all of it was done; anything else: none of it
     * @param output what it printed
     * @param error what it complained about
     */
    public record Result(int code, String output, String error) {}

    /**
     * A new context (nft_ctx_new). Its netlink socket is opened here and belongs to the network
     * namespace of the calling thread for good, whichever thread runs commands later.
     *
     * @throws IllegalStateException when the library has no memory for it
     */
    public static LibNftables open() {
        try {
            long context = (long) CTX_NEW.invokeExact(IGNORED, 0L, 0L, 0L, 0L, 0L);
            if (context == 0
                    || (int) (long) BUFFER_OUTPUT.invokeExact(IGNORED, context, 0L, 0L, 0L, 0L) != 0
                    || (int) (long) BUFFER_ERROR.invokeExact(IGNORED, context, 0L, 0L, 0L, 0L) != 0) {
                throw new IllegalStateException("nft_ctx_new gave no usable context");
            }
            return new LibNftables(context);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError("a downcall throws nothing checked", e);
        }
    }

    /**
     * Runs commands as one transaction (nft_run_cmd_from_buffer).
     *
     * @param commands in nft(8) syntax
     * @param outputFlags 0, or {@link #OUTPUT_JSON} for listings as libnftables-json(5)
     */
    public Result run(String commands, int outputFlags) {
        try (Arena arena = Arena.ofConfined()) {
            long _ = (long) SET_OUTPUT_FLAGS.invokeExact(IGNORED, context, (long) outputFlags, 0L, 0L, 0L);
            long text = arena.allocateFrom(commands).address();
            int code = (int) (long) RUN_CMD.invokeExact(IGNORED, context, text, 0L, 0L, 0L);
            String output = text((long) GET_OUTPUT.invokeExact(IGNORED, context, 0L, 0L, 0L, 0L));
            String error = text((long) GET_ERROR.invokeExact(IGNORED, context, 0L, 0L, 0L, 0L));
            return new Result(code, output, error);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError("a downcall throws nothing checked", e);
        }
    }

    /** Frees the context (nft_ctx_free). Call it once, last. */
    @Override
    public void close() {
        try {
            long _ = (long) CTX_FREE.invokeExact(IGNORED, context, 0L, 0L, 0L, 0L);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError("a downcall throws nothing checked", e);
        }
    }

    private static String text(long pointer) {
        return pointer == 0
                ? ""
                : MemorySegment.ofAddress(pointer).reinterpret(Long.MAX_VALUE).getString(0);
    }
}

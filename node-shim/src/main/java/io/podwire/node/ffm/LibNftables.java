package io.podwire.node.ffm;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * libnftables(3), as far as we call it: text in, text out. A context is not safe for use by two
 * threads at once; the caller serializes.
 */
@SuppressWarnings("restricted") // --enable-native-access is set for every Podwire JVM
public final class LibNftables implements AutoCloseable {
    /** NFT_CTX_OUTPUT_JSON, nftables/libnftables.h. */
    public static final int OUTPUT_JSON = 1 << 4;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final SymbolLookup LIBRARY = SymbolLookup.libraryLookup("libnftables.so.1", Arena.global());
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;

    private static final MethodHandle CTX_NEW =
            function("nft_ctx_new", FunctionDescriptor.of(ValueLayout.ADDRESS, INT));
    private static final MethodHandle CTX_FREE =
            function("nft_ctx_free", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));
    private static final MethodHandle RUN_CMD =
            function("nft_run_cmd_from_buffer", FunctionDescriptor.of(INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
    private static final MethodHandle BUFFER_OUTPUT =
            function("nft_ctx_buffer_output", FunctionDescriptor.of(INT, ValueLayout.ADDRESS));
    private static final MethodHandle BUFFER_ERROR =
            function("nft_ctx_buffer_error", FunctionDescriptor.of(INT, ValueLayout.ADDRESS));
    private static final MethodHandle GET_OUTPUT =
            function("nft_ctx_get_output_buffer", FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS));
    private static final MethodHandle GET_ERROR =
            function("nft_ctx_get_error_buffer", FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS));
    private static final MethodHandle SET_OUTPUT_FLAGS =
            function("nft_ctx_output_set_flags", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, INT));

    private final MemorySegment context;

    private LibNftables(MemorySegment context) {
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
            MemorySegment context = (MemorySegment) CTX_NEW.invokeExact(0);
            if (context.address() == 0
                    || (int) BUFFER_OUTPUT.invokeExact(context) != 0
                    || (int) BUFFER_ERROR.invokeExact(context) != 0) {
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
            SET_OUTPUT_FLAGS.invokeExact(context, outputFlags);
            int code = (int) RUN_CMD.invokeExact(context, arena.allocateFrom(commands));
            String output = text((MemorySegment) GET_OUTPUT.invokeExact(context));
            String error = text((MemorySegment) GET_ERROR.invokeExact(context));
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
            CTX_FREE.invokeExact(context);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError("a downcall throws nothing checked", e);
        }
    }

    private static String text(MemorySegment pointer) {
        return pointer.address() == 0 ? "" : pointer.reinterpret(Long.MAX_VALUE).getString(0);
    }

    private static MethodHandle function(String name, FunctionDescriptor descriptor) {
        return LINKER.downcallHandle(LIBRARY.findOrThrow(name), descriptor);
    }
}

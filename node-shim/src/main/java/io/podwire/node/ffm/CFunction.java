package io.podwire.node.ffm;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/**
 * C functions of at most five arguments, all of them and the result integers or pointers, as handles of one type:
 * {@code (MemorySegment state, long, long, long, long, long) long}.
 *
 * <p>Both ABIs that Podwire runs on pass an integer or pointer in a register of 64 bits, to variadic functions too: x86-64
 * (System V ABI, 3.2.3) and arm64 (AAPCS64, 6.8.2). A function looks at as many registers as it has arguments, and of
 * an int at the lower half, so what is passed beyond that is 0 and ignored. Of an int result the upper half says nothing:
 * cast it.
 *
 * <p>Why one type: the JVM makes a dozen classes at run time for each type of C function, which no cache holds. The twenty
 * types that Podwire's functions really have were a fifth of node-shim's start.
 */
final class CFunction {
    /** What {@code state} holds: errno after the call. */
    static final StructLayout STATE = Linker.Option.captureStateLayout();

    /** Where errno is in it. */
    static final long ERRNO = STATE.byteOffset(PathElement.groupElement("errno"));

    private static final FunctionDescriptor TYPE =
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);

    private CFunction() {}

    /**
     * The handle of a function.
     *
     * @throws UnsatisfiedLinkError when the library does not have it
     */
    @SuppressWarnings("restricted") // calls into C are what this package is for
    static MethodHandle of(SymbolLookup library, String name) {
        MemorySegment symbol =
                library.find(name).orElseThrow(() -> new UnsatisfiedLinkError("there is no C function " + name));
        return Linker.nativeLinker().downcallHandle(symbol, TYPE, Linker.Option.captureCallState("errno"));
    }
}

package io.podwire.node.netlink;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A classic BPF program (linux/filter.h, linux/bpf_common.h) that passes netlink messages of one type. */
final class TypeFilter {
    private static final int INSTRUCTIONS = 4;
    private static final int INSTRUCTION_BYTES = 8;
    /** BPF_LD | BPF_H | BPF_ABS: two bytes of the message, taken for network order. */
    private static final int LOAD_HALF = 0x28;
    /** BPF_JMP | BPF_JEQ | BPF_K. */
    private static final int JUMP_IF_EQUAL = 0x15;
    /** BPF_RET | BPF_K: how many bytes of the message pass. */
    private static final int RETURN = 0x06;
    /** Where struct nlmsghdr has nlmsg_type, which is in the processor's order, linux/netlink.h. */
    private static final int NLMSG_TYPE = 4;

    private static final int ALL = -1;

    private TypeFilter() {}

    /** The program, in a direct buffer. */
    static ByteBuffer of(int type) {
        ByteBuffer program =
                ByteBuffer.allocateDirect(INSTRUCTIONS * INSTRUCTION_BYTES).order(ByteOrder.nativeOrder());
        int seen = ByteOrder.nativeOrder() == ByteOrder.BIG_ENDIAN
                ? type
                : Short.toUnsignedInt(Short.reverseBytes((short) type));
        add(program, LOAD_HALF, 0, 0, NLMSG_TYPE);
        add(program, JUMP_IF_EQUAL, 0, 1, seen);
        add(program, RETURN, 0, 0, ALL);
        add(program, RETURN, 0, 0, 0);
        return program.flip();
    }

    private static void add(ByteBuffer program, int code, int jumpIfTrue, int jumpIfFalse, int value) {
        program.putShort((short) code)
                .put((byte) jumpIfTrue)
                .put((byte) jumpIfFalse)
                .putInt(value);
    }
}

package io.podwire.route.session;

import io.podwire.common.net.IpAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * The socket filter, linux/filter.h, that drops packets of some addresses unless they crossed no router (RFC 5082).
 * On a listening socket it holds from a connection's first packet on, and the connection inherits it: what came from
 * farther away is never among the octets that are read. Packets of all other addresses pass.
 */
final class HopFilter {
    /** {@code BPF_MAXINSNS} of linux/bpf_common.h. */
    private static final int MOST_INSTRUCTIONS = 4096;

    private static final int LOAD_WORD = 0x20;
    private static final int LOAD_OCTET = 0x30;
    private static final int SHIFT_RIGHT = 0x74;
    private static final int JUMP = 0x05;
    private static final int JUMP_IF_EQUAL = 0x15;
    private static final int RETURN = 0x06;

    /** {@code SKF_NET_OFF}: offsets from here on count from the IP header. */
    private static final int IP_HEADER = -0x100000;

    private static final int V4_SOURCE = 12;
    private static final int V4_TTL = 8;
    private static final int V6_SOURCE = 8;
    private static final int V6_HOP_LIMIT = 7;
    private static final int NEAREST = 255;

    private static final Instruction PASS = new Instruction(RETURN, 0, 0, -1);
    private static final Instruction DROP = new Instruction(RETURN, 0, 0, 0);

    private HopFilter() {}

    /** {@code struct sock_filter}. */
    record Instruction(int code, int ifTrue, int ifFalse, int value) {}

    /**
     * The filter.
     *
     * @param near who has to be near
     * @throws IllegalArgumentException when they are too many for the kernel, some hundreds
     */
    static List<Instruction> program(Collection<IpAddress> near) {
        List<Instruction> v4 = new ArrayList<>();
        List<Instruction> v6 = new ArrayList<>();
        for (IpAddress address : near) {
            switch (address.family()) {
                case V4 -> v4(v4, address);
                case V6 -> v6(v6, address);
            }
        }
        List<Instruction> all = new ArrayList<>();
        // The first four bits are the version. IPv4 comes to sockets of IPv6 too.
        all.add(load(LOAD_OCTET, 0));
        all.add(new Instruction(SHIFT_RIGHT, 0, 0, 4));
        all.add(new Instruction(JUMP_IF_EQUAL, 1, 0, 4));
        all.add(new Instruction(JUMP, 0, 0, v4.size() + 1));
        all.addAll(v4);
        all.add(PASS);
        all.addAll(v6);
        all.add(PASS);
        if (all.size() > MOST_INSTRUCTIONS) {
            throw new IllegalArgumentException("ttlSecurity: too many peers have it, " + near.size()
                    + "; the kernel's filter has room for 800 of IPv4 or 300 of IPv6");
        }
        return List.copyOf(all);
    }

    private static void v4(List<Instruction> into, IpAddress address) {
        into.add(load(LOAD_WORD, V4_SOURCE));
        into.add(new Instruction(JUMP_IF_EQUAL, 0, 4, (int) address.low()));
        nearest(into, V4_TTL);
    }

    private static void v6(List<Instruction> into, IpAddress address) {
        int[] words = {
            (int) (address.high() >>> 32), (int) address.high(), (int) (address.low() >>> 32), (int) address.low()
        };
        for (int i = 0; i < words.length; i++) {
            into.add(load(LOAD_WORD, V6_SOURCE + 4 * i));
            // Past the rest of the words, and past what they lead to.
            into.add(new Instruction(JUMP_IF_EQUAL, 0, 2 * (words.length - 1 - i) + 4, words[i]));
        }
        nearest(into, V6_HOP_LIMIT);
    }

    private static void nearest(List<Instruction> into, int offset) {
        into.add(load(LOAD_OCTET, offset));
        into.add(new Instruction(JUMP_IF_EQUAL, 0, 1, NEAREST));
        into.add(PASS);
        into.add(DROP);
    }

    private static Instruction load(int code, int offset) {
        return new Instruction(code, 0, 0, IP_HEADER + offset);
    }

    /** As the kernel reads it, outside of the heap. */
    static ByteBuffer octets(List<Instruction> program) {
        ByteBuffer out = ByteBuffer.allocateDirect(8 * program.size()).order(ByteOrder.nativeOrder());
        for (Instruction instruction : program) {
            out.putShort((short) instruction.code())
                    .put((byte) instruction.ifTrue())
                    .put((byte) instruction.ifFalse())
                    .putInt(instruction.value());
        }
        return out.flip();
    }
}

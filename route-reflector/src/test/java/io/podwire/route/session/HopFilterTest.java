package io.podwire.route.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.IpAddress;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class HopFilterTest {
    private static final List<HopFilter.Instruction> PROGRAM = HopFilter.program(List.of(
            IpAddress.parse("192.0.2.7"),
            IpAddress.parse("2001:db8::7"),
            IpAddress.parse("2001:db8::8"),
            IpAddress.parse("192.0.2.8")));

    @Test
    void whoHasToBeNearIsHeardOnlyFromNear() {
        for (String near : List.of("192.0.2.7", "192.0.2.8", "2001:db8::7", "2001:db8::8")) {
            assertThat(passes(PROGRAM, near, 255)).as(near).isTrue();
            assertThat(passes(PROGRAM, near, 254)).as(near).isFalse();
            assertThat(passes(PROGRAM, near, 1)).as(near).isFalse();
        }
    }

    @Test
    void othersAreHeardFromAnywhere() {
        for (String other : List.of("192.0.2.9", "2001:db8::9", "2001:db9::7", "::c000:207")) {
            assertThat(passes(PROGRAM, other, 64)).as(other).isTrue();
        }
        assertThat(passes(HopFilter.program(List.of()), "192.0.2.7", 1)).isTrue();
    }

    @Test
    void theKernelsLimitIsKnown() {
        List<IpAddress> many =
                IntStream.range(0, 1000).mapToObj(IpAddress::ofV4).toList();
        assertThatThrownBy(() -> HopFilter.program(many)).hasMessageContaining("ttlSecurity");
        assertThat(HopFilter.octets(PROGRAM).remaining()).isEqualTo(8 * PROGRAM.size());
    }

    /** The machine of linux/filter.h, as far as it is used. */
    private static boolean passes(List<HopFilter.Instruction> program, String source, int hops) {
        ByteBuffer packet = packet(IpAddress.parse(source), hops);
        int value = 0;
        for (int at = 0; ; at++) {
            HopFilter.Instruction now = program.get(at);
            switch (now.code()) {
                case 0x20 -> value = packet.getInt(now.value() + 0x100000);
                case 0x30 -> value = packet.get(now.value() + 0x100000) & 0xFF;
                case 0x74 -> value >>>= now.value();
                case 0x05 -> at += now.value();
                case 0x15 -> at += value == now.value() ? now.ifTrue() : now.ifFalse();
                case 0x06 -> {
                    return now.value() != 0;
                }
                default -> throw new AssertionError(now);
            }
        }
    }

    private static ByteBuffer packet(IpAddress source, int hops) {
        ByteBuffer packet = ByteBuffer.allocate(40);
        return switch (source.family()) {
            case V4 -> packet.put(0, (byte) 0x45).put(8, (byte) hops).put(12, source.bytes());
            case V6 -> packet.put(0, (byte) 0x60).put(7, (byte) hops).put(8, source.bytes());
        };
    }
}

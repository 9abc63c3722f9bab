package io.podwire.node.netlink.ct;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlWriter;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Bytes as conntrack(8) sends and the kernel answers them. */
final class ConnectionCodecTest {
    private static final Connection UDP = new Connection(
            new FlowTuple(17, IpAddress.parse("192.168.9.2"), IpAddress.parse("192.168.9.1"), 40_000, 8080),
            new FlowTuple(17, IpAddress.parse("10.1.0.1"), IpAddress.parse("192.168.9.2"), 53, 40_000),
            0,
            true);

    @Test
    void aDeletionNamesTheOriginalDirection() {
        assertThat(payload(out -> ConnectionCodec.writeDelete(out, UDP))).isEqualTo("""
                02000000
                3400 0180  1400 0180  0800 0100 c0a80902  0800 0200 c0a80901
                           1c00 0280  0500 0100 11000000  0600 0200 9c400000  0600 0300 1f900000""".replaceAll("\\s", ""));
    }

    @Test
    void aZoneThatIsNotTheDefaultOneIsNamed() {
        Connection zoned = new Connection(UDP.original(), UDP.reply(), 7, true);
        assertThat(payload(out -> ConnectionCodec.writeDelete(out, zoned))).contains("06001200" + "00070000");
    }

    @Test
    void aFilterIsTheKernels() {
        assertThat(payload(out -> ConnectionCodec.writeDump(out, new ConnectionFilter(IpFamily.V4, 17, 8080))))
                .isEqualTo("""
                        02000000
                        1800 0180  1400 0280  0500 0100 11000000  0600 0300 1f900000
                        1400 1980  0800 0100 28000000  0800 0200 00000000""".replaceAll("\\s", ""));
        assertThat(payload(out -> ConnectionCodec.writeDump(out, new ConnectionFilter(IpFamily.V6, 17, 8080))))
                .startsWith("0a000000");
    }

    @Test
    void aConnectionIsReadAndOneWithoutPortsLeftOut() {
        String original = "3400 0180 1400 0180 08000100 c0a80902 08000200 c0a80901"
                + "1c00 0280 05000100 11000000 06000200 9c400000 06000300 1f900000";
        String reply = "3400 0280 1400 0180 08000100 0a010001 08000200 c0a80902"
                + "1c00 0280 05000100 11000000 06000200 00350000 06000300 9c400000";
        String more = "08000300 0000018a" + "08000c00 44332211" + "08000b00 00000002";
        assertThat(ConnectionCodec.read(message("02000000" + original + reply + more)))
                .contains(UDP);
        assertThat(ConnectionCodec.read(message("02000000" + original + reply + "08000300 00000188")))
                .contains(new Connection(UDP.original(), UDP.reply(), 0, false));
        String icmp = "3400 0180 1400 0180 08000100 c0a80902 08000200 c0a80901"
                + "1c00 0280 05000100 01000000 06000400 9c400000 05000500 08000000";
        assertThat(ConnectionCodec.read(message("02000000" + icmp + reply))).isEmpty();
    }

    @Test
    void aFilterAcceptsWhatItMeans() {
        assertThat(new ConnectionFilter(IpFamily.V4, 17, 8080).accepts(UDP)).isTrue();
        assertThat(new ConnectionFilter(IpFamily.V4, 17, 53).accepts(UDP)).isFalse();
        assertThat(new ConnectionFilter(IpFamily.V4, 6, 8080).accepts(UDP)).isFalse();
        assertThat(new ConnectionFilter(IpFamily.V6, 17, 8080).accepts(UDP)).isFalse();
    }

    private static String payload(Consumer<NlWriter> body) {
        NlWriter out = new NlWriter(ByteBuffer.allocate(512));
        out.begin(1, 0, 1);
        body.accept(out);
        ByteBuffer written = out.finish();
        byte[] bytes = new byte[written.remaining()];
        written.get(bytes);
        return HexFormat.of().formatHex(bytes, 16, bytes.length);
    }

    private static NlMessage message(String hex) {
        byte[] payload = HexFormat.of().parseHex(hex.replaceAll("\\s", ""));
        NlWriter out = new NlWriter(ByteBuffer.allocate(512));
        out.begin(0x100, 0, 1);
        for (byte b : payload) {
            out.put8(b);
        }
        return NlMessage.take(out.finish());
    }
}

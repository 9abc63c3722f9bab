package io.podwire.node.netlink.rt;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.node.netlink.wire.NlWriter;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HexFormat;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Requests as bytes, by linux/pkt_sched.h and linux/pkt_cls.h, beside what tc(8) sends. */
class TrafficControlBytesTest {
    @Test
    void aBucketAsTcSendsIt() {
        // tc qdisc add dev ifb7 root tbf rate 10mbit burst 32kb latency 25ms; tc's burst is 3 ticks less, by rounding,
        // it sends a rate table besides, and the rate's 64 bits only where 32 are too few
        TokenBucket bucket = TokenBucket.withLatency(1_250_000, 32 << 10, Duration.ofMillis(25));
        assertThat(written(out -> QdiscCodec.writeTokenBucket(out, 7, bucket)))
                .as("tbf")
                .isEqualTo(hex(
                        "00 00 0000 07000000 00000000 ffffffff 00000000", // tcmsg: device 7, parent root
                        "0800 0100 74626600", // kind "tbf"
                        "4000 0280", // options
                        "2800 0100", // parameters
                        "00 01 0000 0000 0000 d0121300", // Ethernet; 1250000 bytes a second
                        "00 00 0000 0000 0000 00000000", // no peak rate
                        "12fa0000 00400600 00000000", // limit 64018, 409600 ticks
                        "0c00 0400 d012130000000000", // the rate's 64 bits
                        "0800 0600 00800000")); // burst 32768
    }

    @Test
    void aRateOfMoreThan32Bits() {
        assertThat(written(out -> QdiscCodec.writeTokenBucket(out, 7, new TokenBucket(5_000_000_000L, 1500, 3000))))
                .as("rate 40gbit")
                .contains(hex("00 01 0000 0000 0000 ffffffff"))
                .contains(hex("0c00 0400 00f2052a01000000"));
    }

    @Test
    void filtersAsTcSendsThem() {
        // tc filter add dev ve0 ingress protocol all pref 112 matchall action mirred egress redirect dev ifb9
        String header = "00 00 0000 06000000 00000000 f2ffffff 00037000"; // device 6, incoming, 112, all protocols
        String action = hex(
                "3400 0180", // the first action
                "0b00 0100 6d697272656400 00", // kind "mirred"
                "2400 0280", // options
                "2000 0200", // parameters
                "00000000 00000000 04000000 00000000 00000000", // tc_gen: stolen
                "01000000 09000000"); // egress redirect, device 9
        assertThat(written(out -> FilterCodec.write(out, new Redirect(6, 9), Classifier.MATCHALL)))
                .as("matchall")
                .isEqualTo(hex(header, "0d00 0100 6d61746368616c6c00 000000", "3c00 0280", "3800 0280", action));
        assertThat(written(out -> FilterCodec.write(out, new Redirect(6, 9), Classifier.U32)))
                .as("u32 match u32 0 0")
                .isEqualTo(hex(
                        header,
                        "0800 0100 75333200",
                        "6000 0280", // options
                        "2400 0500", // selector
                        "01 00 01 00 0000 0000 0000 0000 00000000", // terminal, one key
                        "00000000 00000000 00000000 00000000", // no bit of the first word
                        "3800 0780",
                        action));
    }

    private static String written(Consumer<NlWriter> body) {
        NlWriter out = new NlWriter(ByteBuffer.allocate(512));
        out.begin(1, 0, 1);
        body.accept(out);
        ByteBuffer bytes = out.finish();
        byte[] copy = new byte[bytes.remaining() - 16];
        bytes.get(16, copy);
        return HexFormat.of().formatHex(copy);
    }

    private static String hex(String... parts) {
        return String.join("", parts).replace(" ", "");
    }
}

package io.podwire.node.witness;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.node.netlink.nft.LoggedPacket;
import io.podwire.node.netlink.nft.Octets;
import io.podwire.node.plan.RandomInputs;
import io.podwire.node.testing.ManualTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

final class DeniedPacketsTest {
    /** TCP from 10.1.0.1:4660 to 10.1.0.2:80. */
    private static final String TCP = "4500003c0001400040060000" + "0a010001" + "0a010002" + "12340050";

    private final ManualTime time = new ManualTime();
    private final List<String> lines = new ArrayList<>();
    private final DeniedPackets denied =
            new DeniedPackets(() -> List.of(RandomInputs.endpoint(2)), 2, time, lines::add);

    @Test
    void aLineNamesBothEndsTheProtocolAndThePolicies() {
        deny("ingress-denied:ns/a", TCP);
        assertThat(lines)
                .containsExactly(
                        "denied 10.1.0.1 port 4660 to 10.1.0.2 port 80 (ns/pod-2), tcp: ingress, default deny by"
                                + " ns/a");
    }

    @Test
    void noMoreLinesAreWrittenThanAskedFor() {
        for (int i = 0; i < 5; i++) {
            deny("ingress-denied:ns/a", TCP);
        }
        assertThat(lines).hasSize(2);
        time.advance(Duration.ofMillis(999));
        deny("ingress-denied:ns/a", TCP);
        assertThat(lines).hasSize(2);
        time.advance(Duration.ofMillis(1));
        deny("egress-ns/p:3", TCP);
        assertThat(lines)
                .hasSize(3)
                .last()
                .asString()
                .contains("egress, rule 3 of ns/p")
                .endsWith("(and 4 packets before, of which no line was written)");
        deny("egress-ns/p:3", TCP);
        assertThat(lines.getLast()).endsWith("rule 3 of ns/p");
    }

    @Test
    void whatIsNotToldIsLeftOut() {
        assertThat(head("45000018" + "00000001" + "40110000" + "0a010001" + "0a010002" + "12340050"))
                .as("a later fragment: what stands there is no port")
                .isEqualTo("10.1.0.1:0>10.1.0.2:0 udp");
        assertThat(head("4500001c" + "00000000" + "40010000" + "0a010001" + "0a010002" + "08000000"))
                .as("ICMP")
                .isEqualTo("10.1.0.1:0>10.1.0.2:0 protocol 1");
        assertThat(head("60000000" + "00080640" + "fd00".repeat(8) + "fd01".repeat(8) + "00350036"))
                .as("IPv6")
                .endsWith(":54 tcp");
        assertThat(PacketHead.of(Octets.of((byte) 0x45, (byte) 0)))
                .as("too short")
                .isEmpty();
        assertThat(PacketHead.of(octets("60" + "00".repeat(30))))
                .as("too short")
                .isEmpty();
        assertThat(PacketHead.of(octets("10" + "00".repeat(60)))).as("no IP").isEmpty();
        deny("ingress-denied:ns/a", "00");
        assertThat(lines.getFirst()).isEqualTo("denied a packet without an IP header: ingress, default deny by ns/a");
    }

    private static String head(String hex) {
        PacketHead head = PacketHead.of(octets(hex)).orElseThrow();
        return head.source() + ":" + head.sourcePort() + ">" + head.destination() + ":" + head.destinationPort() + " "
                + head.protocol();
    }

    private void deny(String prefix, String hex) {
        denied.denied(new LoggedPacket(prefix, octets(hex)));
    }

    private static Octets octets(String hex) {
        return Octets.of(HexFormat.of().parseHex(hex));
    }
}

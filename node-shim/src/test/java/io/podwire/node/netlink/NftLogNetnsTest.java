package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import io.podwire.common.loop.TimeSource;
import io.podwire.node.netlink.nft.LoggedPacket;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import io.podwire.node.witness.DeniedPackets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Packets that a rule logs come to whoever listens, and to nobody else. */
@Tag("netns")
@Timeout(60)
class NftLogNetnsTest {
    private static final int GROUP = 7471;

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private Space space;

    @BeforeEach
    void open() {
        space = sandbox.add();
        space.ip("link", "set", "lo", "up");
        space.run("nft", """
                add table inet t
                add chain inet t out { type filter hook output priority 0; }
                add rule inet t out meta l4proto udp limit rate 2/second burst 2 packets log prefix \
                "egress-denied:ns/a:ns/b" group 7471
                add rule inet t out meta l4proto udp drop
                """);
    }

    @AfterEach
    void close() {
        sandbox.close();
    }

    @Test
    void deniedPacketsAreToldWithWhoAndWhomAndWhy() {
        List<String> lines = new CopyOnWriteArrayList<>();
        DeniedPackets denied = new DeniedPackets(List::of, 100, TimeSource.SYSTEM, lines::add);
        try (NftLog _ = NftLog.open(space.netns(), GROUP, denied::denied)) {
            send("127.0.0.1");
            send("::1");
            await().until(() -> lines.size() == 2);
            assertThat(lines.getFirst())
                    .matches(
                            "denied 127\\.0\\.0\\.1 port [0-9]+ to 127\\.0\\.0\\.1 port 9001, udp: egress, default deny"
                                    + " by ns/a, ns/b");
            assertThat(lines.getLast())
                    .matches("denied ::1 port [0-9]+ to ::1 port 9001, udp: egress, default deny by ns/a, ns/b");
        }
    }

    @Test
    void aGroupHasOneListener() {
        List<LoggedPacket> packets = new CopyOnWriteArrayList<>();
        try (NftLog _ = NftLog.open(space.netns(), GROUP, packets::add)) {
            assertThatExceptionOfType(NetlinkException.class)
                    .isThrownBy(() -> NftLog.open(space.netns(), GROUP, packets::add))
                    .satisfies(e -> assertThat(e.errnoNumber()).isIn(1, 16))
                    .withMessageContaining("log group 7471");
        }
        try (NftLog _ = NftLog.open(space.netns(), GROUP, packets::add)) {
            send("127.0.0.1");
            await().until(() -> packets.size() == 1);
        }
    }

    private void send(String address) {
        space.run("python3", "-c", """
                import socket, sys
                s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
                try:
                    s.sendto(b'x', (sys.argv[1], 9001))
                except OSError:
                    pass
                """, address);
    }
}

package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.ct.Connection;
import io.podwire.node.netlink.ct.ConnectionFilter;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Real connections, translated and not, listed and forgotten. */
@Tag("netns")
@Timeout(60)
class ConntrackNetnsTest {
    private static final int UDP = 17;
    private static final int TCP = 6;

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private Space space;
    private Conntrack conntrack;

    @BeforeEach
    void open() {
        space = sandbox.add();
        conntrack = Conntrack.open(space.netns());
        space.ip("link", "set", "lo", "up");
        space.run("nft", """
                add table inet t
                add chain inet t out { type nat hook output priority -100; }
                add rule inet t out udp dport 9001 dnat ip to 127.0.0.9:53
                add rule inet t out udp dport 9001 dnat ip6 to [::1]:53
                """);
    }

    @AfterEach
    void close() {
        conntrack.close();
        sandbox.close();
    }

    @Test
    void connectionsToAPortAreListedAndForgotten() {
        send("127.0.0.1", 9001);
        send("127.0.0.1", 9002);
        send("::1", 9001);
        List<Connection> found = conntrack.connections(new ConnectionFilter(IpFamily.V4, UDP, 9001));
        assertThat(found).hasSize(1);
        assertThat(found.getFirst().original().destination()).isEqualTo(IpAddress.parse("127.0.0.1"));
        assertThat(found.getFirst().reply().source()).isEqualTo(IpAddress.parse("127.0.0.9"));
        assertThat(found.getFirst().reply().sourcePort()).isEqualTo(53);
        assertThat(conntrack.connections(new ConnectionFilter(IpFamily.V6, UDP, 9001)))
                .hasSize(1);
        assertThat(conntrack.connections(new ConnectionFilter(IpFamily.V4, TCP, 9001)))
                .isEmpty();

        assertThat(conntrack.delete(found.getFirst())).isTrue();
        assertThat(conntrack.delete(found.getFirst())).as("it is gone").isFalse();
        assertThat(conntrack.connections(new ConnectionFilter(IpFamily.V4, UDP, 9001)))
                .isEmpty();
        assertThat(conntrack.connections(new ConnectionFilter(IpFamily.V4, UDP, 9002)))
                .as("the others stay")
                .hasSize(1);
    }

    private void send(String address, int port) {
        space.run("python3", "-c", """
                import socket, sys
                s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
                s.connect((sys.argv[1], int(sys.argv[2])))
                s.send(b'x')
                """, address, Integer.toString(port));
    }
}

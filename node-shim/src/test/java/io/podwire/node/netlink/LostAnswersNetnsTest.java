package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A real socket on which a receive fails now and then: it stays of use. */
@Tag("netns")
@Timeout(60)
class LostAnswersNetnsTest {
    private final NetnsSandbox sandbox = new NetnsSandbox();
    private Faulty calls;
    private Rtnetlink netlink;

    /** Fails one receive to come; the datagram stays in the socket, as with a call that never was made. */
    private static final class Faulty implements NetlinkSocket.Calls {
        private final NetlinkSocket.Calls real;
        private int before = -1;
        private Errno errno = Errno.OTHER;

        Faulty(NetlinkSocket.Calls real) {
            this.real = real;
        }

        /** Fails the receive after so many good ones. */
        void failReceive(int after, Errno failure) {
            before = after;
            errno = failure;
        }

        @Override
        public int send(ByteBuffer request) {
            return real.send(request);
        }

        @Override
        public int receive(ByteBuffer into) {
            return before-- == 0 ? -errno.number() : real.receive(into);
        }

        @Override
        public void close() {
            real.close();
        }
    }

    @BeforeEach
    void open() {
        Space host = sandbox.add();
        calls = new Faulty(NetlinkSocket.connect(host.netns(), NetlinkSocket.NETLINK_ROUTE));
        netlink = new Rtnetlink(new NetlinkSocket(calls));
    }

    @AfterEach
    void removeSandbox() {
        netlink.close();
        sandbox.close();
    }

    private static NewLink bridge(String name) {
        return new NewLink(
                name,
                new NewLinkKind.Bridge(),
                Optional.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                true,
                Optional.empty());
    }

    private List<Route> addRoutes() {
        int index = netlink.addLink(bridge("pw0"));
        List<Route> routes = new ArrayList<>();
        for (int i = 0; i < 2000; i++) {
            routes.add(Route.onLink(IpPrefix.ofHost(IpAddress.parse("10.1.0.0").plus(i)), index));
        }
        routes.forEach(netlink::replaceRoute);
        return routes;
    }

    @Test
    void aDumpThatBreaksOffInTheMiddleDoesNotStopTheNext() {
        List<Route> routes = addRoutes();
        calls.failReceive(1, Errno.ENOMEM);
        assertThatThrownBy(() -> netlink.routes(IpFamily.V4))
                .as("the broken dump")
                .isInstanceOf(AnswerLostException.class)
                .hasMessageContaining("list routes of V4 in table 254: ENOMEM");
        assertThat(netlink.routes(IpFamily.V4)).as("the next").containsExactlyInAnyOrderElementsOf(routes);
    }

    @Test
    void aDumpThatLosesAPartIsMadeAgain() {
        List<Route> routes = addRoutes();
        calls.failReceive(1, Errno.ENOBUFS);
        assertThat(netlink.routes(IpFamily.V4)).as("routes").containsExactlyInAnyOrderElementsOf(routes);
    }

    @Test
    void aChangeWhoseAnswerIsLostWasMade() {
        for (Errno errno : List.of(Errno.ENOBUFS, Errno.ENOMEM, Errno.EAGAIN)) {
            String name = "br" + errno.number();
            calls.failReceive(0, errno);
            assertThatThrownBy(() -> netlink.addLink(bridge(name)))
                    .as("answer lost by %s", errno)
                    .isInstanceOf(AnswerLostException.class)
                    .hasMessageContaining("make link NewLink[name=" + name)
                    .hasMessageContaining("may have been done");
            Link link = netlink.link(name).orElseThrow();
            assertThat(link.up()).as("up").isTrue();
            assertThat(netlink.deleteLink(link.index())).as("delete").isTrue();
        }
    }
}

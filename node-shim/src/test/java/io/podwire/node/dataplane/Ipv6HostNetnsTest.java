package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.awaitility.Awaitility.await;

import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A node whose default routes come from routers' advertisements keeps them when it begins to forward. */
@Tag("netns")
final class Ipv6HostNetnsTest {
    private static final Sysctl SYSCTL = new Sysctl(Path.of("/proc/sys"));

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private Space node;
    private Space router;

    @BeforeEach
    void wire() {
        node = sandbox.add();
        router = sandbox.add();
        for (String link : new String[] {"up0", "up1", "bridge0"}) {
            node.ip("link", "add", link, "type", "veth", "peer", "name", link, "netns", router.name());
            router.ip("link", "set", link, "addrgenmode", "none");
            router.ip("link", "set", link, "up");
            router.ip("addr", "add", "fe80::1/64", "dev", link, "nodad");
            node.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/" + link + "/accept_dad");
            node.ip("link", "set", link, "up");
        }
    }

    @AfterEach
    void remove() {
        sandbox.close();
    }

    /** An advertisement of a router with a lifetime of half an hour, and no prefix. */
    private void advertise(String link, String source) {
        if (!router.ip("addr", "show", "dev", link).contains(source + "/")) {
            router.ip("addr", "add", source + "/64", "dev", link, "nodad");
        }
        router.run("python3", "-c", """
                import socket, struct, sys
                link, source = sys.argv[1:]
                index = socket.if_nametoindex(link)
                out = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
                out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
                out.bind((source, 0, 0, index))
                out.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, index))
                """, link, source);
    }

    private void awaitDefaultRoute(String link, String via) {
        await().atMost(Duration.ofSeconds(10)).untilAsserted(() -> {
            advertise(link, via);
            assertThat(defaultRoutes()).contains("via " + via + " dev " + link);
        });
    }

    private String defaultRoutes() {
        return node.ip("-6", "route", "show", "default");
    }

    private String setting(String key) {
        return node.run("cat", "/proc/sys/net/ipv6/conf/" + key).strip();
    }

    private void forward(String... uplinks) throws Exception {
        NetnsThread.call(node.netns(), () -> {
            try (Rtnetlink host = Rtnetlink.open()) {
                Ipv6Host.forward(SYSCTL, host, Set.of(uplinks));
            }
            return true;
        });
    }

    @Test
    void theKernelAloneWouldForgetItsDefaultRoutes() {
        awaitDefaultRoute("up0", "fe80::1");
        node.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
        assertThat(defaultRoutes()).as("what this class is for").isEmpty();
    }

    @Test
    void learnedDefaultRoutesStayAndAreRefreshed() throws Exception {
        awaitDefaultRoute("up0", "fe80::1");
        awaitDefaultRoute("up1", "fe80::1");
        forward("up0");
        assertThat(setting("all/forwarding")).isEqualTo("1");
        assertThat(defaultRoutes())
                .as("of the uplink, and of an interface that nobody named")
                .contains("via fe80::1 dev up0", "via fe80::1 dev up1");
        awaitDefaultRoute("up0", "fe80::2");
        assertThat(setting("bridge0/accept_ra"))
                .as("not an uplink, and no router heard there")
                .isEqualTo("1");
        advertise("bridge0", "fe80::66");
        awaitDefaultRoute("up0", "fe80::3");
        assertThat(defaultRoutes()).as("a container's bridge has no say").doesNotContain("bridge0");
    }

    @Test
    void anUplinkWhoseRouterComesLaterIsHeeded() throws Exception {
        forward("up0");
        awaitDefaultRoute("up0", "fe80::1");
    }

    @Test
    void theAdministratorsChoiceStays() throws Exception {
        node.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/up0/accept_ra");
        node.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/up1/forwarding");
        forward("up0", "up1", "gone");
        assertThat(setting("up0/accept_ra")).as("none wanted").isEqualTo("0");
        assertThat(setting("up1/accept_ra"))
                .as("forwarding before, so none were heeded")
                .isEqualTo("1");
        forward("up0", "up1");
        assertThat(setting("up0/accept_ra"))
                .as("the next start changes nothing")
                .isEqualTo("0");
    }

    @Test
    void aKernelWithoutIpv6IsSaid(@TempDir Path empty) {
        try (Rtnetlink host = Rtnetlink.open(node.netns())) {
            assertThatIllegalStateException()
                    .isThrownBy(() -> Ipv6Host.forward(new Sysctl(empty), host, Set.of()))
                    .withMessageContaining("this kernel has no IPv6");
        }
    }
}

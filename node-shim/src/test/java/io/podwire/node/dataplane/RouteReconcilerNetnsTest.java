package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.plan.RouteMode;
import io.podwire.node.plan.RoutePlan;
import io.podwire.node.plan.UnderlayChoice;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Two nodes on one link: what the plan says is what packets do. */
@Tag("netns")
final class RouteReconcilerNetnsTest {
    private static final RoutePlan NOTHING = new RoutePlan(List.of(), List.of());

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private End a;
    private End b;

    /** One node: its block is 10.1.NUMBER.0/26, its tunnel has the block's first address, a pod the fifth. */
    private record End(int number, Space space, Rtnetlink host, EventLoop loop, RouteReconciler routes) {
        static MacAddress mac(int number) {
            return MacAddress.locallyAdministered(0xabc0 + number);
        }

        IpPrefix block() {
            return IpPrefix.parse("10.1." + number + ".0/26");
        }

        IpPrefix block6() {
            return IpPrefix.parse("fd00:0:0:" + number + "::/122");
        }

        RoutePlan direct6(End other) {
            return new RoutePlan(
                    List.of(new RoutePlan.Direct(other.block6(), IpAddress.parse("2001:db8::" + other.number))),
                    List.of());
        }

        /** As the plan says it of an underlay without IPv6. */
        RoutePlan tunnelled6(End other) {
            IpAddress via = IpAddress.parse("fe80::ff:fe00:abc" + other.number);
            return new RoutePlan(
                    List.of(),
                    List.of(
                            new RoutePlan.Tunnelled(
                                    other.block(), other.block().address(), mac(other.number), other.underlay()),
                            new RoutePlan.Tunnelled(other.block6(), via, mac(other.number), other.underlay())));
        }

        PodAddresses bothTunnelAddresses() {
            return PodAddresses.of(block().address(), block6().address());
        }

        IpAddress underlay() {
            return IpAddress.parse("192.0.2." + number);
        }

        RoutePlan direct(End other) {
            return new RoutePlan(List.of(new RoutePlan.Direct(other.block(), other.underlay())), List.of());
        }

        RoutePlan tunnelled(End other) {
            return new RoutePlan(
                    List.of(),
                    List.of(new RoutePlan.Tunnelled(
                            other.block(), other.block().address(), mac(other.number), other.underlay())));
        }

        /** Waits until the loop has done what was asked of it. */
        void settle() {
            loop.submit(() -> null).orTimeout(5, TimeUnit.SECONDS).join();
        }

        String state() {
            return space.ip("route")
                    + space.ip("-6", "route", "show", "proto", "112")
                    + space.ip("neigh", "show", "nud", "permanent")
                    + space.run("bridge", "fdb", "show", "dev", "pwvx")
                    + space.ip("-d", "addr", "show", "pwvx");
        }

        void ping(End other) {
            ping(block(), other.block());
        }

        void ping6(End other) {
            ping(block6(), other.block6());
        }

        private void ping(IpPrefix from, IpPrefix to) {
            String pod = to.address().plus(5).toString();
            assertThat(space.run(
                            "ping", "-c1", "-W2", "-I", from.address().plus(5).toString(), pod))
                    .as("node %d to %s", number, pod)
                    .contains("1 received");
        }

        long tunnelPackets() {
            return space.ipJson("-s", "link", "show", "pwvx")
                    .path(0)
                    .path("stats64")
                    .path("tx")
                    .path("packets")
                    .asLong();
        }
    }

    @BeforeEach
    void wire() {
        Space one = sandbox.add();
        Space two = sandbox.add();
        one.ip("link", "add", "under", "type", "veth", "peer", "name", "under", "netns", two.name());
        a = end(1, one);
        b = end(2, two);
    }

    private static End end(int number, Space space) {
        space.ip("link", "set", "lo", "up");
        // Neighbours are asked for from the link-local address, which is not held back here to look for duplicates.
        space.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/under/accept_dad");
        space.ip("addr", "add", "192.0.2." + number + "/24", "dev", "under");
        space.ip("link", "set", "under", "up");
        space.ip("addr", "add", "10.1." + number + ".5/32", "dev", "lo");
        space.ip("addr", "add", "2001:db8::" + number + "/64", "dev", "under", "nodad");
        space.ip("addr", "add", "fd00:0:0:" + number + "::5/128", "dev", "lo");
        Rtnetlink host = Rtnetlink.open(space.netns());
        EventLoop loop = new EventLoop("routes-" + number);
        RouteReconciler routes = new RouteReconciler(
                host,
                loop,
                new CurrentUnderlay(host, new UnderlayChoice(List.of("under"), List.of())),
                RouteMode.CROSS_SUBNET,
                new VxlanDevice.Settings(7470, 4789, End.mac(number)),
                Set.of(IpFamily.V4, IpFamily.V6),
                new Sysctl(Path.of("/proc/sys")));
        return new End(number, space, host, loop, routes);
    }

    @AfterEach
    void remove() {
        for (End end : List.of(a, b)) {
            end.loop().close();
            end.host().close();
        }
        sandbox.close();
    }

    private void plan(RoutePlan ofA, RoutePlan ofB) {
        a.routes().plan(ofA);
        b.routes().plan(ofB);
        a.settle();
        b.settle();
    }

    private void tunnels() {
        var _ = a.routes().tunnelAddresses(PodAddresses.of(a.block().address()));
        var _ = b.routes().tunnelAddresses(PodAddresses.of(b.block().address()));
        a.settle();
        b.settle();
    }

    @Test
    void directRoutesCarryPackets() {
        plan(a.direct(b), b.direct(a));
        a.ping(b);
        assertThat(a.space().ip("route", "show", "proto", "112"))
                .contains("10.1.2.0/26 via 192.0.2.2 dev under", "onlink");
    }

    @Test
    void tunnelledRoutesCarryPacketsInVxlan() {
        tunnels();
        plan(a.tunnelled(b), b.tunnelled(a));
        a.ping(b);
        assertThat(a.tunnelPackets()).as("sent through the tunnel").isPositive();
        assertThat(a.space().ip("-d", "addr", "show", "pwvx"))
                .contains(
                        "vxlan id 7470",
                        "dstport 4789",
                        "nolearning",
                        "srcport 49152 65535",
                        " udpcsum noudp6zerocsumtx noudp6zerocsumrx",
                        "mtu 1450",
                        "10.1.1.0/32",
                        End.mac(1).toString());
    }

    private void bothTunnels() {
        var _ = a.routes().tunnelAddresses(a.bothTunnelAddresses());
        var _ = b.routes().tunnelAddresses(b.bothTunnelAddresses());
        a.settle();
        b.settle();
    }

    @Test
    void ipv6GoesDirectlyWhereTheUnderlayHasIt() {
        plan(a.direct6(b), b.direct6(a));
        a.ping6(b);
        assertThat(a.space().ip("-6", "route", "show", "proto", "112"))
                .contains("fd00:0:0:2::/122 via 2001:db8::2 dev under", "onlink");
    }

    @Test
    void ipv6GoesInVxlanOverIpv4() {
        bothTunnels();
        plan(a.tunnelled6(b), b.tunnelled6(a));
        a.ping6(b);
        a.ping(b);
        assertThat(a.tunnelPackets()).as("sent through the tunnel").isGreaterThan(1);
        assertThat(a.space().ip("-br", "addr", "show", "pwvx").replaceAll(" +", " "))
                .as("no address that the kernel made")
                .endsWith(" 10.1.1.0/32 fd00:0:0:1::/128 \n");
        assertThat(a.space().ip("-6", "neigh", "show", "dev", "pwvx"))
                .as("set, not asked for")
                .isEqualTo("fe80::ff:fe00:abc2 lladdr " + End.mac(2) + " PERMANENT \n");
        assertThat(a.space().run("ping", "-c1", "-W2", "fd00:0:0:2::5"))
                .as("the node itself, from its tunnel's address")
                .contains("1 received");
    }

    @Test
    void ipv6StatesAreReachedFromEveryOther() {
        bothTunnels();
        List<RoutePlan> ofA = List.of(NOTHING, a.direct6(b), a.tunnelled6(b), a.tunnelled(b));
        List<RoutePlan> ofB = List.of(NOTHING, b.direct6(a), b.tunnelled6(a), b.tunnelled(a));
        List<String> wanted = new ArrayList<>();
        for (int i = 0; i < ofA.size(); i++) {
            plan(NOTHING, NOTHING);
            plan(ofA.get(i), ofB.get(i));
            wanted.add(a.state());
        }
        for (int from = 0; from < ofA.size(); from++) {
            for (int to = 0; to < ofA.size(); to++) {
                plan(ofA.get(from), ofB.get(from));
                plan(ofA.get(to), ofB.get(to));
                assertThat(a.state()).as("state %d after %d", to, from).isEqualTo(wanted.get(to));
            }
        }
    }

    @Test
    void ipv6ThatWasRemovedByHandComesBackWithTheNextPlan() {
        bothTunnels();
        plan(a.tunnelled6(b), b.tunnelled6(a));
        String good = a.state();
        for (String[] broken : List.<String[]>of(
                new String[] {"ip", "-6", "route", "del", "fd00:0:0:2::/122"},
                new String[] {"ip", "-6", "neigh", "del", "fe80::ff:fe00:abc2", "dev", "pwvx"},
                new String[] {"ip", "-6", "addr", "del", "fd00:0:0:1::/128", "dev", "pwvx"},
                new String[] {"ip", "-6", "addr", "add", "fd00:9::1/128", "dev", "pwvx"},
                new String[] {"ip", "link", "set", "pwvx", "down"},
                new String[] {"ip", "link", "del", "pwvx"})) {
            a.space().run(broken);
            plan(a.tunnelled6(b), b.tunnelled6(a));
            assertThat(a.state().replaceAll("(?m)^\\d+: ", ""))
                    .as("after %s", String.join(" ", broken))
                    .isEqualTo(good.replaceAll("(?m)^\\d+: ", ""));
            a.ping6(b);
        }
    }

    @Test
    void beforeTheFirstPlanNothingIsRemoved() {
        a.space().ip("route", "add", "10.1.9.0/26", "via", "192.0.2.9", "proto", "112", "onlink", "dev", "under");
        var _ = a.routes().tunnelAddresses(PodAddresses.of(a.block().address()));
        a.settle();
        assertThat(a.space().ip("route")).as("kept from the life before").contains("10.1.9.0/26");
        plan(NOTHING, NOTHING);
        assertThat(a.space().ip("route")).as("the plan does not have it").doesNotContain("10.1.9.0/26");
    }

    /** Each state after each other one, in both orders, ends as if it had been the first. */
    @Test
    void everyStateIsReachedFromEveryOther() {
        tunnels();
        List<RoutePlan> ofA = List.of(NOTHING, a.direct(b), a.tunnelled(b));
        List<RoutePlan> ofB = List.of(NOTHING, b.direct(a), b.tunnelled(a));
        List<String> wanted = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            plan(NOTHING, NOTHING);
            plan(ofA.get(i), ofB.get(i));
            wanted.add(a.state());
        }
        for (int from = 0; from < 3; from++) {
            for (int to = 0; to < 3; to++) {
                plan(ofA.get(from), ofB.get(from));
                plan(ofA.get(to), ofB.get(to));
                assertThat(a.state()).as("state %d after %d", to, from).isEqualTo(wanted.get(to));
                if (to > 0) {
                    a.ping(b);
                }
            }
        }
    }

    @Test
    void whatWasRemovedByHandComesBackWithTheNextPlan() {
        tunnels();
        plan(a.tunnelled(b), b.tunnelled(a));
        String good = a.state();
        for (String[] broken : List.<String[]>of(
                new String[] {"ip", "route", "del", "10.1.2.0/26"},
                new String[] {"ip", "neigh", "del", "10.1.2.0", "dev", "pwvx"},
                new String[] {"bridge", "fdb", "del", End.mac(2).toString(), "dev", "pwvx", "dst", "192.0.2.2"},
                new String[] {"ip", "addr", "add", "10.99.0.1/32", "dev", "pwvx"},
                new String[] {"ip", "link", "set", "pwvx", "down"},
                new String[] {"ip", "link", "set", "pwvx", "mtu", "1300"},
                new String[] {"ip", "link", "del", "pwvx"})) {
            a.space().run(broken);
            plan(a.tunnelled(b), b.tunnelled(a));
            assertThat(a.state().replaceAll("(?m)^\\d+: ", ""))
                    .as("after %s", String.join(" ", broken))
                    .isEqualTo(good.replaceAll("(?m)^\\d+: ", ""));
            a.ping(b);
        }
    }

    @Test
    void theTunnelFollowsTheUnderlaysMtu() {
        tunnels();
        plan(a.tunnelled(b), b.tunnelled(a));
        String index = a.space().ip("-o", "link", "show", "pwvx").split(":", -1)[0];
        for (int mtu : new int[] {1400, 1600}) {
            a.space().ip("link", "set", "under", "mtu", Integer.toString(mtu));
            a.routes().look();
            a.settle();
            assertThat(a.space().ip("link", "show", "pwvx")).contains("mtu " + (mtu - 50) + " ");
        }
        assertThat(a.space().ip("-o", "link", "show", "pwvx").split(":", -1)[0])
                .as("the same device")
                .isEqualTo(index);
        a.ping(b);
    }

    @Test
    void aLookPutsBackWhatOthersChangedAndTellsWhatItWas() {
        tunnels();
        plan(a.tunnelled(b), b.tunnelled(a));
        assertThat(repairs()).as("what is as planned").isEmpty();
        String good = a.state();
        Map<String, String> kinds = new LinkedHashMap<>();
        kinds.put("ip route del 10.1.2.0/26", "route");
        kinds.put("ip route replace 10.1.2.0/26 dev under", "route");
        kinds.put("ip neigh del 10.1.2.0 dev pwvx", "neighbour");
        kinds.put("ip neigh replace 10.1.2.0 lladdr 02:00:00:00:00:01 dev pwvx", "neighbour");
        kinds.put("bridge fdb del " + End.mac(2) + " dev pwvx dst 192.0.2.2", "fdb");
        kinds.put("ip addr add 10.99.0.1/32 dev pwvx", "address");
        kinds.put("ip addr del 10.1.1.0/32 dev pwvx", "address");
        kinds.put("ip link set pwvx down", "vxlan");
        kinds.put("ip link del pwvx", "vxlan");
        kinds.forEach((command, kind) -> {
            a.space().run(command.split(" "));
            assertThat(repairs())
                    .as("repairs after %s", command)
                    .extracting(repair -> repair.found().object())
                    .contains(kind);
            assertThat(a.state().replaceAll("(?m)^\\d+: ", ""))
                    .as("after %s", command)
                    .isEqualTo(good.replaceAll("(?m)^\\d+: ", ""));
            assertThat(repairs()).as("once, after %s", command).isEmpty();
            a.ping(b);
        });
        plan(a.direct(b), b.direct(a));
        assertThat(repairs()).as("another plan is no repair").isEmpty();
    }

    /** A plan that comes first puts right what others changed as well: that is told all the same. */
    @Test
    void whatANewPlanPutsRightIsToldOfTheNextLook() {
        tunnels();
        plan(a.tunnelled(b), b.tunnelled(a));
        IpPrefix further = IpPrefix.parse("10.1.9.0/26");
        RoutePlan.Direct another = new RoutePlan.Direct(further, b.underlay());
        for (String command : List.of(
                "ip link set pwvx down",
                "ip link set pwvx mtu 1300",
                "ip addr del 10.1.1.0/32 dev pwvx",
                "ip link del pwvx",
                "ip route del 10.1.2.0/26",
                "ip neigh del 10.1.2.0 dev pwvx",
                "bridge fdb del " + End.mac(2) + " dev pwvx dst 192.0.2.2",
                "ip route add 10.1.8.0/26 via 192.0.2.2 proto 112")) {
            a.space().run(command.split(" "));
            a.routes().plan(new RoutePlan(List.of(another), a.tunnelled(b).tunnelled()));
            a.routes().plan(a.tunnelled(b));
            assertThat(repairs())
                    .as("repairs after %s and two plans", command)
                    .isNotEmpty()
                    .noneMatch(repair -> repair.found().name().equals(further.toString()));
            assertThat(repairs()).as("once, after %s", command).isEmpty();
        }
    }

    private List<Repair> repairs() {
        return a.routes().resync().orTimeout(5, TimeUnit.SECONDS).join();
    }

    @Test
    void whatNoPodHasOfTheNodesOwnBlocksIsRefused() {
        a.space().ip("link", "add", "pw0", "type", "bridge");
        a.space().ip("link", "set", "pw0", "up");
        a.space().ip("route", "add", "10.1.1.64/32", "dev", "pw0", "proto", "112");
        a.routes().ownBlocks(Set.of(a.block(), a.block6(), IpPrefix.parse("10.1.1.64/32")));
        a.settle();
        assertThat(a.space().ip("route", "get", "10.1.1.64"))
                .as("the pod of a block of one address")
                .contains("dev pw0");
        assertThat(a.space().run("sh", "-c", "ip route get 10.1.1.9 2>&1; ip route get fd00:0:0:1::9 2>&1; true"))
                .isEqualTo("RTNETLINK answers: No route to host\n".repeat(2));
        assertThat(a.space().ip("route", "get", "10.1.1.5")).as("a pod").contains("local 10.1.1.5");
        a.space().ip("route", "del", "unreachable", "10.1.1.0/26", "metric", "4294967295");
        plan(NOTHING, NOTHING);
        assertThat(a.space().ip("route"))
                .as("before any plan it came back, and with a plan it stays")
                .contains("unreachable 10.1.1.0/26 proto 112 metric 4294967295");
        assertThat(repairs()).as("others' doing is told from the first plan on").isEmpty();
        a.space().ip("-6", "route", "del", "unreachable", "fd00:0:0:1::/122");
        assertThat(repairs()).hasSize(1);
        a.routes().ownBlocks(Set.of(a.block6()));
        a.settle();
        assertThat(a.space().ip("route"))
                .as("a block that is given back")
                .doesNotContain("unreachable")
                .contains("10.1.1.64 dev pw0");
        assertThat(a.space().ip("-6", "route")).contains("unreachable fd00:0:0:1::/122 dev lo proto 112");
        assertThat(repairs()).as("other blocks are no repair").isEmpty();
    }

    @Test
    void anotherAddressOrInterfaceOfTheNodeIsFollowed() {
        tunnels();
        plan(a.tunnelled(b), b.tunnelled(a));
        a.space().ip("addr", "del", "192.0.2.1/24", "dev", "under");
        a.space().ip("addr", "add", "192.0.2.11/24", "dev", "under");
        assertThat(repairs()).as("the node's administrator did it").isEmpty();
        assertThat(a.space().ip("-d", "addr", "show", "pwvx")).contains("local 192.0.2.11 dev under", "10.1.1.0/32");
        RoutePlan moved = new RoutePlan(
                List.of(),
                List.of(new RoutePlan.Tunnelled(
                        a.block(), a.block().address(), End.mac(1), IpAddress.parse("192.0.2.11"))));
        plan(a.tunnelled(b), moved);
        a.ping(b);
        // A bond, say, takes the name and the address.
        a.space().ip("addr", "flush", "dev", "under");
        a.space().ip("link", "set", "under", "down");
        a.space().ip("link", "set", "under", "name", "slave");
        a.space().ip("link", "add", "under", "type", "bridge");
        a.space().ip("link", "set", "slave", "master", "under", "up");
        a.space().ip("addr", "add", "192.0.2.11/24", "dev", "under");
        a.space().ip("link", "set", "under", "up");
        plan(a.tunnelled(b), moved);
        assertThat(a.space().ip("-d", "addr", "show", "pwvx"))
                .as("it does not leave by the link of the name before")
                .contains("local 192.0.2.11 dev under ");
        a.ping(b);
    }

    @Test
    void inDirectModeTheTunnelOfAnEarlierLifeGoes() {
        tunnels();
        plan(a.tunnelled(b), b.tunnelled(a));
        try (EventLoop loop = new EventLoop("routes-direct")) {
            RouteReconciler direct = new RouteReconciler(
                    a.host(),
                    loop,
                    new CurrentUnderlay(a.host(), new UnderlayChoice(List.of("under"), List.of())),
                    RouteMode.DIRECT,
                    new VxlanDevice.Settings(7470, 4789, End.mac(1)),
                    Set.of(IpFamily.V4, IpFamily.V6),
                    new Sysctl(Path.of("/proc/sys")));
            direct.plan(a.direct(b));
            loop.submit(() -> null).orTimeout(5, TimeUnit.SECONDS).join();
        }
        assertThat(a.space().ip("-br", "link")).doesNotContain("pwvx");
        plan(a.direct(b), b.direct(a));
        a.ping(b);
    }

    @Test
    void routesOfOthersStay() {
        a.space().ip("route", "add", "198.51.100.0/24", "via", "192.0.2.2");
        a.space().ip("link", "add", "pw0", "type", "bridge");
        a.space().ip("link", "set", "pw0", "up");
        a.space().ip("route", "add", "10.1.1.7/32", "dev", "pw0", "proto", "112");
        plan(a.direct(b), b.direct(a));
        plan(NOTHING, NOTHING);
        assertThat(a.space().ip("route")).contains("198.51.100.0/24", "10.1.1.7 dev pw0");
    }

    @Test
    void anotherTunnelAddressReplacesTheFirst() {
        tunnels();
        var _ = a.routes().tunnelAddresses(PodAddresses.of(IpAddress.parse("10.1.1.9")));
        a.settle();
        await().atMost(Duration.ofSeconds(2))
                .untilAsserted(() -> assertThat(a.space().ip("addr", "show", "pwvx"))
                        .contains("10.1.1.9/32")
                        .doesNotContain("10.1.1.0/32"));
    }

    @Test
    void aMovedNodeIsFollowed() {
        tunnels();
        plan(a.tunnelled(b), b.tunnelled(a));
        b.space().ip("addr", "add", "192.0.2.22/24", "dev", "under");
        RoutePlan moved = new RoutePlan(
                List.of(),
                List.of(new RoutePlan.Tunnelled(
                        b.block(), b.block().address(), End.mac(2), IpAddress.parse("192.0.2.22"))));
        plan(moved, b.tunnelled(a));
        assertThat(a.space().run("bridge", "fdb", "show", "dev", "pwvx"))
                .contains("dst 192.0.2.22")
                .doesNotContain("dst 192.0.2.2 ");
        a.ping(b);
    }
}

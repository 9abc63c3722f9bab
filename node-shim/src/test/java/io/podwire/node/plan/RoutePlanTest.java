package io.podwire.node.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.NodeName;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class RoutePlanTest {
    private static final List<UnderlayEnd> OWN = List.of(end("192.0.2.1"));
    private static final Set<IpFamily> V4 = Set.of(IpFamily.V4);
    private static final RemoteNode.Vtep VTEP =
            new RemoteNode.Vtep(MacAddress.parse("02:00:00:00:00:09"), IpAddress.parse("10.1.2.1"));
    private static final IpPrefix BLOCK = IpPrefix.parse("10.1.2.0/26");
    private static final IpPrefix OTHER = IpPrefix.parse("10.1.9.0/26");

    @Test
    void theModeDecidesBetweenTheLinkAndTheTunnel() {
        List<RemoteNode> others =
                List.of(node("192.0.2.7", Optional.of(VTEP), BLOCK), node("198.51.100.1", Optional.of(VTEP), OTHER));
        RoutePlan vxlan = RoutePlan.plan(RouteMode.VXLAN, OWN, V4, others);
        assertThat(vxlan.direct()).isEmpty();
        assertThat(vxlan.tunnelled())
                .extracting(RoutePlan.Tunnelled::destination)
                .containsExactly(BLOCK, OTHER);
        RoutePlan direct = RoutePlan.plan(RouteMode.DIRECT, OWN, V4, others);
        assertThat(direct.direct()).extracting(RoutePlan.Direct::destination).containsExactly(BLOCK);
        assertThat(direct.tunnelled())
                .as("the network's routers know the other subnet's")
                .isEmpty();
        assertThat(RouteMode.parse("cross-subnet")).isEqualTo(RouteMode.CROSS_SUBNET);
    }

    @Test
    void whoSharesTheSubnetIsReachedDirectlyEvenWithAVtep() {
        RoutePlan plan = RoutePlan.plan(
                RouteMode.CROSS_SUBNET, OWN, V4, List.of(node("192.0.2.7", Optional.of(VTEP), BLOCK, OTHER)));
        assertThat(plan.direct())
                .containsExactly(
                        new RoutePlan.Direct(BLOCK, IpAddress.parse("192.0.2.7")),
                        new RoutePlan.Direct(OTHER, IpAddress.parse("192.0.2.7")));
        assertThat(plan.tunnelled()).isEmpty();
    }

    @Test
    void whoDoesNotIsReachedThroughItsVtep() {
        RoutePlan plan =
                RoutePlan.plan(RouteMode.CROSS_SUBNET, OWN, V4, List.of(node("192.0.2.200", Optional.of(VTEP), BLOCK)));
        assertThat(plan.direct()).as("192.0.2.200 is outside of /25").isEmpty();
        assertThat(plan.tunnelled())
                .containsExactly(
                        new RoutePlan.Tunnelled(BLOCK, VTEP.address(), VTEP.mac(), IpAddress.parse("192.0.2.200")));
    }

    @Test
    void whoCannotBeReachedIsLeftOut() {
        assertThat(RoutePlan.plan(
                        RouteMode.CROSS_SUBNET, OWN, V4, List.of(node("198.51.100.1", Optional.empty(), BLOCK))))
                .isEqualTo(new RoutePlan(List.of(), List.of()));
        assertThat(RoutePlan.plan(RouteMode.CROSS_SUBNET, OWN, V4, List.of(node("192.0.2.7", Optional.of(VTEP)))))
                .as("a node that owns nothing")
                .isEqualTo(new RoutePlan(List.of(), List.of()));
    }

    // IPv6

    private static final Set<IpFamily> BOTH = Set.of(IpFamily.V4, IpFamily.V6);
    private static final IpPrefix BLOCK6 = IpPrefix.parse("fd00:1:2::/122");
    private static final UnderlayEnd OWN6 = new UnderlayEnd(IpAddress.parse("2001:db8::1"), 64);

    @Test
    void ipv6GoesDirectlyToWhoSharesTheIpv6Subnet() {
        RemoteNode other = new RemoteNode(
                new NodeName("other"),
                List.of(end("192.0.2.7"), new UnderlayEnd(IpAddress.parse("2001:db8::7"), 64)),
                Optional.of(VTEP),
                List.of(BLOCK, BLOCK6));
        RoutePlan plan = RoutePlan.plan(RouteMode.CROSS_SUBNET, List.of(end("192.0.2.1"), OWN6), BOTH, List.of(other));
        assertThat(plan.direct())
                .containsExactly(
                        new RoutePlan.Direct(BLOCK, IpAddress.parse("192.0.2.7")),
                        new RoutePlan.Direct(BLOCK6, IpAddress.parse("2001:db8::7")));
        assertThat(plan.tunnelled()).isEmpty();
    }

    @Test
    void ipv6GoesInVxlanWhereTheUnderlayHasNoneThatIsShared() {
        RoutePlan.Tunnelled tunnelled = new RoutePlan.Tunnelled(
                BLOCK6, IpAddress.parse("fe80::ff:fe00:9"), VTEP.mac(), IpAddress.parse("192.0.2.7"));
        RemoteNode v4 = node("192.0.2.7", Optional.of(VTEP), BLOCK, BLOCK6);
        RoutePlan plan = RoutePlan.plan(RouteMode.CROSS_SUBNET, OWN, BOTH, List.of(v4));
        assertThat(plan.direct()).containsExactly(new RoutePlan.Direct(BLOCK, IpAddress.parse("192.0.2.7")));
        assertThat(plan.tunnelled())
                .as("by IPv4, to the link-local address of the device's MAC address")
                .containsExactly(tunnelled);
        RemoteNode elsewhere = new RemoteNode(
                new NodeName("other"),
                List.of(end("192.0.2.7"), new UnderlayEnd(IpAddress.parse("2001:db8:0:9::7"), 64)),
                Optional.of(VTEP),
                List.of(BLOCK6));
        assertThat(RoutePlan.plan(RouteMode.CROSS_SUBNET, List.of(end("192.0.2.1"), OWN6), BOTH, List.of(elsewhere))
                        .tunnelled())
                .as("another IPv6 subnet")
                .containsExactly(tunnelled);
    }

    @Test
    void prefixesOfAFamilyThatPodsDoNotHaveAreLeftOut() {
        RemoteNode dual = node("192.0.2.200", Optional.of(VTEP), BLOCK, BLOCK6);
        assertThat(RoutePlan.plan(RouteMode.CROSS_SUBNET, OWN, V4, List.of(dual))
                        .tunnelled())
                .extracting(RoutePlan.Tunnelled::destination)
                .containsExactly(BLOCK);
        assertThat(RoutePlan.plan(RouteMode.CROSS_SUBNET, OWN, Set.of(IpFamily.V6), List.of(dual))
                        .tunnelled())
                .extracting(RoutePlan.Tunnelled::destination)
                .containsExactly(BLOCK6);
    }

    @Test
    void vxlanDoesNotLeadFromOneFamilyOfUnderlayToTheOther() {
        RemoteNode six = new RemoteNode(
                new NodeName("other"),
                List.of(new UnderlayEnd(IpAddress.parse("2001:db8:0:9::7"), 64)),
                Optional.of(VTEP),
                List.of(BLOCK, BLOCK6));
        assertThat(RoutePlan.plan(RouteMode.CROSS_SUBNET, OWN, BOTH, List.of(six))
                        .tunnelled())
                .isEmpty();
        assertThat(RoutePlan.plan(RouteMode.CROSS_SUBNET, List.of(OWN6), BOTH, List.of(six))
                        .tunnelled())
                .as("from IPv6 to IPv6 it does")
                .hasSize(2);
        RemoteNode.Vtep sixVtep = new RemoteNode.Vtep(VTEP.mac(), IpAddress.parse("fd00:1:2::1"));
        RemoteNode noV4 =
                new RemoteNode(new NodeName("other"), six.underlay(), Optional.of(sixVtep), List.of(BLOCK, BLOCK6));
        assertThat(RoutePlan.plan(RouteMode.CROSS_SUBNET, List.of(OWN6), BOTH, List.of(noV4))
                        .tunnelled())
                .as("IPv4 has no next hop on a device without")
                .extracting(RoutePlan.Tunnelled::destination)
                .containsExactly(BLOCK6);
    }

    @Test
    void listsAreCopied() {
        List<IpPrefix> prefixes = new ArrayList<>(List.of(BLOCK));
        RemoteNode node = new RemoteNode(new NodeName("n"), List.of(end("192.0.2.7")), Optional.empty(), prefixes);
        prefixes.clear();
        assertThat(node.prefixes()).containsExactly(BLOCK);
    }

    private static UnderlayEnd end(String address) {
        return new UnderlayEnd(IpAddress.parse(address), 25);
    }

    private static RemoteNode node(String underlay, Optional<RemoteNode.Vtep> vtep, IpPrefix... prefixes) {
        return new RemoteNode(new NodeName("other"), List.of(end(underlay)), vtep, List.of(prefixes));
    }
}

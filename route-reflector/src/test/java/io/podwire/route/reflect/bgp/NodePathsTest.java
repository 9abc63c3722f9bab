package io.podwire.route.reflect.bgp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.route.Routes;
import io.podwire.route.bgp.message.Community;
import io.podwire.route.rib.AnnounceResult;
import io.podwire.route.rib.NodeRoute;
import io.podwire.route.rib.Overlay;
import io.podwire.route.rib.Presence;
import io.podwire.route.rib.RibEntry;
import io.podwire.route.rib.RibRules;
import io.podwire.route.rib.RouteTable;
import io.podwire.route.rib.ServiceAddresses;
import io.podwire.route.rib.bgp.BgpPath;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class NodePathsTest {
    private static final IpPrefix AGGREGATE = IpPrefix.parse("10.8.0.0/16");
    private static final IpPrefix SERVICES = IpPrefix.parse("10.9.0.0/24");
    private static final IpPrefix SERVICE = IpPrefix.parse("10.9.0.7/32");
    private static final Origination ORIGINATION = new Origination(List.of(AGGREGATE), List.of(SERVICES));

    @Test
    void anAggregateLeadsToWhoHoldsSomeOfItAndServicesToAll() {
        NodePaths paths = paths(table(node("a", 51, "10.8.1.0/26"), node("b", 52, "10.1.0.0/26")), Set.of());
        assertThat(paths.held().keySet()).containsExactly(IpPrefix.parse("10.1.0.0/26"), IpPrefix.parse("10.8.1.0/26"));
        assertThat(nextHops(paths, AGGREGATE)).containsExactly("192.0.2.51");
        assertThat(nextHops(paths, SERVICES)).containsExactly("192.0.2.51", "192.0.2.52");
        assertThat(paths(table(node("b", 52, "10.1.0.0/26")), Set.of()).told()).containsOnlyKeys(SERVICES);
        assertThat(paths(RouteTable.EMPTY, Set.of()).told()).isEmpty();
    }

    @Test
    void whoIsAwayIsNoWayWhileAnotherIsThere() {
        RouteTable both = table(node("a", 51), node("b", 52));
        RouteTable without = gone(both, "a");
        assertThat(nextHops(paths(without, Set.of()), SERVICES)).containsExactly("192.0.2.52");
        assertThat(nextHops(paths(gone(without, "b"), Set.of()), SERVICES))
                .as("last known")
                .containsExactly("192.0.2.51", "192.0.2.52");
    }

    @Test
    void anAggregateThatOneNodeHoldsWholeIsItsOwn() {
        NodePaths paths = paths(table(node("a", 51, "10.8.0.0/16"), node("b", 52)), Set.of());
        assertThat(paths.told()).containsOnlyKeys(SERVICES);
        assertThat(ORIGINATION.replaces(AGGREGATE)).as("it is told").isFalse();
        assertThat(ORIGINATION.replaces(IpPrefix.parse("10.8.0.0/17"))).isTrue();
        assertThat(ORIGINATION.replaces(IpPrefix.parse("10.0.0.0/8"))).isFalse();
    }

    @Test
    void anAddressOfAServiceLeadsToWhoServesItAlone() {
        RouteTable table = served(
                table(node("a", 51), node("b", 52), node("c", 53)),
                Map.of("a", List.of("10.9.0.7", "fd09::7"), "c", List.of("10.9.0.7")));
        NodePaths paths = paths(table, Set.of());
        assertThat(nextHops(paths.served(), SERVICE)).containsExactly("192.0.2.51", "192.0.2.53");
        assertThat(nextHops(paths, SERVICES)).as("all").containsExactly("192.0.2.51", "192.0.2.52", "192.0.2.53");
        assertThat(paths.served()).as("a has no IPv6 address on the underlay").containsOnlyKeys(SERVICE);
        assertThat(paths.all()).containsOnlyKeys(SERVICE, SERVICES);
        assertThat(nextHops(paths(gone(table, "a"), Set.of()).served(), SERVICE))
                .as("until it is stale, as its own prefixes")
                .containsExactly("192.0.2.51", "192.0.2.53");
        assertThat(paths(table, Set.of(new NodeName("a"))).served().get(SERVICE))
                .extracting(path -> path.attributes().communities())
                .containsExactly(List.of(Community.GRACEFUL_SHUTDOWN), List.of());
    }

    @Test
    void noAggregateIsToldInPlaceOfAnAddressOfAService() {
        RouteTable table = served(table(node("a", 51), node("b", 52)), Map.of("a", List.of("10.8.0.7", "10.9.0.7")));
        Origination wide = new Origination(List.of(AGGREGATE), List.of(AGGREGATE, SERVICE));
        NodePaths paths = NodePaths.of(table, wide, Set.of());
        assertThat(paths.served()).containsOnlyKeys(IpPrefix.parse("10.8.0.7/32"), SERVICE);
        assertThat(paths.told()).as("the address itself is told of its nodes").containsOnlyKeys(AGGREGATE);
    }

    @Test
    void aPodsAddressIsNobodysToServe() {
        RouteTable table = served(
                table(node("a", 51, "10.9.0.0/26", "10.9.0.65/32"), node("b", 52)),
                Map.of("b", List.of("10.9.0.0", "10.9.0.63", "10.9.0.65", "10.9.0.64")));
        assertThat(paths(table, Set.of()).served()).containsOnlyKeys(IpPrefix.parse("10.9.0.64/32"));
    }

    @Test
    void whatOverlapsIsRefused() {
        assertThatThrownBy(() -> new Origination(List.of(AGGREGATE, IpPrefix.parse("10.8.1.0/24")), List.of()))
                .hasMessageContaining("--bgp-aggregates");
        assertThatThrownBy(() -> new Origination(List.of(), List.of(SERVICES, SERVICES)))
                .hasMessageContaining("--bgp-services");
    }

    private static NodePaths paths(RouteTable table, Set<NodeName> leaving) {
        return NodePaths.of(table, ORIGINATION, leaving);
    }

    private static List<String> nextHops(NodePaths paths, IpPrefix prefix) {
        return nextHops(paths.told(), prefix);
    }

    private static List<String> nextHops(Map<IpPrefix, List<BgpPath>> paths, IpPrefix prefix) {
        return paths.get(prefix).stream()
                .map(BgpPath::nextHop)
                .map(IpAddress::toString)
                .toList();
    }

    private static NodeRoute node(String name, int number, String... prefixes) {
        return new NodeRoute(
                new NodeName(name),
                IpAddress.parse("192.0.2." + number),
                24,
                new Overlay.None(),
                Stream.of(prefixes).map(IpPrefix::parse).toList());
    }

    private static RouteTable table(NodeRoute... nodes) {
        RouteTable table = RouteTable.EMPTY;
        for (NodeRoute node : nodes) {
            table = ((AnnounceResult.Accepted) RibRules.announce(
                            table, Routes.epoch(node.node().value(), 1), node, new ServiceAddresses.Unknown()))
                    .table();
        }
        return table;
    }

    private static RouteTable served(RouteTable table, Map<String, List<String>> services) {
        TreeMap<NodeName, RibEntry> entries = new TreeMap<>(table.entries());
        services.forEach((node, addresses) -> entries.computeIfPresent(
                new NodeName(node),
                (_, entry) -> new RibEntry(
                        entry.epoch(),
                        entry.route(),
                        addresses.stream().map(IpAddress::parse).toList(),
                        entry.presence())));
        return new RouteTable(entries);
    }

    private static RouteTable gone(RouteTable table, String node) {
        TreeMap<NodeName, RibEntry> entries = new TreeMap<>(table.entries());
        entries.computeIfPresent(
                new NodeName(node),
                (_, entry) ->
                        new RibEntry(entry.epoch(), entry.route(), entry.services(), new Presence.Gone(Duration.ZERO)));
        return new RouteTable(entries);
    }
}

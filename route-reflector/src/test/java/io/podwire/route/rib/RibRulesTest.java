package io.podwire.route.rib;

import static io.podwire.route.Routes.epoch;
import static io.podwire.route.Routes.route;
import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.NodeName;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class RibRulesTest {
    private static final Duration NOW = Duration.ofHours(1);
    private static final Duration STALE = Duration.ofMinutes(2);
    private static final NodeName A = new NodeName("a");

    @Test
    void announcementReplacesWhatTheNodeAnnouncedBefore() {
        RouteTable first = accepted(RouteTable.EMPTY, epoch("a", 1), route("a", "10.1.0.0/26", "10.1.0.64/26"))
                .table();

        var second = accepted(first, epoch("a", 1), route("a", "10.1.0.64/26"));

        assertThat(second.delta()).isEqualTo(new RibDelta(List.of(route("a", "10.1.0.64/26")), List.of()));
        assertThat(second.table().seenBy(new NodeName("b"))).containsExactly(route("a", "10.1.0.64/26"));
    }

    @Test
    void whatIsNotANodesOwnIsWithdrawnOfWhoeverHoldsIt() {
        RouteTable table = accepted(RouteTable.EMPTY, epoch("a", 1), route("a", "10.1.0.0/26", "10.1.0.64/26"))
                .table();
        table = accepted(table, epoch("b", 1), route("b", "10.2.0.0/26")).table();
        table = accepted(table, epoch("c", 1), route("c", "10.3.0.0/26")).table();
        table = RibRules.streamEnded(table, epoch("b", 1), NOW);

        var kept = RibRules.keep(
                table,
                (life, prefix) -> life.equals(epoch("c", 1)) || prefix.equals(IpPrefix.parse("10.1.0.64/26")),
                (_, _) -> true);

        assertThat(kept.delta())
                .isEqualTo(new RibDelta(List.of(route("a", "10.1.0.64/26")), List.of(new NodeName("b"))));
        assertThat(kept.table().entry(new NodeName("b")).orElseThrow().connected())
                .as("it may come back")
                .isFalse();
        assertThat(RibRules.keep(kept.table(), (_, _) -> true, (_, _) -> true))
                .isEqualTo(new RibRules.Change(kept.table(), RibDelta.NONE, false));
    }

    @Test
    void aNodeWithoutTheBlockOfItsTunnelIsReachedAllTheSame() {
        MacAddress mac = MacAddress.parse("02:00:00:00:00:01");
        NodeRoute route = new NodeRoute(
                A,
                IpAddress.parse("192.0.2.1"),
                24,
                new Overlay.Vxlan(mac, IpAddress.parse("10.1.0.3")),
                List.of(IpPrefix.parse("10.0.0.9/32"), IpPrefix.parse("10.1.0.0/26"), IpPrefix.parse("10.2.0.0/26")));

        assertThat(route.with(_ -> true)).isSameAs(route);
        assertThat(route.with(prefix -> prefix.length() == 26).overlay()).isEqualTo(route.overlay());
        assertThat(route.with(prefix -> !prefix.equals(IpPrefix.parse("10.1.0.0/26"))))
                .isEqualTo(new NodeRoute(
                        A,
                        IpAddress.parse("192.0.2.1"),
                        24,
                        new Overlay.Vxlan(mac, IpAddress.parse("10.2.0.0")),
                        List.of(IpPrefix.parse("10.0.0.9/32"), IpPrefix.parse("10.2.0.0/26"))));
        assertThat(route.with(_ -> false).overlay()).isEqualTo(new Overlay.None());
    }

    @Test
    void announcingTheSameAgainChangesNothingForReaders() {
        RouteTable table = accepted(RouteTable.EMPTY, epoch("a", 1), route("a", "10.1.0.0/26"))
                .table();

        var restarted = accepted(table, epoch("a", 2), route("a", "10.1.0.0/26"));

        assertThat(restarted.delta()).isEqualTo(RibDelta.NONE);
        assertThat(restarted.table().entry(A).orElseThrow().epoch().counter()).isEqualTo(2);
    }

    @Test
    void announcementWithoutPrefixesWithdraws() {
        RouteTable table = accepted(RouteTable.EMPTY, epoch("a", 1), route("a", "10.1.0.0/26"))
                .table();

        var withdrawn = accepted(table, epoch("a", 1), route("a"));

        assertThat(withdrawn.delta()).isEqualTo(new RibDelta(List.of(), List.of(A)));
        assertThat(withdrawn.table().seenBy(new NodeName("b"))).isEmpty();
        assertThat(withdrawn.table().entry(A)).as("the node is still known").isPresent();
    }

    @Test
    void firstAnnouncementWithoutPrefixesIsNoNews() {
        assertThat(accepted(RouteTable.EMPTY, epoch("a", 1), route("a")).delta())
                .isEqualTo(RibDelta.NONE);
    }

    @Test
    void earlierStartIsRefusedEvenWhileTheLaterOneIsGone() {
        RouteTable table = accepted(RouteTable.EMPTY, epoch("a", 2), route("a", "10.1.0.0/26"))
                .table();

        assertThat(announce(table, epoch("a", 1), route("a"))).isEqualTo(new AnnounceResult.StaleEpoch(epoch("a", 2)));
        assertThat(announce(RibRules.streamEnded(table, epoch("a", 2), NOW), epoch("a", 1), route("a")))
                .isEqualTo(new AnnounceResult.StaleEpoch(epoch("a", 2)));
    }

    @Test
    void otherInstallationTakesANameOnlyWhileItIsNotConnected() {
        RouteTable table = accepted(RouteTable.EMPTY, epoch("a", 7), route("a", "10.1.0.0/26"))
                .table();
        NodeEpoch reinstalled = new NodeEpoch(A, "another", "boot", 1);

        assertThat(announce(table, reinstalled, route("a"))).isEqualTo(new AnnounceResult.NameTaken(epoch("a", 7)));
        assertThat(accepted(RibRules.streamEnded(table, epoch("a", 7), NOW), reinstalled, route("a"))
                        .table()
                        .entry(A)
                        .orElseThrow()
                        .epoch())
                .isEqualTo(reinstalled);
    }

    @Test
    void copiedDiskIsAnotherInstallation() {
        RouteTable table = accepted(RouteTable.EMPTY, epoch("a", 3), route("a")).table();
        NodeEpoch copy = new NodeEpoch(A, "uid-a", "another-boot", 3);

        assertThat(announce(table, copy, route("a"))).isEqualTo(new AnnounceResult.NameTaken(epoch("a", 3)));
    }

    @Test
    void prefixOfAnotherNodeIsRefusedWhetherItIsInsideAroundOrTheSame() {
        RouteTable table = accepted(RouteTable.EMPTY, epoch("a", 1), route("a", "10.1.0.0/24"))
                .table();
        table = RibRules.streamEnded(table, epoch("a", 1), NOW);

        for (String asked : List.of("10.1.0.0/24", "10.1.0.64/26", "10.1.0.0/16")) {
            assertThat(announce(table, epoch("b", 1), route("b", "10.2.0.0/26", asked)))
                    .as("the holder's stream being down frees nothing")
                    .isEqualTo(new AnnounceResult.PrefixTaken(IpPrefix.parse(asked), IpPrefix.parse("10.1.0.0/24"), A));
        }
    }

    @Test
    void onlyTheStreamOfTheKnownEpochEndsANode() {
        RouteTable table = accepted(RouteTable.EMPTY, epoch("a", 2), route("a")).table();

        assertThat(RibRules.streamEnded(table, epoch("a", 1), NOW)).isEqualTo(table);
        assertThat(RibRules.streamEnded(table, epoch("a", 2), NOW)
                        .entry(A)
                        .orElseThrow()
                        .connected())
                .isFalse();
    }

    @Test
    void goneNodeIsForgottenAtTheStaleTimeAndNotBefore() {
        RouteTable table = accepted(RouteTable.EMPTY, epoch("a", 1), route("a", "10.1.0.0/26"))
                .table();
        table = accepted(table, epoch("b", 1), route("b", "10.1.0.64/26")).table();
        table = RibRules.streamEnded(table, epoch("a", 1), NOW);

        assertThat(RibRules.sweep(table, NOW.plus(STALE).minusNanos(1), STALE))
                .isEqualTo(new RibRules.Change(table, RibDelta.NONE, false));

        RibRules.Change swept = RibRules.sweep(table, NOW.plus(STALE), STALE);
        assertThat(swept.delta()).isEqualTo(new RibDelta(List.of(), List.of(A)));
        assertThat(swept.table().entries()).containsOnlyKeys(new NodeName("b"));
    }

    @Test
    void addressesOfServicesMayHaveSeveralNodesAndReadersSeeNothingOfThem() {
        var first = accepted(RouteTable.EMPTY, epoch("a", 1), serves("203.0.113.9", "203.0.113.4", "203.0.113.9"));
        assertThat(first.services()).isTrue();
        assertThat(first.delta()).isEqualTo(RibDelta.NONE);
        assertThat(served(first.table(), "a")).as("sorted").containsExactly("203.0.113.4", "203.0.113.9");
        var second = accepted(first.table(), epoch("b", 1), serves("203.0.113.9"));
        assertThat(second.services()).isTrue();
        assertThat(served(second.table(), "b")).containsExactly("203.0.113.9");
        var again = accepted(second.table(), epoch("b", 1), serves("203.0.113.9"));
        assertThat(again.services()).as("the same again").isFalse();
        var withdrawn = accepted(again.table(), epoch("b", 1), serves());
        assertThat(withdrawn.services()).isTrue();
        assertThat(served(withdrawn.table(), "b")).isEmpty();
        assertThat(served(withdrawn.table(), "a")).hasSize(2);
    }

    @Test
    void whoDoesNotKnowYetKeepsWhatItServedBeforeInTheSameBootAlone() {
        NodeEpoch before = new NodeEpoch(A, "uid", "boot", 1);
        RouteTable table =
                accepted(RouteTable.EMPTY, before, serves("203.0.113.9")).table();
        table = RibRules.streamEnded(table, before, NOW);
        assertThat(served(table, "a"))
                .as("the end of a stream withdraws nothing")
                .containsExactly("203.0.113.9");

        var restarted = accepted(table, new NodeEpoch(A, "uid", "boot", 2), new ServiceAddresses.Unknown());
        assertThat(restarted.services()).isFalse();
        assertThat(served(restarted.table(), "a")).containsExactly("203.0.113.9");
        var booted = accepted(table, new NodeEpoch(A, "uid", "other", 2), new ServiceAddresses.Unknown());
        assertThat(booted.services()).isTrue();
        assertThat(served(booted.table(), "a")).as("its kernel has forgotten").isEmpty();
        var reinstalled = accepted(table, new NodeEpoch(A, "new", "boot", 1), new ServiceAddresses.Unknown());
        assertThat(served(reinstalled.table(), "a")).isEmpty();
        assertThat(RibRules.sweep(table, NOW.plus(STALE), STALE))
                .isEqualTo(new RibRules.Change(RouteTable.EMPTY, new RibDelta(List.of(), List.of(A)), true));
    }

    @Test
    void whatALifeMayNotServeIsWithdrawnWithoutItsPrefixes() {
        RouteTable table = accepted(RouteTable.EMPTY, epoch("a", 1), serves("203.0.113.9", "203.0.113.4"))
                .table();
        table = RibRules.streamEnded(table, epoch("a", 1), NOW);
        var kept = RibRules.keep(table, (_, _) -> true, (_, address) -> address.equals(IpAddress.parse("203.0.113.4")));
        assertThat(kept.delta()).isEqualTo(RibDelta.NONE);
        assertThat(kept.services()).isTrue();
        assertThat(served(kept.table(), "a")).containsExactly("203.0.113.4");
    }

    private static ServiceAddresses serves(String... addresses) {
        return new ServiceAddresses.Of(
                Stream.of(addresses).map(IpAddress::parse).toList());
    }

    private static List<String> served(RouteTable table, String node) {
        return table.entry(new NodeName(node)).orElseThrow().services().stream()
                .map(IpAddress::toString)
                .toList();
    }

    private static AnnounceResult.Accepted accepted(RouteTable table, NodeEpoch epoch, ServiceAddresses services) {
        return (AnnounceResult.Accepted)
                RibRules.announce(table, epoch, route(epoch.node().value()), services);
    }

    private static AnnounceResult announce(RouteTable table, NodeEpoch epoch, NodeRoute route) {
        return RibRules.announce(table, epoch, route, new ServiceAddresses.Unknown());
    }

    private static AnnounceResult.Accepted accepted(RouteTable table, NodeEpoch epoch, NodeRoute route) {
        return (AnnounceResult.Accepted) announce(table, epoch, route);
    }
}

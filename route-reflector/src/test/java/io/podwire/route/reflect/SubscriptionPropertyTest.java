package io.podwire.route.reflect;

import static io.podwire.route.Routes.epoch;
import static io.podwire.route.Routes.route;
import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.route.rib.AnnounceResult;
import io.podwire.route.rib.NodeRoute;
import io.podwire.route.rib.RibDelta;
import io.podwire.route.rib.RibRules;
import io.podwire.route.rib.RouteTable;
import io.podwire.route.rib.ServiceAddresses;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SubscriptionPropertyTest {
    private static final int NODES = 6;
    private static final NodeName READER = new NodeName("n0");
    private static final Duration STALE = Duration.ofSeconds(3);

    @Test
    void whatAReaderWasToldIsTheTableHoweverSlowlyItReads() {
        Seeds.forEach(SubscriptionPropertyTest.class, 500, random -> {
            RouteTable table = RouteTable.EMPTY;
            Subscription subscription = new Subscription(READER);
            Map<NodeName, NodeRoute> told = new TreeMap<>();
            long sequence = 0;
            Duration now = Duration.ZERO;
            for (int step = 0; step < 60; step++) {
                now = now.plusSeconds(1);
                RibRules.Change change = random(table, now, random);
                table = change.table();
                subscription.changed(change.delta().nodes());
                assertNoAddressTwice(table);
                while (random.nextInt(3) == 0) {
                    ReaderUpdate update = subscription.next(table).orElse(null);
                    if (update == null) {
                        break;
                    }
                    assertThat(update.sequence()).isEqualTo(++sequence);
                    read(update, told);
                }
            }
            subscription.next(table).ifPresent(update -> read(update, told));

            assertThat(List.copyOf(told.values())).isEqualTo(table.seenBy(READER));
            assertThat(subscription.next(table))
                    .as("one message is enough to catch up")
                    .isEmpty();
        });
    }

    private static RibRules.Change random(RouteTable table, Duration now, RandomGenerator random) {
        String node = "n" + random.nextInt(NODES);
        return switch (random.nextInt(4)) {
            case 0 ->
                new RibRules.Change(
                        RibRules.streamEnded(table, epoch(node, 1 + random.nextInt(2)), now), RibDelta.NONE, false);
            case 1 -> RibRules.sweep(table, now, STALE);
            default -> {
                String[] prefixes = IntStream.range(0, 8)
                        .filter(_ -> random.nextInt(4) == 0)
                        .mapToObj(i -> "10.0.0." + 32 * i + "/27")
                        .toArray(String[]::new);
                yield switch (RibRules.announce(
                        table,
                        epoch(node, 1 + random.nextInt(2)),
                        route(node, prefixes),
                        new ServiceAddresses.Unknown())) {
                    case AnnounceResult.Accepted(RouteTable next, RibDelta delta, boolean services) ->
                        new RibRules.Change(next, delta, services);
                    case AnnounceResult.StaleEpoch _, AnnounceResult.NameTaken _, AnnounceResult.PrefixTaken _ ->
                        new RibRules.Change(table, RibDelta.NONE, false);
                };
            }
        };
    }

    private static void assertNoAddressTwice(RouteTable table) {
        List<String> held = new ArrayList<>();
        table.entries().values().forEach(e -> e.route().prefixes().forEach(p -> held.add(p.toString())));
        assertThat(held).as("one holder for each prefix").doesNotHaveDuplicates();
    }

    private static void read(ReaderUpdate update, Map<NodeName, NodeRoute> told) {
        switch (update) {
            case ReaderUpdate.Full(long _, List<NodeRoute> routes) -> {
                told.clear();
                routes.forEach(route -> told.put(route.node(), route));
            }
            case ReaderUpdate.Delta(long _, RibDelta(List<NodeRoute> updated, List<NodeName> removed)) -> {
                updated.forEach(route -> told.put(route.node(), route));
                removed.forEach(told::remove);
            }
            case ReaderUpdate.Refused _ -> {}
        }
    }
}

package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.node.plan.RemoteNode;
import io.podwire.node.plan.UnderlayEnd;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

final class RouteMirrorTest {
    private static final Duration T0 = Duration.ofSeconds(5000);

    private static final Duration STALE_AFTER = Duration.ofMinutes(2);

    private long heard;
    private final RouteMirror mirror = new RouteMirror(STALE_AFTER, () -> ++heard);

    @Test
    void aFullStateOfTheSameEpochRemovesWhatItDoesNotName() {
        mirror.full("e1", List.of(node(1, 1), node(2, 1)), T0);
        mirror.full("e1", List.of(node(2, 1)), T0);
        assertThat(mirror.nodes()).containsExactly(node(2, 1));
    }

    @Test
    void aReturnedReflectorRemovesNothingFor120Seconds() {
        mirror.full("e1", List.of(node(1, 1), node(2, 1)), T0);
        mirror.full("e2", List.of(node(2, 2)), T0.plusSeconds(10));
        assertThat(mirror.nodes()).as("known last, and changed").containsExactly(node(1, 1), node(2, 2));

        assertThat(mirror.sweep(T0.plusSeconds(130).minusNanos(1)))
                .as("a nanosecond early")
                .isEmpty();
        assertThat(mirror.nodes()).hasSize(2);
        assertThat(mirror.sweep(T0.plusSeconds(130)))
                .as("120 s after the return")
                .containsExactly(new NodeName("node-1"));
        assertThat(mirror.nodes()).containsExactly(node(2, 2));
        assertThat(mirror.sweep(T0.plusSeconds(1000)))
                .as("nothing left to drop")
                .isEmpty();
    }

    @Test
    void whoIsNamedInTimeStays() {
        mirror.full("e1", List.of(node(1, 1), node(2, 1), node(3, 1)), T0);
        mirror.full("e2", List.of(), T0);
        mirror.delta(List.of(node(1, 1)), List.of());
        mirror.full("e2", List.of(node(1, 1), node(2, 1)), T0.plusSeconds(60));
        assertThat(mirror.nodes())
                .as("another full state of the new epoch drops no stale one early")
                .hasSize(3);
        mirror.sweep(T0.plusSeconds(500));
        assertThat(mirror.nodes()).containsExactly(node(1, 1), node(2, 1));
    }

    @Test
    void aReflectorThatRestartsAgainDoesNotExtendTheWait() {
        mirror.full("e1", List.of(node(1, 1)), T0);
        mirror.full("e2", List.of(), T0);
        mirror.full("e3", List.of(), T0.plusSeconds(100));
        assertThat(mirror.sweep(T0.plusSeconds(120))).isNotEmpty();
        assertThat(mirror.nodes()).isEmpty();
    }

    @Test
    void anExplicitWithdrawalRemovesAStaleRouteAtOnce() {
        mirror.full("e1", List.of(node(1, 1)), T0);
        mirror.full("e2", List.of(), T0);
        mirror.delta(List.of(), List.of(new NodeName("node-1")));
        assertThat(mirror.nodes()).isEmpty();
    }

    /** A mirror fed by any stream of one epoch has the sender's state after each update. */
    @Test
    void withinAnEpochItEqualsTheSender() {
        Seeds.forEach(RouteMirrorTest.class, 200, random -> {
            RouteMirror any = new RouteMirror(STALE_AFTER, () -> ++heard);
            Map<NodeName, RemoteNode> sender = new TreeMap<>();
            Duration now = T0;
            for (int step = 0; step < 60; step++) {
                now = now.plusSeconds(random.nextInt(100));
                List<RemoteNode> updated = new ArrayList<>();
                List<NodeName> removed = new ArrayList<>();
                for (int n = 0; n < 5; n++) {
                    RemoteNode next = node(n, random.nextInt(3));
                    switch (random.nextInt(4)) {
                        case 0 -> {
                            sender.put(next.node(), next);
                            updated.add(next);
                        }
                        case 1 -> {
                            sender.remove(next.node());
                            removed.add(next.node());
                        }
                        default -> {}
                    }
                }
                if (step == 0 || random.nextInt(4) == 0) {
                    any.full("e", List.copyOf(sender.values()), now);
                } else {
                    any.delta(updated, removed);
                }
                any.sweep(now);
                assertThat(any.nodes()).as("step %d", step).containsExactlyElementsOf(sender.values());
            }
        });
    }

    /** Over any epochs: nobody that was ever named goes without a withdrawal within 120 s of a new epoch. */
    @Test
    void acrossEpochsNothingGoesEarlyAndNothingStaysForEver() {
        Seeds.forEach(RouteMirrorTest.class, 200, random -> {
            RouteMirror any = new RouteMirror(STALE_AFTER, () -> ++heard);
            Map<NodeName, Duration> absentSince = new HashMap<>();
            Map<NodeName, RemoteNode> last = new HashMap<>();
            Duration now = T0;
            for (int epoch = 0; epoch < 40; epoch++) {
                now = now.plusSeconds(random.nextInt(90));
                List<RemoteNode> named = new ArrayList<>();
                for (int n = 0; n < 5; n++) {
                    if (random.nextInt(3) == 0) {
                        named.add(node(n, random.nextInt(3)));
                    }
                }
                any.full("e" + epoch, named, now);
                Duration moment = now;
                named.forEach(r -> last.put(r.node(), r));
                last.keySet().forEach(n -> absentSince.putIfAbsent(n, moment));
                named.forEach(r -> absentSince.remove(r.node()));
                any.sweep(now);
                last.keySet()
                        .removeIf(n -> absentSince.containsKey(n)
                                && moment.minus(absentSince.get(n)).compareTo(STALE_AFTER) >= 0
                                && absentSince.remove(n) != null);
                assertThat(any.nodes()).as("epoch %d", epoch).containsExactlyInAnyOrderElementsOf(last.values());
            }
        });
    }

    private static RemoteNode node(int number, int version) {
        return new RemoteNode(
                new NodeName("node-" + number),
                List.of(new UnderlayEnd(IpAddress.parse("192.0.2." + (10 + version)), 24)),
                Optional.empty(),
                List.of(IpPrefix.parse("10.1." + number + ".0/26")));
    }
}

package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.node.dataplane.DriftWatch.Part;
import io.podwire.node.dataplane.DriftWatch.Result;
import io.podwire.node.netlink.NftEvent;
import io.podwire.node.netlink.RtnetlinkEvent;
import io.podwire.node.nft.backend.NftException;
import io.podwire.node.nft.model.Command;
import io.podwire.node.plan.Masquerade;
import io.podwire.node.plan.RulesetPlanner;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class DriftWatchTest {
    private static final Duration LIMIT = Duration.ofSeconds(1);
    private static final int BRIDGE = 7;

    private final EventLoop rules = new EventLoop("rules-test");
    private final EventLoop loop = new EventLoop("drift-test");
    private final WatchedNft nft = new WatchedNft();
    private final RulesetReconciler ruleset =
            new RulesetReconciler(nft, rules, Set.of(IpFamily.V4), 4789, Masquerade.NONE);
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();

    /** What looks at pods give, in turn; nothing found when there is no more. */
    private final Queue<DriftWatch.Look> pods = new ConcurrentLinkedQueue<>();

    private final AtomicInteger podLooks = new AtomicInteger();
    private final AtomicInteger bridgeLooks = new AtomicInteger();
    private final ArrayDeque<Part> order = new ArrayDeque<>();

    private final DriftWatch watch = new DriftWatch(
            loop,
            TimeSource.SYSTEM,
            () -> new DriftWatch.Wanted(List.of(), BRIDGE, 1450, 2, 3, Set.of()),
            ruleset,
            Map.of(
                    Part.SETTINGS, () -> Result.of(List.of()),
                    Part.BRIDGE,
                            () -> {
                                bridgeLooks.incrementAndGet();
                                order.add(Part.BRIDGE);
                                return Result.of(List.of());
                            },
                    Part.PODS,
                            () -> {
                                podLooks.incrementAndGet();
                                order.add(Part.PODS);
                                DriftWatch.Look next = pods.poll();
                                return next == null ? Result.of(List.of()) : next.look();
                            },
                    Part.ROUTES, () -> Result.of(List.of())),
            meters);

    @AfterEach
    void stop() {
        loop.close();
        rules.close();
    }

    /** Returns when everything that was asked before is done. */
    private void settle() {
        loop.submit(() -> null).join();
    }

    private double repairs(String kind) {
        var counter = meters.find("podwire.drift.repairs").tag("kind", kind).counter();
        return counter == null ? 0 : counter.count();
    }

    private static NftEvent changed(String family, String table, boolean ours) {
        return new NftEvent.TableChanged(family, table, ours, "nft (7)");
    }

    @Test
    void theFirstLookIsAtEverythingTheBridgeBeforeItsPorts() {
        ruleset.start(List.of(), Optional.empty());
        watch.start();
        await().atMost(LIMIT).until(() -> podLooks.get() == 1);
        settle();
        assertThat(order).containsExactly(Part.BRIDGE, Part.PODS);
    }

    @Test
    void aForeignTransactionInATableOfOursIsAnsweredByWritingItAnew() throws NftException {
        ruleset.start(List.of(), Optional.empty());
        nft.foreign(new Command.DeleteTable(RulesetPlanner.POLICY_TABLE));
        watch.told(changed("inet", "podwire", false));
        await().atMost(LIMIT).until(() -> repairs("nft") == 1);
        assertThat(nft.list(RulesetPlanner.POLICY_TABLE)).isPresent();
    }

    @Test
    void neitherOwnTransactionsNorOthersTablesAreAReasonToLook() {
        ruleset.start(List.of(), Optional.empty());
        int before = nft.asked().size();
        watch.told(changed("inet", "podwire", true));
        watch.told(changed("inet", "other", false));
        watch.told(changed("ip", "podwire", false));
        // A look that is due would be made before this one's answer.
        watch.told(changed("bridge", "podwire", false));
        await().atMost(LIMIT).until(() -> repairs("nft") == 1);
        assertThat(nft.asked()).as("transactions").hasSize(before + 1);
    }

    @Test
    void aFloodOfEventsIsAFewLooks() {
        long began = System.nanoTime();
        int told = 0;
        while (System.nanoTime() - began < Duration.ofMillis(500).toNanos()) {
            watch.told(new RtnetlinkEvent.LinkGone(BRIDGE));
            told++;
        }
        await().atMost(LIMIT).until(() -> podLooks.get() > 0);
        settle();
        assertThat(bridgeLooks.get())
                .as("looks in half a second, for %d events", told)
                .isBetween(1, 7);
    }

    @Test
    void anEventThatSaysWhatHasToBeIsNoReasonToLook() {
        watch.told(new RtnetlinkEvent.LinkGone(BRIDGE + 1));
        watch.told(new RtnetlinkEvent.LinkGone(BRIDGE));
        await().atMost(LIMIT).until(() -> bridgeLooks.get() == 1);
        watch.told(new RtnetlinkEvent.LinkGone(BRIDGE + 1));
        watch.told(new RtnetlinkEvent.LinkGone(2));
        await().pollDelay(DriftWatch.GAP.multipliedBy(3)).until(() -> true);
        settle();
        assertThat(bridgeLooks.get()).isEqualTo(1);
    }

    @Test
    void afterALossEverythingIsLookedAt() {
        ruleset.start(List.of(), Optional.empty());
        watch.told(new RtnetlinkEvent.Lost());
        await().atMost(LIMIT).until(() -> podLooks.get() == 1 && bridgeLooks.get() == 1);
    }

    @Test
    void whatIsBeingWorkedOnIsLookedAtAgain() {
        pods.add(() -> new Result(List.of(), List.of(), true));
        pods.add(() -> new Result(List.of(), List.of(), true));
        watch.told(new RtnetlinkEvent.LinkGone(BRIDGE));
        await().atMost(LIMIT).until(() -> podLooks.get() == 3);
    }

    @Test
    void aLookThatFailsIsMadeAgainAndRepairsAreCountedByKind() {
        pods.add(() -> {
            throw new IllegalStateException("the kernel says no");
        });
        pods.add(() -> Result.of(List.of(
                new Repair(new Finding("route", "10.1.0.5/32", "is gone"), "added"),
                new Repair(new Finding("link", "pw1", "is down"), "set up"),
                new Repair(new Finding("route", "10.1.0.6/32", "is gone"), "added"))));
        watch.told(new RtnetlinkEvent.LinkGone(BRIDGE));
        await().atMost(LIMIT.multipliedBy(3)).until(() -> repairs("route") == 2);
        assertThat(repairs("link")).isEqualTo(1);
    }
}

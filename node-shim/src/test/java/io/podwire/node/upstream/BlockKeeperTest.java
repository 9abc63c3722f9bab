package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.node.address.BlockUse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class BlockKeeperTest {
    private static final int LOW_WATER = 2;
    private static final Duration NOW = Duration.ofHours(1);
    private static final Duration LONG_AGO = NOW.minus(BlockKeeper.UNUSED_FOR);
    private static final NodeIdentity SELF = new NodeIdentity(new NodeName("n"), "uid", "boot", 5);

    private static final IpPrefix A = IpPrefix.parse("10.0.0.0/29");
    private static final IpPrefix B = IpPrefix.parse("10.0.0.8/29");
    private static final IpPrefix C = IpPrefix.parse("10.0.0.16/29");
    private static final IpPrefix SIX = IpPrefix.parse("fd00::/125");

    private static BlockUse use(IpPrefix block, int used, int cooling) {
        return new BlockUse(block, "p", 8 - used - cooling, used, cooling, true);
    }

    private static BlockUse closed(IpPrefix block, int used) {
        return new BlockUse(block, "p", 8 - used, used, 0, false);
    }

    private static Set<IpPrefix> back(List<BlockUse> uses, Duration since) {
        return BlockKeeper.toReturn(
                uses, Set.of(), Set.of(), Map.of(A, since, B, since, C, since, SIX, since), LOW_WATER, NOW);
    }

    @Test
    void aBlockGoesBackWhenTheOthersHaveLowWaterAndABlockOfItsSizeFree() {
        assertThat(back(List.of(use(A, 1, 0), use(B, 5, 0), use(C, 0, 0)), LONG_AGO))
                .as("7 + 3 free without it, and 2 + 8 are asked for")
                .containsExactly(C);
        assertThat(back(List.of(use(A, 1, 0), use(B, 6, 0), use(C, 0, 0)), LONG_AGO))
                .as("one fewer")
                .isEmpty();
        assertThat(back(List.of(use(A, 1, 0), use(B, 5, 1), use(C, 0, 0)), LONG_AGO))
                .as("one cools down")
                .isEmpty();
        assertThat(back(List.of(use(A, 0, 0), use(B, 0, 0), use(C, 0, 1)), LONG_AGO))
                .as("one of two, the last first; C is not unused")
                .containsExactly(B);
    }

    @Test
    void aBlockThatWasUsedAMomentAgoStays() {
        List<BlockUse> uses = List.of(use(A, 0, 0), use(B, 0, 0), use(C, 0, 0));
        assertThat(back(uses, LONG_AGO)).containsExactly(C);
        assertThat(back(uses, LONG_AGO.plusNanos(1))).isEmpty();
        assertThat(BlockKeeper.toReturn(uses, Set.of(), Set.of(), Map.of(), LOW_WATER, NOW))
                .as("one look only")
                .isEmpty();
    }

    @Test
    void theLastBlockOfAFamilyStays() {
        assertThat(back(List.of(use(A, 0, 0), use(SIX, 0, 0)), LONG_AGO)).isEmpty();
        assertThat(back(List.of(use(A, 0, 0), closed(B, 1), closed(C, 0)), LONG_AGO))
                .as("what gives nothing does not count, and what is doubted does not go back")
                .isEmpty();
    }

    @Test
    void aDrainingBlockGoesBackOnceItIsEmptyWhateverElseThereIs() {
        Duration seen = NOW.minus(BlockKeeper.DRAINED_FOR);
        Map<IpPrefix, Duration> since = Map.of(A, seen, B, seen);
        assertThat(BlockKeeper.toReturn(
                        List.of(closed(A, 0), closed(B, 1)), Set.of(A, B), Set.of(), since, LOW_WATER, NOW))
                .containsExactly(A);
        assertThat(BlockKeeper.toReturn(List.of(closed(A, 0)), Set.of(A), Set.of(), Map.of(A, NOW), LOW_WATER, NOW))
                .as("seen once")
                .isEmpty();
    }

    @Test
    void unusedBeginsAnewWithEachUse() {
        Map<IpPrefix, Duration> first = BlockKeeper.unusedSince(Map.of(), List.of(use(A, 0, 0), use(B, 0, 0)), NOW);
        assertThat(first).containsOnlyKeys(A, B);
        Duration later = NOW.plusSeconds(1);
        Map<IpPrefix, Duration> second =
                BlockKeeper.unusedSince(first, List.of(use(A, 0, 0), use(B, 1, 0), use(C, 0, 1)), later);
        assertThat(second).containsExactly(Map.entry(A, NOW));
        assertThat(BlockKeeper.unusedSince(second, List.of(use(A, 0, 0), use(B, 0, 0)), later))
                .containsOnly(Map.entry(A, NOW), Map.entry(B, later));
    }

    @Test
    void aListThatLacksMoreThanHalfIsBelievedTheSecondTime() {
        Set<IpPrefix> known = Set.of(A, B, C);
        BlockKeeper.Missing none = BlockKeeper.missing(known, List.of(), SELF, Set.of());
        assertThat(none).isEqualTo(new BlockKeeper.Missing(Set.of(), known));
        assertThat(BlockKeeper.missing(known, List.of(), SELF, none.doubt()))
                .as("a second list agrees")
                .isEqualTo(new BlockKeeper.Missing(known, Set.of()));
        assertThat(BlockKeeper.missing(known, List.of(listed(A, SELF), listed(B, SELF)), SELF, Set.of()))
                .as("one of three")
                .isEqualTo(new BlockKeeper.Missing(Set.of(C), Set.of()));
        NodeIdentity reinstalled = new NodeIdentity(SELF.name(), "other", "boot", 1);
        assertThat(BlockKeeper.missing(Set.of(A), List.of(listed(A, reinstalled)), SELF, Set.of()))
                .as("another installation's for certain")
                .isEqualTo(new BlockKeeper.Missing(Set.of(A), Set.of()));
    }

    @Test
    void aLaterLifeIsOneWithAHigherCounterOrTheSameInAnotherBoot() {
        assertThat(later("uid", "boot", 5)).as("this one").isFalse();
        assertThat(later("uid", "boot", 4)).as("an earlier one").isFalse();
        assertThat(later("uid", "elsewhere", 4)).isFalse();
        assertThat(later("uid", "boot", 6)).isTrue();
        assertThat(later("uid", "elsewhere", 5)).isTrue();
        assertThat(later("other", "boot", 6)).as("another installation").isFalse();
    }

    private static boolean later(String uid, String boot, long counter) {
        return BlockKeeper.laterLife(List.of(listed(A, new NodeIdentity(SELF.name(), uid, boot, counter))), SELF)
                .isPresent();
    }

    private static ListedBlock listed(IpPrefix block, NodeIdentity owner) {
        return new ListedBlock(block, "p", false, Optional.empty(), owner, "r");
    }

    @Test
    void aBlockForSomeNamespacesGoesOnceItIsUnusedAndCountsForNobodyElse() {
        Duration since = NOW.minus(BlockKeeper.UNUSED_FOR);
        List<BlockUse> uses = List.of(use(A, 0, 0), use(B, 0, 0), use(C, 0, 0));
        assertThat(BlockKeeper.toReturn(
                        uses, Set.of(), Set.of(B, C), Map.of(A, since, B, since, C, since), LOW_WATER, NOW))
                .as("what is free in B and C is for others")
                .containsExactly(B, C);
        Duration later = since.plusNanos(1);
        assertThat(BlockKeeper.toReturn(
                        uses, Set.of(), Set.of(B, C), Map.of(A, since, B, later, C, later), LOW_WATER, NOW))
                .isEmpty();
    }
}

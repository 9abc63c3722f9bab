package io.podwire.route.reflect;

import static io.podwire.route.Routes.epoch;
import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.route.rib.NodeEpoch;
import io.podwire.route.rib.OwnedBlock;
import io.podwire.route.rib.Refusal;
import io.podwire.route.rib.Refusal.Reason;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OwnersTest {
    private static final Owned ALL = new Owned(
            List.of(
                    new OwnedBlock(IpPrefix.parse("10.1.0.0/26"), epoch("a", 3)),
                    new OwnedBlock(IpPrefix.parse("10.1.0.128/26"), epoch("b", 1)),
                    new OwnedBlock(IpPrefix.parse("fd00::/122"), epoch("a", 3))),
            List.of(epoch("a", 3), epoch("b", 1), new NodeEpoch(new NodeName("c"), "uid-c", "reclaimed", 7)),
            Map.of(
                    IpAddress.parse("10.9.0.5"), new NodeName("a"),
                    IpAddress.parse("fd00:9::5"), new NodeName("b"),
                    IpAddress.parse("10.9.0.7"), new NodeName("c")));

    private static Owners owners() {
        Owners owners = new Owners();
        assertThat(owners.takeAll(ALL)).as("the first word is believed").isTrue();
        return owners;
    }

    @ParameterizedTest
    @CsvSource({
        "a, 3, 10.1.0.0/26,",
        "a, 4, 10.1.0.0/26,",
        "a, 3, 10.1.0.32/27,",
        "a, 3, 10.1.0.7/32,",
        "a, 3, fd00::/122,",
        "a, 3, 10.9.0.5/32,",
        "b, 1, fd00:9::5/128,",
        "a, 2, 10.1.0.0/26, STALE_EPOCH",
        "a, 2, 10.9.0.5/32, STALE_EPOCH",
        "a, 2, 10.77.0.0/16, STALE_EPOCH",
        "c, 7, 10.9.0.7/32, STALE_EPOCH",
        "c, 8, 10.9.0.7/32,",
        "b, 1, 10.1.0.0/26, OWNED_BY_OTHER",
        "b, 1, 10.1.0.1/32, OWNED_BY_OTHER",
        "b, 1, 10.9.0.5/32, OWNED_BY_OTHER",
        "a, 3, 10.1.0.0/25, NOT_OWNED",
        "a, 3, 10.1.0.64/26, NOT_OWNED",
        "a, 3, 10.1.0.0/24, NOT_OWNED",
        "a, 3, 10.9.0.4/31, NOT_OWNED",
        "a, 3, 10.9.0.6/32, NOT_OWNED",
        "b, 1, 10.0.0.0/26, NOT_OWNED",
        "b, 1, fd00:9::/120, NOT_OWNED",
    })
    void aPrefixIsOwnOrRefusedForAReason(String node, long counter, String prefix, Reason reason) {
        List<Refusal> refusals = owners().refusals(epoch(node, counter), List.of(IpPrefix.parse(prefix)));
        if (reason == null) {
            assertThat(refusals).isEmpty();
        } else {
            assertThat(refusals).singleElement().satisfies(refusal -> {
                assertThat(refusal.reason()).isEqualTo(reason);
                assertThat(refusal.why()).startsWith("prefix " + prefix + " of node " + node + " (start " + counter);
            });
        }
    }

    @Test
    void oneStartInTwoBootsIsOver() {
        NodeEpoch copy = new NodeEpoch(new NodeName("a"), "uid-a", "boot-of-a-copy", 3);
        assertThat(owners().refusals(copy, List.of(IpPrefix.parse("10.1.0.0/26"))))
                .extracting(Refusal::reason)
                .containsExactly(Reason.STALE_EPOCH);
    }

    @Test
    void aWordThatLacksMoreThanHalfIsBelievedTheSecondTime() {
        Owners owners = owners();
        Owned less = new Owned(List.of(ALL.blocks().getFirst()), ALL.installations(), Map.of());
        assertThat(owners.takeAll(less)).isFalse();
        assertThat(owners.owns(epoch("b", 1), IpPrefix.parse("10.1.0.128/26"))).isTrue();
        assertThat(owners.takeAll(less)).isTrue();
        assertThat(owners.owns(epoch("b", 1), IpPrefix.parse("10.1.0.128/26"))).isFalse();
        assertThat(owners.takeAll(ALL)).as("more is no loss").isTrue();
        assertThat(owners.takeAll(less))
                .as("a doubt is over once it was resolved")
                .isFalse();
    }

    @Test
    void thatNodesHaveStartedAgainIsNoLoss() {
        Owners owners = owners();
        Owned restarted = new Owned(
                ALL.blocks().stream()
                        .map(block -> new OwnedBlock(
                                block.prefix(), epoch(block.owner().node().value(), 9)))
                        .toList(),
                List.of(epoch("a", 9), epoch("b", 9)),
                Map.of());
        assertThat(owners.takeAll(restarted)).isTrue();
        assertThat(owners.owns(epoch("a", 3), IpPrefix.parse("10.1.0.0/26"))).isFalse();
    }

    /** Words about nodes, each as it is when it is asked for, come to what a word about all comes to. */
    @Test
    void answersAboutNodesComeToTheSameAsAWordAboutAll() {
        Seeds.forEach(OwnersTest.class, 300, random -> {
            Map<IpPrefix, NodeEpoch> blocks = new HashMap<>();
            Map<IpAddress, NodeName> singles = new HashMap<>();
            Owners owners = new Owners();
            for (int step = 0; step < 40; step++) {
                change(blocks, singles, random);
                String node = "n" + random.nextInt(4);
                Set<IpAddress> asked = Set.of(single(random.nextInt(4)), single(4 + random.nextInt(4)));
                owners.take(new Question(new NodeName(node), asked), word(blocks, singles, node, asked));
            }
            Set<IpAddress> every =
                    IntStream.range(0, 8).mapToObj(OwnersTest::single).collect(java.util.stream.Collectors.toSet());
            for (int i = 0; i < 4; i++) {
                owners.take(new Question(new NodeName("n" + i), every), word(blocks, singles, "n" + i, every));
            }
            for (int node = 0; node < 4; node++) {
                NodeEpoch life = epoch("n" + node, 1);
                for (int i = 0; i < 8; i++) {
                    IpPrefix block = block(i);
                    assertThat(owners.owns(life, block))
                            .as("%s and %s", life, block)
                            .isEqualTo(life.equals(blocks.get(block)));
                    assertThat(owners.owns(life, IpPrefix.ofHost(single(i))))
                            .as("%s and %s", life, single(i))
                            .isEqualTo(life.node().equals(singles.get(single(i))));
                }
            }
        });
    }

    private static void change(
            Map<IpPrefix, NodeEpoch> blocks, Map<IpAddress, NodeName> singles, RandomGenerator random) {
        String node = "n" + random.nextInt(4);
        int which = random.nextInt(8);
        switch (random.nextInt(4)) {
            case 0 -> blocks.remove(block(which));
            case 1 -> singles.remove(single(which));
            case 2 -> blocks.put(block(which), epoch(node, 1));
            default -> singles.put(single(which), new NodeName(node));
        }
    }

    private static Owned word(
            Map<IpPrefix, NodeEpoch> blocks, Map<IpAddress, NodeName> singles, String node, Set<IpAddress> asked) {
        List<OwnedBlock> own = new ArrayList<>();
        blocks.forEach((block, owner) -> {
            if (owner.node().value().equals(node)) {
                own.add(new OwnedBlock(block, owner));
            }
        });
        Map<IpAddress, NodeName> told = new HashMap<>(singles);
        told.keySet().retainAll(asked);
        return new Owned(own, List.of(epoch(node, 1)), told);
    }

    private static IpPrefix block(int i) {
        return IpPrefix.parse("10.1." + i + ".0/26");
    }

    private static IpAddress single(int i) {
        return IpAddress.parse("10.9.0." + i);
    }
}

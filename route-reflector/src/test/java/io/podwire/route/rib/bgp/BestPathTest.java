package io.podwire.route.rib.bgp;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.route.bgp.message.AsPath;
import io.podwire.route.bgp.message.PathAttribute;
import io.podwire.route.bgp.message.PathAttribute.OriginKind;
import io.podwire.route.bgp.message.PathAttributes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BestPathTest {
    private static final PathAttributes PLAIN =
            PathAttributes.of(new PathAttribute.Origin(OriginKind.IGP), new PathAttribute.Path(AsPath.of(64513L)));

    /** Each path is better than the one before it by the step named, and equal before that step. */
    @Test
    void stepsDecideInTheirOrder() {
        BgpPath peerAddress =
                path(9, 64512, Neighbor.Kind.CLIENT, 5, attributes(100, List.of(7L, 8L), OriginKind.EGP, 9, 2));
        BgpPath lowerAddress =
                path(8, 64512, Neighbor.Kind.CLIENT, 5, attributes(100, List.of(7L, 8L), OriginKind.EGP, 9, 2));
        BgpPath shorterClusters =
                path(9, 64512, Neighbor.Kind.CLIENT, 5, attributes(100, List.of(7L, 8L), OriginKind.EGP, 9, 1));
        BgpPath lowerId =
                path(9, 64512, Neighbor.Kind.CLIENT, 4, attributes(100, List.of(7L, 8L), OriginKind.EGP, 9, 2));
        BgpPath external =
                path(9, 7, Neighbor.Kind.EXTERNAL, 9, attributes(100, List.of(7L, 8L), OriginKind.EGP, 9, 2));
        BgpPath lowerMed =
                path(9, 64512, Neighbor.Kind.CLIENT, 9, attributes(100, List.of(7L, 8L), OriginKind.EGP, 8, 2));
        BgpPath lowerOrigin =
                path(9, 64512, Neighbor.Kind.CLIENT, 9, attributes(100, List.of(7L, 8L), OriginKind.IGP, 9, 2));
        BgpPath shorter =
                path(9, 64512, Neighbor.Kind.CLIENT, 9, attributes(100, List.of(7L), OriginKind.INCOMPLETE, 9, 2));
        BgpPath preferred = path(
                9, 64512, Neighbor.Kind.CLIENT, 9, attributes(101, List.of(7L, 8L, 9L), OriginKind.INCOMPLETE, 9, 2));
        BgpPath node = new BgpPath(new Source.Node(new NodeName("a")), IpAddress.parse("10.0.0.1"), PLAIN, false);

        beats(lowerAddress, peerAddress, BestPath.Step.PEER_ADDRESS);
        beats(shorterClusters, lowerAddress, BestPath.Step.CLUSTER_LIST);
        beats(lowerId, shorterClusters, BestPath.Step.ROUTER_ID);
        beats(external, lowerId, BestPath.Step.EXTERNAL);
        beats(lowerMed, external, BestPath.Step.MED);
        beats(lowerOrigin, lowerMed, BestPath.Step.ORIGIN);
        beats(shorter, lowerOrigin, BestPath.Step.AS_PATH);
        beats(preferred, shorter, BestPath.Step.LOCAL_PREF);
        beats(node, preferred, BestPath.Step.OWN_NODE);
    }

    /** RFC 4271 §9.1.2.2 c: of two ASes the metrics say nothing about each other. */
    @Test
    void metricsOfDifferentAsesAreNotCompared() {
        BgpPath highMed = path(1, 64512, Neighbor.Kind.CLIENT, 1, attributes(100, List.of(7L), OriginKind.IGP, 50, 1));
        BgpPath lowMed = path(2, 64512, Neighbor.Kind.CLIENT, 2, attributes(100, List.of(8L), OriginKind.IGP, 10, 1));
        assertThat(BestPath.select(List.of(highMed, lowMed))).isEqualTo(highMed);
    }

    @Test
    void originatorIdStandsForTheIdentifier() {
        BgpPath reflected = path(
                1,
                64512,
                Neighbor.Kind.CLIENT,
                1,
                PLAIN.with(new PathAttribute.OriginatorId(IpAddress.parse("192.0.2.200"))));
        BgpPath own = path(2, 64512, Neighbor.Kind.CLIENT, 100, PLAIN);
        assertThat(BestPath.select(List.of(reflected, own))).isEqualTo(own);
    }

    /** Whatever comes and goes in whatever order, the path in use is the best of all, and counts are right. */
    @Test
    void theRibHoldsTheBestOfWhatItWasTold() {
        Seeds.forEach(BestPathTest.class, 300, random -> {
            BgpRib rib = new BgpRib();
            Map<IpPrefix, Map<Integer, BgpPath>> model = new HashMap<>();
            for (int i = 0; i < 200; i++) {
                IpPrefix prefix = IpPrefix.parse("10.0." + random.nextInt(4) + ".0/24");
                int peer = 1 + random.nextInt(5);
                Map<Integer, BgpPath> known = model.computeIfAbsent(prefix, _ -> new HashMap<>());
                Set<BgpPath> before = Set.copyOf(rib.paths(prefix));
                boolean changed;
                if (random.nextInt(3) == 0) {
                    known.remove(peer);
                    changed = rib.remove(prefix, address(peer));
                } else {
                    BgpPath path = randomPath(random, peer);
                    known.put(peer, path);
                    changed = rib.put(prefix, path);
                }
                assertThat(changed).isEqualTo(!Set.copyOf(rib.paths(prefix)).equals(before));
                assertThat(rib.paths(prefix)).containsExactlyInAnyOrderElementsOf(known.values());
                if (!known.isEmpty()) {
                    assertThat(rib.best(prefix)).contains(BestPath.select(new ArrayList<>(known.values())));
                    assertThat(BestPath.explain(rib.paths(prefix)))
                            .hasSameSizeAs(known.values())
                            .first()
                            .isEqualTo(new BestPath.Ranked(rib.best(prefix).orElseThrow(), Optional.empty()));
                }
            }
            for (int peer = 1; peer <= 5; peer++) {
                int id = peer;
                long count =
                        model.values().stream().filter(m -> m.containsKey(id)).count();
                assertThat(rib.count(address(peer), IpFamily.V4)).isEqualTo((int) count);
                rib.removeAll(address(peer), _ -> true, _ -> true);
            }
            assertThat(rib.prefixes()).isEmpty();
        });
    }

    /** What only the last steps tell apart is as good, and each next hop counts once. */
    @Test
    void packetsAreSpreadOverWhatIsAsGood() {
        PathAttributes same = attributes(100, List.of(7L, 8L), OriginKind.IGP, 9, 1);
        BgpPath first = over("10.0.0.1", path(1, 64512, Neighbor.Kind.CLIENT, 5, same));
        BgpPath second = over("10.0.0.2", path(2, 64512, Neighbor.Kind.CLIENT, 4, same));
        BgpPath third = over("10.0.0.3", path(3, 64512, Neighbor.Kind.CLIENT, 6, same));
        BgpPath worse =
                path(4, 64512, Neighbor.Kind.CLIENT, 1, attributes(100, List.of(7L, 8L, 9L), OriginKind.IGP, 9, 1));
        BgpPath again = over("10.0.0.1", third);

        assertThat(BestPath.spread(List.of(worse, first, second, third), 8)).containsExactly(second, first, third);
        assertThat(BestPath.spread(List.of(first, second, third), 2)).containsExactly(second, first);
        assertThat(BestPath.spread(List.of(first, again), 8)).containsExactly(first);
        assertThat(BestPath.spread(List.of(worse), 8)).containsExactly(worse);
    }

    private static BgpPath over(String nextHop, BgpPath path) {
        return new BgpPath(path.source(), IpAddress.parse(nextHop), path.attributes(), false);
    }

    private static void beats(BgpPath better, BgpPath worse, BestPath.Step step) {
        for (List<BgpPath> paths : List.of(List.of(better, worse), List.of(worse, better))) {
            assertThat(BestPath.select(paths)).as(step.name()).isEqualTo(better);
            assertThat(BestPath.explain(paths))
                    .as(step.name())
                    .containsExactly(
                            new BestPath.Ranked(better, Optional.empty()),
                            new BestPath.Ranked(worse, Optional.of(step)));
        }
    }

    private static BgpPath randomPath(RandomGenerator random, int peer) {
        return path(
                peer,
                64512,
                Neighbor.Kind.CLIENT,
                1 + random.nextInt(3),
                attributes(
                        100 + random.nextInt(2),
                        IntStream.rangeClosed(0, random.nextInt(2))
                                .mapToObj(_ -> 1L + random.nextInt(3))
                                .toList(),
                        OriginKind.IGP,
                        random.nextInt(3),
                        1 + random.nextInt(2)));
    }

    private static PathAttributes attributes(long pref, List<Long> path, OriginKind origin, long med, int clusters) {
        return PathAttributes.of(
                new PathAttribute.Origin(origin),
                new PathAttribute.Path(AsPath.of(path.toArray(Long[]::new))),
                new PathAttribute.Med(med),
                new PathAttribute.LocalPref(pref),
                new PathAttribute.ClusterList(IntStream.range(0, clusters)
                        .mapToObj(BestPathTest::address)
                        .toList()));
    }

    private static BgpPath path(int peer, long asn, Neighbor.Kind kind, int identifier, PathAttributes attributes) {
        Neighbor neighbor = new Neighbor(address(peer), asn, kind, IpAddress.parse("192.0.2." + identifier));
        return new BgpPath(new Source.Learned(neighbor), IpAddress.parse("10.0.0.1"), attributes, false);
    }

    private static IpAddress address(int peer) {
        return IpAddress.parse("10.9.0." + peer);
    }
}

package io.podwire.route.rib.bgp;

import io.podwire.common.net.IpAddress;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.ToLongFunction;

/**
 * Which path is used: the steps of RFC 4271 §9.1.2.2 in their order, with those of RFC 4456 §9. Each step
 * keeps the paths that are best by it; the first step that leaves one decides. MULTI_EXIT_DISC compares paths
 * of one neighbouring AS alone, and so no total order of paths exists.
 */
public final class BestPath {
    private BestPath() {}

    /** A step. */
    public enum Step {
        /** What a node holds itself is not what others say of it. */
        OWN_NODE("held by a node of ours"),
        /** RFC 4271 §9.1.1. */
        LOCAL_PREF("higher LOCAL_PREF"),
        /** §9.1.2.2 a. */
        AS_PATH("shorter AS_PATH"),
        /** §9.1.2.2 b. */
        ORIGIN("lower ORIGIN"),
        /** §9.1.2.2 c. */
        MED("lower MULTI_EXIT_DISC"),
        /** §9.1.2.2 d. */
        EXTERNAL("learned from another AS"),
        /** §9.1.2.2 f, with ORIGINATOR_ID in place of the identifier. */
        ROUTER_ID("lower identifier"),
        /** RFC 4456 §9. */
        CLUSTER_LIST("shorter CLUSTER_LIST"),
        /** §9.1.2.2 g. */
        PEER_ADDRESS("lower address of the neighbour");

        private final String reason;

        Step(String reason) {
            this.reason = reason;
        }

        /** Why the winner of this step won. */
        public String reason() {
            return reason;
        }
    }

    /**
     * A path and where it stood.
     *
     * @param lostAt the step that ruled it out; empty for the best one
     */
    public record Ranked(BgpPath path, Optional<Step> lostAt) {}

    /** The best of one or more paths. */
    public static BgpPath select(List<BgpPath> paths) {
        List<BgpPath> left = paths;
        for (Step step : Step.values()) {
            if (left.size() == 1) {
                break;
            }
            left = keep(step, left);
        }
        return left.getFirst();
    }

    /**
     * The best of one or more paths and those that are as good as it but for the last steps, which merely choose one:
     * packets may be spread over them.
     *
     * @param most at most so many
     * @return the best one first, no two with the same next hop
     */
    public static List<BgpPath> spread(List<BgpPath> paths, int most) {
        List<BgpPath> left = paths;
        for (Step step : Step.values()) {
            if (left.size() == 1 || step == Step.ROUTER_ID) {
                break;
            }
            left = keep(step, left);
        }
        Map<IpAddress, BgpPath> byNextHop = new LinkedHashMap<>();
        BgpPath best = select(left);
        byNextHop.put(best.nextHop(), best);
        left.stream()
                .sorted(Comparator.comparing(BestPath::identifier).thenComparing(BestPath::address))
                .forEach(path -> byNextHop.putIfAbsent(path.nextHop(), path));
        return byNextHop.values().stream().limit(most).toList();
    }

    /** Every path, the best one first, then those that got farthest. */
    public static List<Ranked> explain(List<BgpPath> paths) {
        List<Ranked> ranked = new ArrayList<>();
        List<BgpPath> left = paths;
        for (Step step : Step.values()) {
            List<BgpPath> kept = left.size() > 1 ? keep(step, left) : left;
            for (BgpPath path : left) {
                if (!kept.contains(path)) {
                    ranked.addFirst(new Ranked(path, Optional.of(step)));
                }
            }
            left = kept;
        }
        left.forEach(path -> ranked.addFirst(new Ranked(path, Optional.empty())));
        return List.copyOf(ranked);
    }

    private static List<BgpPath> keep(Step step, List<BgpPath> paths) {
        return switch (step) {
            case OWN_NODE -> least(paths, path -> path.source() instanceof Source.Node ? 0 : 1);
            case LOCAL_PREF -> least(paths, path -> -path.attributes().localPref());
            case AS_PATH -> least(paths, path -> path.attributes().asPath().length());
            case ORIGIN -> least(paths, path -> path.attributes().origin().wire());
            case MED -> withoutWorseMed(paths);
            case EXTERNAL ->
                least(
                        paths,
                        path -> path.source() instanceof Source.Learned(Neighbor neighbor)
                                        && neighbor.kind() == Neighbor.Kind.EXTERNAL
                                ? 0
                                : 1);
            case ROUTER_ID -> least(paths, path -> identifier(path).low());
            case CLUSTER_LIST ->
                least(paths, path -> path.attributes().clusterList().size());
            case PEER_ADDRESS -> {
                BgpPath first = paths.stream()
                        .min(Comparator.comparing(BestPath::address))
                        .orElseThrow();
                yield List.of(first);
            }
        };
    }

    private static List<BgpPath> least(List<BgpPath> paths, ToLongFunction<BgpPath> value) {
        long least = paths.stream().mapToLong(value).min().orElseThrow();
        return paths.stream().filter(path -> value.applyAsLong(path) == least).toList();
    }

    private static List<BgpPath> withoutWorseMed(List<BgpPath> paths) {
        return paths.stream()
                .filter(path ->
                        paths.stream().noneMatch(other -> sameNeighbourAs(path, other) && med(other) < med(path)))
                .toList();
    }

    private static boolean sameNeighbourAs(BgpPath one, BgpPath other) {
        OptionalLong first = one.attributes().asPath().first();
        return first.equals(other.attributes().asPath().first());
    }

    /** RFC 4271 §9.1.2.2 c: who says nothing has the best one. */
    private static long med(BgpPath path) {
        return path.attributes().med().orElse(0);
    }

    private static IpAddress identifier(BgpPath path) {
        return path.attributes().originatorId().orElseGet(() -> switch (path.source()) {
            case Source.Node _ -> IpAddress.ofV4(0);
            case Source.Learned(Neighbor neighbor) -> neighbor.identifier();
        });
    }

    private static IpAddress address(BgpPath path) {
        return switch (path.source()) {
            case Source.Node _ -> path.nextHop();
            case Source.Learned(Neighbor neighbor) -> neighbor.address();
        };
    }
}

package io.podwire.policy.answer;

import io.podwire.common.net.IpAddress;
import io.podwire.policy.answer.Simulation.Flip;
import io.podwire.policy.compile.DirectionPolicy;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.PortRange;
import io.podwire.policy.compile.Rule;
import io.podwire.policy.compile.TierRule;
import io.podwire.policy.model.Direction;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;

/**
 * What a change of policies would do to connections, without doing it: both states are compiled, and where a direction
 * of an end comes out otherwise, every connection that it judges is judged twice. Ports are exact: between two
 * numbers that no rule tells apart, one answer holds for all.
 */
public final class Simulator {
    private static final int PORTS_END = 65536;

    private final Judge now;
    private final Judge then;
    private final Map<Direction, Set<End>> changed = new HashMap<>();
    private final int limit;
    private final BooleanSupplier cancelled;
    private final List<Flip> flips = new ArrayList<>();

    private Simulator(Judge now, Judge then, Collection<End> ends, int limit, BooleanSupplier cancelled) {
        this.now = now;
        this.then = then;
        this.limit = limit;
        this.cancelled = cancelled;
        for (Direction direction : Direction.values()) {
            Set<End> differs = new HashSet<>();
            ends.stream()
                    .filter(end -> !now.policy(direction, end).equals(then.policy(direction, end)))
                    .forEach(differs::add);
            changed.put(direction, differs);
        }
    }

    /**
     * Compares a snapshot with what a change of its policies would make of it.
     *
     * @param policies policies that come, change and go; nothing else
     * @param outside further ends of connections
     * @param limit of flips, at least 1
     * @param cancelled asked now and then; true: nobody waits for the answer any more
     */
    public static Simulation simulate(
            PolicyCompiler compiler,
            ClusterSnapshot snapshot,
            ClusterDelta policies,
            Collection<IpAddress> outside,
            int limit,
            BooleanSupplier cancelled) {
        return simulate(BothStates.of(compiler, snapshot, policies), snapshot, outside, limit, cancelled);
    }

    /** The same, of states that are compiled already. */
    public static Simulation simulate(
            BothStates states,
            ClusterSnapshot snapshot,
            Collection<IpAddress> outside,
            int limit,
            BooleanSupplier cancelled) {
        Ends known = new Ends(snapshot);
        List<End> ends = Stream.concat(known.all().stream(), outside.stream().map(known::at))
                .distinct()
                .toList();
        return new Simulator(states.now(), states.then(), ends, limit, cancelled).compare(ends);
    }

    private Simulation compare(List<End> ends) {
        List<End> changedDestinations =
                ends.stream().filter(changedIn(Direction.INGRESS)::contains).toList();
        for (End source : ends) {
            // Where the source's own direction is as it was, only destinations that are not matter.
            List<End> destinations = changedIn(Direction.EGRESS).contains(source) ? ends : changedDestinations;
            for (Ends.Pair pair : Ends.pairs(List.of(source), destinations)) {
                if (flips.size() > limit || cancelled.getAsBoolean()) {
                    return new Simulation(flips.subList(0, Math.min(limit, flips.size())), true);
                }
                compare(pair);
            }
        }
        return new Simulation(flips.subList(0, Math.min(limit, flips.size())), flips.size() > limit);
    }

    private Set<End> changedIn(Direction direction) {
        return changed.getOrDefault(direction, Set.of());
    }

    private void compare(Ends.Pair pair) {
        List<PortRange> opened = new ArrayList<>();
        List<PortRange> closed = new ArrayList<>();
        for (Protocol protocol : Protocol.values()) {
            List<Integer> cuts = List.copyOf(cuts(pair, protocol));
            for (int i = 0; i + 1 < cuts.size(); i++) {
                int first = cuts.get(i);
                boolean before = allows(now, pair, protocol, first);
                boolean after = allows(then, pair, protocol, first);
                if (before != after) {
                    extend(after ? opened : closed, new PortRange(protocol, first, cuts.get(i + 1) - 1));
                }
            }
        }
        if (!opened.isEmpty()) {
            flips.add(new Flip(pair.source(), pair.destination(), true, opened));
        }
        if (!closed.isEmpty()) {
            flips.add(new Flip(pair.source(), pair.destination(), false, closed));
        }
    }

    private static boolean allows(Judge judge, Ends.Pair pair, Protocol protocol, int port) {
        return judge.explain(pair.source(), pair.destination(), protocol, port).allowed();
    }

    private static void extend(List<PortRange> ranges, PortRange next) {
        if (!ranges.isEmpty()
                && ranges.getLast().protocol() == next.protocol()
                && ranges.getLast().last() + 1 == next.first()) {
            PortRange last = ranges.removeLast();
            ranges.add(new PortRange(last.protocol(), last.first(), next.last()));
        } else {
            ranges.add(next);
        }
    }

    /** All that decide: of a direction with tiers, theirs. */
    private static Stream<Rule> rules(DirectionPolicy policy) {
        return policy.tiers().isEmpty()
                ? policy.rules().stream()
                : policy.tiers().stream().map(TierRule::rule);
    }

    /** Numbers at which a verdict can change, with both ends of all ports. */
    private SortedSet<Integer> cuts(Ends.Pair pair, Protocol protocol) {
        SortedSet<Integer> cuts = new TreeSet<>(Set.of(0, PORTS_END));
        Stream.of(now, then)
                .flatMap(judge -> Stream.of(
                        judge.policy(Direction.EGRESS, pair.source()),
                        judge.policy(Direction.INGRESS, pair.destination())))
                .flatMap(policy -> policy.stream().flatMap(Simulator::rules))
                .flatMap(rule -> rule.ports().stream())
                .filter(range -> range.protocol() == protocol)
                .forEach(range -> {
                    cuts.add(range.first());
                    cuts.add(range.last() + 1);
                });
        return cuts;
    }
}

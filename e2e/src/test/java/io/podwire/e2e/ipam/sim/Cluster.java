package io.podwire.e2e.ipam.sim;

import io.podwire.common.net.NodeName;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * Whoever says which nodes a cluster has: Kubernetes, say. Now and then a list lacks one that is there and stays, but not
 * two in a row that the same asker gets.
 */
final class Cluster {
    static final String NAME = "cluster";
    private static final Duration BETWEEN_WRONG_LISTS = Duration.ofSeconds(15);

    private final World world;
    private final Set<NodeName> nodes = new TreeSet<>();
    private final Map<NodeName, Absence> absences = new HashMap<>();
    /** Those that are over. */
    private final Map<NodeName, List<Absence>> before = new HashMap<>();

    private final Map<String, Duration> wronglyTold = new HashMap<>();
    private final NodeName steady;
    private boolean faults = true;

    /** The last time that a node was deleted from the cluster, and when it was back. */
    record Absence(Duration from, Optional<Duration> to) {}

    /**
     * One without nodes.
     *
     * @param steady the node that a list may lack
     */
    Cluster(World world, NodeName steady) {
        this.world = world;
        this.steady = steady;
    }

    void join(NodeName node) {
        world.note(node + " is a node of the cluster");
        nodes.add(node);
        absences.computeIfPresent(
                node,
                (_, before) ->
                        before.to().isPresent() ? before : new Absence(before.from(), Optional.of(world.monotonic())));
    }

    void leave(NodeName node) {
        world.note(node + " is deleted from the cluster");
        nodes.remove(node);
        Absence last = absences.put(node, new Absence(world.monotonic(), Optional.empty()));
        if (last != null) {
            before.computeIfAbsent(node, _ -> new ArrayList<>()).add(last);
        }
    }

    /** From now on each list is right. */
    void heal() {
        faults = false;
    }

    Set<NodeName> list(String asker) {
        Set<NodeName> listed = new HashSet<>(nodes);
        Duration before = wronglyTold.getOrDefault(asker, BETWEEN_WRONG_LISTS.negated());
        if (faults && world.oneIn(12) && world.monotonic().minus(before).compareTo(BETWEEN_WRONG_LISTS) >= 0) {
            wronglyTold.put(asker, world.monotonic());
            listed.remove(steady);
        }
        return listed;
    }

    /** How long a node was missing in the cluster without a break, after a moment. */
    Duration missing(NodeName node, Duration after) {
        Absence last = absences.get(node);
        return last == null ? Duration.ZERO : lasting(last, after);
    }

    /** The same of any time that it was missing. */
    Duration longestMissing(NodeName node, Duration after) {
        Duration longest = missing(node, after);
        for (Absence earlier : before.getOrDefault(node, List.of())) {
            Duration lasting = lasting(earlier, after);
            longest = lasting.compareTo(longest) > 0 ? lasting : longest;
        }
        return longest;
    }

    /** When a node was deleted from the cluster last. */
    Optional<Duration> left(NodeName node) {
        return Optional.ofNullable(absences.get(node)).map(Absence::from);
    }

    private Duration lasting(Absence absence, Duration after) {
        Duration from = absence.from().compareTo(after) > 0 ? absence.from() : after;
        return absence.to().orElse(world.monotonic()).minus(from);
    }
}

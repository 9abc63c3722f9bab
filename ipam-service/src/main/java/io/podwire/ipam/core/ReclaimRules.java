package io.podwire.ipam.core;

import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.Absences.Absence;
import io.podwire.ipam.core.GoneNode.Life;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;

/**
 * What is taken back of nodes that are gone for good, and when. Pure.
 *
 * <p>A node is gone when the cluster's list lacks it. An installation of a node that is listed is gone when another one
 * is connected under its name, in another boot, of which something was written since: the reboot has ended its pods. A
 * connection alone does not tell which of the two came later. Either must be so at each look for a grace, two looks at
 * least, and nothing of it may be written meanwhile. Whoever is connected, or would be if its name were not taken, is
 * not gone.
 */
public final class ReclaimRules {
    private ReclaimRules() {}

    /**
     * How patient it is.
     *
     * @param interval between two looks
     * @param grace how long a node must be missing, from the first look that missed it on
     */
    public record Patience(Duration interval, Duration grace) {}

    /**
     * What a look has come to.
     *
     * @param next what is known now
     * @param due of whom everything is to be taken back
     * @param doubt why the list is not believed, one sentence; empty when it is
     */
    public record Found(Absences next, List<Due> due, Optional<String> doubt) {
        /** Copies. */
        public Found {
            due = List.copyOf(due);
        }
    }

    /**
     * One of whom everything is to be taken back.
     *
     * @param gone who
     * @param lasting how long it is missing
     */
    public record Due(GoneNode gone, Duration lasting) {}

    /**
     * Looks.
     *
     * @param ledger read between begin and end of the look, after the list
     * @param version of what the ledger's store has of an installation
     */
    public static Found look(
            Absences before, NodeLook look, Ledger ledger, ToLongFunction<NodeEpoch> version, Patience patience) {
        Map<NodeName, GoneNode> owners = owners(ledger, version);
        Optional<String> doubt = doubt(before, look, owners.keySet());
        if (doubt.isPresent()) {
            // Two lists that agree are believed; an empty one agrees with nothing.
            Set<NodeName> compared = look.listed().isEmpty() ? before.listed() : look.listed();
            return new Found(new Absences(compared, Map.of()), List.of(), doubt);
        }
        Map<String, Absence> missing = new HashMap<>();
        List<Due> due = new ArrayList<>();
        missing(look, ledger, owners, version).forEach((name, gone) -> {
            Absence known = before.missing().get(name);
            if (known == null || !known.gone().sameAs(gone)) {
                missing.put(name, new Absence(gone, look.ended()));
                return;
            }
            missing.put(name, new Absence(gone, known.since()));
            Duration lasting = look.begun().minus(known.since());
            if (lasting.compareTo(patience.grace()) >= 0 && lasting.compareTo(patience.interval()) >= 0) {
                due.add(new Due(gone, lasting));
            }
        });
        return new Found(new Absences(look.listed(), missing), due, Optional.empty());
    }

    private static Optional<String> doubt(Absences before, NodeLook look, Set<NodeName> owners) {
        if (look.listed().isEmpty()) {
            return Optional.of("it is empty");
        }
        if (!owners.isEmpty() && owners.stream().noneMatch(look.listed()::contains)) {
            return Optional.of("none of the " + owners.size() + " nodes that own blocks is in it, " + some(owners)
                    + " for example: is it of another cluster, or has it other names?");
        }
        Set<NodeName> compared = before.listed().isEmpty() ? owners : before.listed();
        Set<NodeName> lost = new TreeSet<>(compared);
        lost.removeAll(look.listed());
        return 2 * lost.size() > compared.size()
                ? Optional.of("it lacks " + lost.size() + " of " + compared.size() + " nodes at once, " + some(lost)
                        + " for example; it is believed when the next one agrees")
                : Optional.empty();
    }

    private static NodeName some(Set<NodeName> nodes) {
        return new TreeSet<>(nodes).first();
    }

    /** Those that are missing now, by what they are called: a node, or one installation of it. */
    private static Map<String, GoneNode> missing(
            NodeLook look, Ledger ledger, Map<NodeName, GoneNode> owners, ToLongFunction<NodeEpoch> version) {
        Map<String, GoneNode> missing = new TreeMap<>();
        owners.forEach((name, owner) -> {
            List<NodeEpoch> connected = look.connected().stream()
                    .filter(epoch -> epoch.node().equals(name))
                    .toList();
            if (look.listed().contains(name)) {
                owner.lives().stream()
                        .filter(life -> !connected.isEmpty()
                                && connected.stream()
                                        .allMatch(epoch -> hasReplaced(epoch, version.applyAsLong(epoch), life)))
                        .filter(life -> ownsBlocks(ledger, life))
                        .forEach(life -> missing.put(
                                Ledger.installation(life.newest()), new GoneNode(name, Set.of(life), Set.of())));
            } else if (connected.isEmpty()) {
                missing.put(name.value(), owner);
            }
        });
        return missing;
    }

    private static boolean ownsBlocks(Ledger ledger, Life life) {
        return ledger.blocks().stream().anyMatch(block -> block.owner().sameOwner(life.newest()));
    }

    private static boolean hasReplaced(NodeEpoch connected, long version, Life life) {
        return !connected.sameOwner(life.newest())
                && !connected.bootId().equals(life.newest().bootId())
                && version > life.version();
    }

    /** Every node that has something, by name, and what it has. */
    public static Map<NodeName, GoneNode> owners(Ledger ledger, ToLongFunction<NodeEpoch> version) {
        Map<String, Set<SingleAddress>> ofPods = new HashMap<>();
        for (SingleAddress address : ledger.addresses()) {
            address.use()
                    .user()
                    // What is no pod may have moved since it told where it is.
                    .filter(owner -> !owner.pod().isEmpty())
                    .ifPresent(owner -> ofPods.computeIfAbsent(owner.node(), _ -> new HashSet<>())
                            .add(address));
        }
        Set<String> owning = ledger.blocks().stream()
                .filter(block -> !AddressRules.isOwn(block))
                .map(block -> Ledger.installation(block.owner()))
                .collect(Collectors.toSet());
        // Whatever else is used under a node's name was never a node of ours.
        Map<NodeName, List<NodeEpoch>> known = ledger.nodes().stream().collect(Collectors.groupingBy(NodeEpoch::node));
        Map<NodeName, GoneNode> owners = new TreeMap<>();
        known.forEach((name, installations) -> {
            Set<SingleAddress> addresses = ofPods.getOrDefault(name.value(), Set.of());
            Set<Life> lives = installations.stream()
                    .filter(epoch -> !addresses.isEmpty() || owning.contains(Ledger.installation(epoch)))
                    .map(epoch -> new Life(epoch, version.applyAsLong(epoch)))
                    .collect(Collectors.toSet());
            if (!lives.isEmpty()) {
                owners.put(name, new GoneNode(name, lives, addresses));
            }
        });
        return owners;
    }

    /**
     * What one write takes back.
     *
     * @param fenced installations, in their newest epoch, that are served no more in it
     * @param blocks that become free
     * @param addresses what the single addresses become
     */
    public record Taken(List<NodeEpoch> fenced, List<Block> blocks, List<SingleAddress> addresses) {
        /** Nothing. */
        public static final Taken NOTHING = new Taken(List.of(), List.of(), List.of());

        /** Copies. */
        public Taken {
            fenced = List.copyOf(fenced);
            blocks = List.copyOf(blocks);
            addresses = List.copyOf(addresses);
        }

        /** True when there is nothing to take back any more. */
        public boolean isNothing() {
            return blocks.isEmpty() && addresses.isEmpty();
        }
    }

    /**
     * Takes back what is left of one that is gone: nothing, when one of its installations has written since.
     *
     * @param most blocks, and addresses, at once
     */
    public static Taken takeBack(
            Ledger ledger, ToLongFunction<NodeEpoch> version, GoneNode gone, int most, Instant now) {
        if (!gone.lives().stream().allMatch(life -> isAsSeen(ledger, version, life))) {
            return Taken.NOTHING;
        }
        List<Block> blocks = ledger.blocks().stream()
                .filter(block ->
                        gone.lives().stream().anyMatch(life -> life.newest().sameOwner(block.owner())))
                .limit(most)
                .toList();
        List<SingleAddress> addresses = gone.addresses().stream()
                .filter(address -> ledger.address(address.address()).equals(Optional.of(address)))
                .sorted(Comparator.comparing(SingleAddress::address))
                .limit(most)
                .toList();
        return blocks.isEmpty() && addresses.isEmpty()
                ? Taken.NOTHING
                : new Taken(
                        gone.lives().stream()
                                .map(Life::newest)
                                .sorted(Comparator.comparing(Ledger::installation))
                                .toList(),
                        blocks,
                        addresses.stream()
                                .map(address -> AddressRules.released(address, now))
                                .toList());
    }

    /** True when nothing was written of an installation since, but by what has begun to take its blocks back. */
    private static boolean isAsSeen(Ledger ledger, ToLongFunction<NodeEpoch> version, Life life) {
        Optional<NodeEpoch> newest = ledger.newest(life.newest());
        return newest.equals(Optional.of(life.newest().reclaimed()))
                || (newest.equals(Optional.of(life.newest())) && version.applyAsLong(life.newest()) == life.version());
    }
}

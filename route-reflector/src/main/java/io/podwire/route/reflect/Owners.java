package io.podwire.route.reflect;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.route.rib.NodeEpoch;
import io.podwire.route.rib.OwnedBlock;
import io.podwire.route.rib.Refusal;
import io.podwire.route.rib.Refusal.Reason;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** What ipam-service has said last of who owns what. The reflector's loop owns it. */
final class Owners {
    /** By first address: none overlaps another. */
    private final TreeMap<IpAddress, OwnedBlock> blocks = new TreeMap<>();

    private final Map<IpAddress, NodeName> singles = new HashMap<>();
    /** By node and installation. */
    private final Map<NodeName, Map<String, NodeEpoch>> newest = new HashMap<>();

    private boolean doubted;

    /**
     * Takes what is said of all nodes. A list that lacks more than half of the blocks that were known is not believed
     * before a second one does.
     *
     * @return false when it is not believed
     */
    boolean takeAll(Owned all) {
        Map<IpPrefix, NodeEpoch> there = new HashMap<>();
        all.blocks().forEach(block -> there.put(block.prefix(), block.owner()));
        long lost = blocks.values().stream()
                .filter(block -> !there.containsKey(block.prefix())
                        || !there.get(block.prefix()).sameOwner(block.owner()))
                .count();
        boolean believed = doubted || 2 * lost <= blocks.size();
        doubted = !believed;
        if (believed) {
            blocks.clear();
            singles.clear();
            newest.clear();
            put(all);
        }
        return believed;
    }

    /**
     * Takes the answer to a question.
     *
     * @return nodes that own less than before
     */
    Set<NodeName> take(Question question, Owned answer) {
        Set<NodeName> others = new HashSet<>();
        blocks.values().removeIf(block -> block.owner().node().equals(question.node()));
        newest.remove(question.node());
        for (OwnedBlock block : answer.blocks()) {
            OwnedBlock before = blocks.get(block.prefix().address());
            if (before != null) {
                others.add(before.owner().node());
            }
        }
        for (IpAddress single : question.singles()) {
            NodeName before = singles.remove(single);
            if (before != null && !before.equals(answer.singles().get(single))) {
                others.add(before);
            }
        }
        put(answer);
        return others;
    }

    private void put(Owned owned) {
        owned.blocks().forEach(block -> blocks.put(block.prefix().address(), block));
        singles.putAll(owned.singles());
        owned.installations()
                .forEach(epoch -> newest.computeIfAbsent(epoch.node(), _ -> new HashMap<>())
                        .put(epoch.nodeUid(), epoch));
    }

    /** Those of a life's prefixes that are not its own. */
    List<Refusal> refusals(NodeEpoch life, List<IpPrefix> prefixes) {
        return prefixes.stream()
                .flatMap(prefix -> refusal(life, prefix).stream())
                .toList();
    }

    /** True when a prefix is a life's own. */
    boolean owns(NodeEpoch life, IpPrefix prefix) {
        return refusal(life, prefix).isEmpty();
    }

    /** Why a life is over, one clause; empty while it may not be. */
    Optional<String> over(NodeEpoch life) {
        return Optional.ofNullable(newest.getOrDefault(life.node(), Map.of()).get(life.nodeUid()))
                .filter(life::isBefore)
                .map(known -> "ipam-service knows that this life is over, by start " + known.counter() + " in boot "
                        + known.bootId() + "; stop it, or start node-shim again");
    }

    private Optional<Refusal> refusal(NodeEpoch life, IpPrefix prefix) {
        Optional<String> over = over(life);
        if (over.isPresent()) {
            return refused(Reason.STALE_EPOCH, life, prefix, over.get());
        }
        Map.Entry<IpAddress, OwnedBlock> floor = blocks.floorEntry(prefix.address());
        if (floor != null && floor.getValue().prefix().contains(prefix)) {
            OwnedBlock block = floor.getValue();
            return block.owner().sameOwner(life)
                    ? Optional.empty()
                    : refused(
                            Reason.OWNED_BY_OTHER,
                            life,
                            prefix,
                            "ipam-service names " + block.owner() + " as the owner of block " + block.prefix());
        }
        NodeName single = prefix.length() == prefix.family().bits() ? singles.get(prefix.address()) : null;
        if (life.node().equals(single)) {
            return Optional.empty();
        }
        return single == null
                ? refused(
                        Reason.NOT_OWNED,
                        life,
                        prefix,
                        "ipam-service knows neither a block of this node around it nor a pod on this node that has it")
                : refused(
                        Reason.OWNED_BY_OTHER,
                        life,
                        prefix,
                        "ipam-service says that the single address is used on node " + single);
    }

    private static Optional<Refusal> refused(Reason reason, NodeEpoch life, IpPrefix prefix, String why) {
        return Optional.of(new Refusal(prefix, reason, "prefix " + prefix + " of node " + life + " refused: " + why));
    }
}

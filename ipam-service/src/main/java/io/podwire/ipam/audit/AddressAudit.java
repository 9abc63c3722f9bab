package io.podwire.ipam.audit;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.audit.Audited.Unjudged;
import io.podwire.ipam.audit.Finding.Who;
import io.podwire.ipam.binding.Binding;
import io.podwire.ipam.binding.Binding.Holder;
import io.podwire.ipam.binding.NodeReport;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Compares what the store holds with its pools and with what nodes report. Pure.
 *
 * <p>A node is judged by what it said a moment ago, or not at all; but whatever a node has said once, of an address in use
 * keeps a repair from being proposed: missing data means in use. Each inconsistency is found as one thing: what another
 * finding explains is not told again.
 */
public final class AddressAudit {
    /** A connected node says something every 10 s: what is older than two of these is not believed. */
    public static final Duration FRESH = Duration.ofSeconds(20);

    private final World world;
    private final Ledger ledger;
    private final Cover<Pool> pools;
    private final Cover<Block> blocks;
    /** Those that are judged. */
    private final Map<String, NodeReport> judged = new TreeMap<>();

    private final List<Finding> findings = new ArrayList<>();
    /** Addresses that two have: nothing else is said of them. */
    private final Set<IpAddress> contested = new HashSet<>();

    /** A node's pod that has an address. */
    private record Use(NodeReport report, Binding binding) {
        private Who who() {
            return new Who(
                    report.node().value(),
                    binding.holder().namespace(),
                    binding.holder().pod(),
                    "");
        }

        /** pod NAMESPACE/NAME on node NODE, as far as it is known. */
        @Override
        public String toString() {
            Holder holder = binding.holder();
            return (holder.pod().isEmpty()
                            ? "container " + holder.containerId()
                            : "pod " + holder.namespace() + "/" + holder.pod())
                    + " on node " + report.node();
        }
    }

    /** Gets ready to compare. */
    public AddressAudit(World world) {
        this.world = world;
        this.ledger = world.ledger();
        this.pools = new Cover<>(ledger.pools(), Pool::cidr);
        this.blocks = new Cover<>(ledger.blocks(), Block::cidr);
        for (NodeReport report : world.reports()) {
            if (unbelieved(report).isEmpty()) {
                judged.put(report.node().value(), report);
            }
        }
    }

    /** Compares. */
    public static Audited compare(World world) {
        return new AddressAudit(world).all();
    }

    private Audited all() {
        Map<IpAddress, List<Use>> uses = uses();
        uses.forEach(this::judgeUse);
        ledger.addresses().forEach(single -> judgeSingle(single, uses.containsKey(single.address())));
        judgeBlocks();
        world.requestIds().stream().filter(id -> ledger.blockOf(id).isEmpty()).forEach(this::handle);
        judged.values().forEach(this::ownFindings);
        findings.sort(Comparator.naturalOrder());
        return new Audited(
                findings,
                unjudged(),
                ledger.blocks().size(),
                ledger.addresses().size(),
                judged.values().stream()
                        .mapToInt(report -> report.bindings().size())
                        .sum());
    }

    /** Why a report is not believed, one sentence. */
    private Optional<String> unbelieved(NodeReport report) {
        Duration age = world.now().minus(report.at());
        if (!report.connected()) {
            return Optional.of("it is away, its last message came " + age.toSeconds() + " s ago");
        }
        return age.compareTo(FRESH) > 0
                ? Optional.of("its last message came " + age.toSeconds() + " s ago, and it sends one every 10 s")
                : Optional.empty();
    }

    private List<Unjudged> unjudged() {
        Map<NodeName, String> reasons = new TreeMap<>();
        Set<String> reported = new HashSet<>();
        for (NodeReport report : world.reports()) {
            reported.add(Ledger.installation(report.epoch()));
            unbelieved(report).ifPresent(reason -> reasons.put(report.node(), reason));
        }
        for (Block block : ledger.blocks()) {
            if (!AddressRules.isOwn(block) && !reported.contains(Ledger.installation(block.owner()))) {
                reasons.putIfAbsent(
                        block.owner().node(),
                        "it owns " + block.cidr() + " as installation "
                                + block.owner().uid() + ", which has not reported to this replica");
            }
        }
        return reasons.entrySet().stream()
                .map(entry -> new Unjudged(entry.getKey(), entry.getValue()))
                .toList();
    }

    /** Who has each address, by what judged nodes say. One that cools down is nobody's. */
    private Map<IpAddress, List<Use>> uses() {
        Map<IpAddress, List<Use>> uses = new HashMap<>();
        for (NodeReport report : judged.values()) {
            for (Binding binding : report.bindings()) {
                if (binding.state() == Binding.State.IN_USE) {
                    uses.computeIfAbsent(binding.address(), _ -> new ArrayList<>(1))
                            .add(new Use(report, binding));
                }
            }
        }
        return uses;
    }

    private void judgeUse(IpAddress address, List<Use> uses) {
        if (uses.size() > 1) {
            // The one to go is the one that should not have it.
            Use wrong =
                    uses.stream().filter(use -> !inOwnBlock(use)).findFirst().orElseGet(uses::getLast);
            List<String> all = uses.stream().map(Use::toString).sorted().toList();
            twoOwners(wrong, all, inOwnBlock(wrong) ? "" : ", which does not own its block");
            return;
        }
        Use use = uses.getFirst();
        Optional<SingleAddress> single = ledger.address(address);
        Optional<AddressOwner> owner = single.flatMap(known -> known.use().user());
        if (owner.isPresent()) {
            if (!isSame(owner.get(), use.binding().holder())) {
                twoOwners(use, List.of(owner.get() + " by the store", use.toString()), "");
            }
        } else if (!inOwnBlock(use)) {
            if (pools.over(address).isEmpty()) {
                add(
                        FindingKind.OUTSIDE_POOLS,
                        use,
                        use + " has " + address + ", which is in no pool",
                        "only the node can give it up: delete what has it there, so that it gets another address, or"
                                + " create a pool that has it; `podwire audit` there tells more");
            } else {
                add(
                        FindingKind.USED_NOT_ALLOCATED,
                        use,
                        use + " has " + address + ", which is in " + placeOf(address, single),
                        "only the node can give it up: delete what has it there, so that it gets another address;"
                                + " `podwire audit` there tells more");
            }
        }
    }

    private String placeOf(IpAddress address, Optional<SingleAddress> single) {
        Optional<Block> block = blocks.over(address).stream().findFirst();
        if (block.isEmpty()) {
            return "a block that nobody owns";
        }
        return "block " + block.get().cidr()
                + (AddressRules.isOwn(block.get())
                        ? " of ipam-service, which has it "
                                + single.map(known -> switch (known.use()) {
                                            case AddressUse.Cooling _ -> "cooling down";
                                            case AddressUse.Reserved(Workload workload) -> "reserved for " + workload;
                                            case AddressUse.InUse(AddressOwner owner, Optional<Workload> _) ->
                                                "given to " + owner;
                                        })
                                        .orElse("free")
                        : " of node " + block.get().owner().node());
    }

    private boolean inOwnBlock(Use use) {
        return blocks.over(use.binding().address()).stream()
                .anyMatch(block -> block.owner().sameOwner(use.report().epoch()));
    }

    /** By pod where both name one, or by container. */
    private static boolean isSame(AddressOwner owner, Holder holder) {
        if (!owner.pod().isEmpty() && !holder.pod().isEmpty()) {
            return owner.pod().equals(holder.pod()) && owner.namespace().equals(holder.namespace());
        }
        return !holder.containerId().isEmpty() && owner.id().contains(holder.containerId());
    }

    private void twoOwners(Use wrong, List<String> all, String more) {
        IpAddress address = wrong.binding().address();
        contested.add(address);
        add(
                FindingKind.TWO_OWNERS,
                wrong,
                address + " belongs to " + String.join(" and to ", all),
                "people decide who keeps it: delete " + wrong + more + ", so that it gets another address;"
                        + " `podwire audit` there tells more");
    }

    private void add(FindingKind kind, Use use, String detail, String instead) {
        IpAddress address = use.binding().address();
        findings.add(new Finding(
                kind,
                address.toString(),
                Optional.of(IpPrefix.ofHost(address)),
                poolOf(address),
                use.who(),
                use.binding().since().toString(),
                detail,
                new Repair.None(instead)));
    }

    private String poolOf(IpAddress address) {
        return pools.over(address).stream().findFirst().map(Pool::name).orElse("");
    }

    private void judgeSingle(SingleAddress single, boolean used) {
        if (contested.contains(single.address())) {
            return;
        }
        switch (single.use()) {
            // It ends by itself, wherever the address is.
            case AddressUse.Cooling _ -> {}
            case AddressUse.Reserved(Workload workload) -> {
                if (isLost(single)) {
                    Repair repair = new Repair.EndReservation(single);
                    add(
                            FindingKind.ADDRESS_WITHOUT_BLOCK,
                            single,
                            single.address() + " is reserved for " + workload + ", and " + lost(single),
                            stillHolds(repair)
                                    ? repair
                                    : new Repair.None("a node has reported that it is in use: see what has it, with"
                                            + " podwire addresses " + single.address()));
                }
            }
            case AddressUse.InUse(AddressOwner owner, Optional<Workload> _) -> {
                Repair release = new Repair.Release(single);
                if (isLost(single)) {
                    add(
                            FindingKind.ADDRESS_WITHOUT_BLOCK,
                            single,
                            single.address() + " belongs to " + owner + ", and " + lost(single),
                            new Repair.None("its owner may use it: create the pool again as it was, or release the"
                                    + " address once its owner does not need it, with Addresses/ReleaseAddresses of"
                                    + " owner_id " + owner.id()));
                } else if (!used && stillHolds(release)) {
                    add(
                            FindingKind.ALLOCATED_NOT_USED,
                            single,
                            single.address() + " belongs to " + owner + ", and that node reports no use of it",
                            release);
                }
            }
        }
    }

    private void add(FindingKind kind, SingleAddress single, String detail, Repair repair) {
        Optional<AddressOwner> owner = single.use().user();
        findings.add(new Finding(
                kind,
                single.address().toString(),
                Optional.of(IpPrefix.ofHost(single.address())),
                single.pool(),
                owner.map(of -> new Who(of.node(), of.namespace(), of.pod(), of.id()))
                        .orElse(Who.NOBODY),
                single.since().toString(),
                detail,
                repair));
    }

    /** True when no block of the service, of the address's own pool, is around a single address. */
    private boolean isLost(SingleAddress single) {
        return !inItsPool(single)
                || blocks.over(single.address()).stream()
                        .noneMatch(block ->
                                AddressRules.isOwn(block) && block.pool().equals(single.pool()));
    }

    private boolean inItsPool(SingleAddress single) {
        return ledger.pool(single.pool())
                .filter(pool -> pool.cidr().contains(single.address()))
                .isPresent();
    }

    private String lost(SingleAddress single) {
        if (!inItsPool(single)) {
            return ledger.pool(single.pool()).isPresent()
                    ? "it is outside of its pool " + single.pool()
                    : "its pool " + single.pool() + " is gone";
        }
        return "ipam-service owns no block around it"
                + blocks.over(single.address()).stream()
                        .findFirst()
                        .map(block -> ", but " + block.owner().node() + " does, " + block.cidr())
                        .orElse("");
    }

    private void judgeBlocks() {
        List<Block> sound = new ArrayList<>();
        for (Block block : ledger.blocks()) {
            Optional<String> defect = defect(block);
            if (defect.isPresent()) {
                invalid(block, defect.get());
            } else {
                sound.add(block);
            }
        }
        // Blocks that fit their pools overlap where their pools do: both are nobody's fault, the later is told.
        sound.sort(Comparator.comparing(Block::cidr));
        List<Block> around = new ArrayList<>();
        for (Block block : sound) {
            around.removeIf(before -> !before.cidr().contains(block.cidr()));
            if (!around.isEmpty()) {
                Block other = around.getLast();
                invalid(
                        block,
                        "it shares addresses with block " + other.cidr() + " of pool " + other.pool() + ", of "
                                + other.owner().node());
            }
            around.add(block);
        }
    }

    /** What does not fit in a block by itself. */
    private Optional<String> defect(Block block) {
        Optional<Pool> found = ledger.pool(block.pool());
        if (found.isEmpty()) {
            return Optional.of("its pool is gone");
        }
        Pool pool = found.get();
        boolean own = AddressRules.isOwn(block);
        if (!pool.cidr().contains(block.cidr())) {
            return Optional.of("it lies outside of its pool, " + pool.cidr());
        }
        if (block.cidr().length() != pool.blockLength()) {
            return Optional.of("blocks of its pool are /" + pool.blockLength());
        }
        if (pool.state() == PoolState.RETIRED) {
            return Optional.of("its pool is RETIRED, and has no blocks");
        }
        if (!own && pool.purpose() != PoolPurpose.PODS) {
            return Optional.of("its pool has the purpose " + pool.purpose() + ", and nodes get no block of it");
        }
        return own
                ? Optional.empty()
                : pool.reserved().stream()
                        .filter(range -> range.overlaps(block.cidr()))
                        .findFirst()
                        .map(range -> "its node hands out all of it, and " + range + " of its pool is reserved");
    }

    private void invalid(Block block, String defect) {
        Repair drop = new Repair.DropBlock(block);
        Repair repair;
        if (stillHolds(drop)) {
            repair = drop;
        } else if (AddressRules.isOwn(block)) {
            repair = new Repair.None("single addresses of it are in use, cool down or are reserved: they go first, see"
                    + " podwire addresses --prefix " + block.cidr());
        } else {
            String node = block.owner().node().value();
            repair = new Repair.None("its node may give an address of it at any moment: make the pool as it was, or"
                    + " drain node " + node + ", stop its node-shim, and release the block in its name with"
                    + " Blocks/ReleaseBlock; `podwire audit` there tells what uses it");
        }
        findings.add(new Finding(
                FindingKind.INVALID_BLOCK,
                block.cidr().toString(),
                Optional.of(block.cidr()),
                block.pool(),
                new Who(block.owner().node().value(), "", "", ""),
                block.requestId(),
                "block " + block.cidr() + " of pool " + block.pool() + " belongs to " + block.owner() + ", and "
                        + defect,
                repair));
    }

    private void handle(String requestId) {
        findings.add(new Finding(
                FindingKind.HANDLE_WITHOUT_ADDRESS,
                requestId,
                Optional.empty(),
                "",
                Who.NOBODY,
                "",
                "the store knows request " + requestId + " of a claim, and no block that it took",
                new Repair.DropHandle(requestId)));
    }

    /** What a node finds by itself, one for each kind of object. */
    private void ownFindings(NodeReport report) {
        report.findings()
                .forEach((object, count) -> findings.add(new Finding(
                        FindingKind.NODE_DIFFERS,
                        object,
                        Optional.empty(),
                        "",
                        new Who(report.node().value(), "", "", ""),
                        "",
                        "the node's own audit of journal and kernel finds " + count + " of this kind",
                        new Repair.None("node-shim repairs drift by itself: what stays is for podwire audit on that"
                                + " node, which names each"))));
    }

    /** True when a repair is safe by all that is known: what was found is still so, and nobody uses what it takes away. */
    public boolean stillHolds(Repair repair) {
        return switch (repair) {
            case Repair.Release(SingleAddress single) ->
                isKnown(single)
                        && single.use()
                                .user()
                                .filter(owner -> !owner.pod().isEmpty() && judged.containsKey(owner.node()))
                                .isPresent()
                        && !mayBeUsed(IpPrefix.ofHost(single.address()));
            case Repair.EndReservation(SingleAddress single) ->
                isKnown(single) && isLost(single) && !mayBeUsed(IpPrefix.ofHost(single.address()));
            case Repair.DropBlock(Block block) ->
                AddressRules.isOwn(block)
                        && ledger.blocksOf(block.pool()).contains(block)
                        && defect(block).isPresent()
                        && ledger.addressesIn(block.cidr()).isEmpty()
                        && !mayBeUsed(block.cidr());
            case Repair.DropHandle(String requestId) ->
                world.requestIds().contains(requestId)
                        && ledger.blockOf(requestId).isEmpty();
            case Repair.None _ -> false;
        };
    }

    private boolean isKnown(SingleAddress single) {
        return ledger.address(single.address()).equals(Optional.of(single));
    }

    /** True when any node has ever said that it has an address of these, however long ago. */
    private boolean mayBeUsed(IpPrefix range) {
        for (NodeReport report : world.reports()) {
            List<Binding> bindings = report.bindings();
            for (int i = report.indexFrom(range.address());
                    i < bindings.size() && range.contains(bindings.get(i).address());
                    i++) {
                if (bindings.get(i).state() == Binding.State.IN_USE) {
                    return true;
                }
            }
        }
        return false;
    }
}

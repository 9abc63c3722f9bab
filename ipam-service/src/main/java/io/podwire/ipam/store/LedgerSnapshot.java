package io.podwire.ipam.store;

import io.podwire.common.net.IpAddress;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.SingleAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.pcollections.HashTreePMap;
import org.pcollections.PMap;

/**
 * The ledger as it was known at one moment, with the versions it had, and the writes that are safe from there however old
 * it is. Each lists every key its decision rests on:
 *
 * <ul>
 *   <li>a claim rewrites its pool, so that it cannot meet the pool's deletion or change; its node, so that it
 *       cannot meet a newer life's claim; and it makes the key of its request id, so that one id takes
 *       one block over all pools;
 *   <li>an allocation of single addresses rewrites their pools, as a claim does; and the key of its owner's hash, so that
 *       an owner does not get addresses twice;
 *   <li>a reclaim rewrites the nodes that it takes blocks of, so that it cannot meet a call of theirs;
 *   <li>the creation or change of a pool rewrites {@code catalog}, so that two overlapping ones cannot meet.
 * </ul>
 *
 * A decision that writes nothing, as every refusal, rests on nothing but the snapshot: it needs one that was
 * {@link #refreshed} after it was asked for.
 */
public final class LedgerSnapshot {
    /** Before the first reading. */
    public static final LedgerSnapshot NONE = new LedgerSnapshot(0, Ledger.EMPTY, HashTreePMap.empty());

    /** Version of what is not written yet. Nobody sees it: a key's first change tells what is expected. */
    private static final long PENDING = -1;

    /** Everything up to it is here, and perhaps writes of this process after it. */
    private final long revision;

    private final Ledger ledger;
    private final PMap<String, Long> versions;

    private LedgerSnapshot(long revision, Ledger ledger, PMap<String, Long> versions) {
        this.revision = revision;
        this.ledger = ledger;
        this.versions = versions;
    }

    /** Reads all of the store. */
    public static LedgerSnapshot read(IpamStore store) {
        return NONE.refreshed(store);
    }

    /** Reads what the store has that this has not. Keys that this release does not know are left alone. */
    public LedgerSnapshot refreshed(IpamStore store) {
        Reading reading = store.read(revision);
        LedgerSnapshot from = reading.whole() ? NONE : this;
        Ledger next = from.ledger;
        PMap<String, Long> nextVersions = from.versions;
        for (Entry entry : reading.entries()) {
            next = LedgerCodec.with(next, entry);
            nextVersions = nextVersions.plus(entry.key(), entry.version());
        }
        return new LedgerSnapshot(reading.revision(), next, nextVersions);
    }

    /** As if these changes were in the store, where nobody sees them yet. */
    public LedgerSnapshot applied(Iterable<Change> changes) {
        Ledger next = ledger;
        PMap<String, Long> nextVersions = versions;
        for (Change change : changes) {
            switch (change) {
                case Change.Put(String key, long _, Value content) -> {
                    next = LedgerCodec.with(next, key, content);
                    nextVersions = nextVersions.plus(key, PENDING);
                }
                case Change.Delete(String key, long _) -> {
                    next = LedgerCodec.without(next, key);
                    nextVersions = nextVersions.minus(key);
                }
                case Change.Check _ -> {}
            }
        }
        return new LedgerSnapshot(revision, next, nextVersions);
    }

    /**
     * The same once it is in place: what {@link #applied} made of the changes gets its version.
     *
     * @param changes all that were applied, as the one write that put them in the store
     */
    public LedgerSnapshot written(Iterable<Change> changes, long version) {
        PMap<String, Long> nextVersions = versions;
        for (Change change : changes) {
            nextVersions = switch (change) {
                case Change.Put put -> nextVersions.plus(put.key(), version);
                case Change.Delete _, Change.Check _ -> nextVersions;
            };
        }
        // Nobody wrote between what was known and this.
        return new LedgerSnapshot(version == revision + 1 ? version : revision, ledger, nextVersions);
    }

    /** What was read. */
    public Ledger ledger() {
        return ledger;
    }

    /** Makes the block its owner's. */
    public List<Change> assign(Pool pool, Block block) {
        return List.of(
                put(LedgerCodec.key(pool), new Value.OfPool(pool)),
                put(LedgerCodec.key(block.owner()), new Value.OfNode(block.owner())),
                put(LedgerCodec.requestKey(block), LedgerCodec.encodeRequest(block)),
                put(LedgerCodec.key(block), new Value.OfBlock(block)));
    }

    /**
     * Confirms that the caller holds the block, and makes its epoch the newest known. This is a write
     * on purpose: some etcd releases were seen to answer reads from the past (etcd issue 20418).
     */
    public List<Change> confirm(Block block, NodeEpoch caller) {
        return List.of(
                put(LedgerCodec.key(caller), new Value.OfNode(caller)),
                new Change.Check(LedgerCodec.key(block), version(LedgerCodec.key(block))));
    }

    /** Makes the block free. */
    public List<Change> release(Block block, NodeEpoch caller) {
        return List.of(
                put(LedgerCodec.key(caller), new Value.OfNode(caller)),
                delete(LedgerCodec.requestKey(block)),
                delete(LedgerCodec.key(block)));
    }

    /**
     * Makes blocks free, gives single addresses another use, and fences the installations that had them: each key that
     * says in which life one is known is compared, so that this cannot meet a call of theirs.
     */
    public List<Change> takeBack(List<NodeEpoch> fenced, List<Block> blocks, List<SingleAddress> addresses) {
        List<Change> changes = new ArrayList<>();
        fenced.forEach(epoch -> changes.add(put(LedgerCodec.key(epoch), LedgerCodec.encode(epoch.reclaimed()))));
        blocks.forEach(block -> {
            changes.add(delete(LedgerCodec.requestKey(block)));
            changes.add(delete(LedgerCodec.key(block)));
        });
        changes.addAll(turn(addresses));
        return changes;
    }

    /** Adds the pool, or gives the one of its name this content. */
    public List<Change> write(Pool pool) {
        return List.of(
                put(LedgerCodec.CATALOG, LedgerCodec.catalog()), put(LedgerCodec.key(pool), new Value.OfPool(pool)));
    }

    /** Removes the pool; fails when a block of it was claimed since. */
    public List<Change> delete(Pool pool) {
        String turns = LedgerCodec.DRAINS + pool.name();
        return version(turns) == Change.ABSENT
                ? List.of(delete(LedgerCodec.key(pool)))
                : List.of(delete(LedgerCodec.key(pool)), delete(turns));
    }

    /** Takes the next turn to evict pods of a pool, whose state and pace are as they are known here. */
    public List<Change> takeDrainTurn(Pool pool) {
        return List.of(
                new Change.Check(LedgerCodec.key(pool), version(LedgerCodec.key(pool))),
                put(LedgerCodec.DRAINS + pool.name(), LedgerCodec.catalog()));
    }

    /** What is known of a pool and of its turns to evict pods: another value after each change and each turn. */
    public DrainVersion drainVersion(Pool pool) {
        return new DrainVersion(version(LedgerCodec.key(pool)), version(LedgerCodec.DRAINS + pool.name()));
    }

    /**
     * A moment in the draining of a pool.
     *
     * @param pool version of the pool
     * @param turn version of its last turn
     */
    public record DrainVersion(long pool, long turn) {}

    /** Makes single addresses their owner's, and blocks the service's. */
    public List<Change> allocate(String ownerId, List<SingleAddress> addresses, List<Block> blocks) {
        return taken(LedgerCodec.ownerKey(ownerId), addresses, blocks);
    }

    /** Makes single addresses reserved, and blocks the service's. */
    public List<Change> reserve(List<SingleAddress> addresses, List<Block> blocks) {
        return taken(LedgerCodec.RESERVATIONS, addresses, blocks);
    }

    private List<Change> taken(String compared, List<SingleAddress> addresses, List<Block> blocks) {
        List<Change> changes = new ArrayList<>();
        changes.add(put(compared, LedgerCodec.catalog()));
        rewrite(addresses.stream().map(SingleAddress::pool), changes);
        blocks.forEach(block -> changes.add(put(LedgerCodec.key(block), new Value.OfBlock(block))));
        changes.addAll(turn(addresses));
        return changes;
    }

    /** Gives single addresses that are not free another use. */
    public List<Change> turn(List<SingleAddress> addresses) {
        return addresses.stream()
                .map(address -> put(LedgerCodec.key(address), new Value.OfAddress(address)))
                .toList();
    }

    /** Makes single addresses free, and blocks of the service nobody's. */
    public List<Change> forget(List<SingleAddress> addresses, List<Block> blocks) {
        List<Change> changes = new ArrayList<>();
        // So that nobody takes an address of such a block meanwhile.
        rewrite(blocks.stream().map(Block::pool), changes);
        blocks.forEach(block -> changes.add(delete(LedgerCodec.key(block))));
        addresses.forEach(address -> changes.add(delete(LedgerCodec.key(address))));
        return changes;
    }

    /** Request ids of claims that the store knows, whatever became of their blocks. */
    public Set<String> requestIds() {
        return versions.keySet().stream()
                .filter(key -> key.startsWith(LedgerCodec.REQUESTS))
                .map(key -> key.substring(LedgerCodec.REQUESTS.length()))
                .collect(Collectors.toSet());
    }

    /** Forgets a claim's request that has no block. */
    public List<Change> forgetRequest(String requestId) {
        return List.of(delete(LedgerCodec.REQUESTS + requestId));
    }

    /** Removes the record of a block of the service: no pool is made over it, and no address of it given, meanwhile. */
    public List<Change> drop(Block block) {
        List<Change> changes = new ArrayList<>();
        changes.add(put(LedgerCodec.CATALOG, LedgerCodec.catalog()));
        rewrite(
                ledger.pools().stream()
                        .filter(pool -> pool.cidr().overlaps(block.cidr()))
                        .map(Pool::name),
                changes);
        changes.add(delete(LedgerCodec.key(block)));
        return changes;
    }

    private void rewrite(Stream<String> pools, List<Change> changes) {
        pools.distinct()
                .forEach(name -> ledger.pool(name)
                        .ifPresent(pool -> changes.add(put(LedgerCodec.key(pool), new Value.OfPool(pool)))));
    }

    /** The version of what is known of a single address, {@link Change#ABSENT} when it is free. */
    public long version(IpAddress address) {
        return version(LedgerCodec.ADDRESSES + address);
    }

    /** The version of what is known of an installation, {@link Change#ABSENT} when nothing is. */
    public long version(NodeEpoch epoch) {
        return version(LedgerCodec.key(epoch));
    }

    private Change delete(String key) {
        return new Change.Delete(key, version(key));
    }

    private Change put(String key, String value) {
        return put(key, new Value.Text(value));
    }

    private Change put(String key, Value value) {
        return new Change.Put(key, version(key), value);
    }

    private long version(String key) {
        return Optional.ofNullable(versions.get(key)).orElse(Change.ABSENT);
    }
}

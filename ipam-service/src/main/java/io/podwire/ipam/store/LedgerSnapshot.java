package io.podwire.ipam.store;

import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The ledger at one moment with the versions it had, and the writes that are safe from there. Each
 * lists every key its decision rests on:
 *
 * <ul>
 *   <li>a claim rewrites its pool, so that it cannot meet the pool's deletion or change; its node, so that it
 *       cannot meet a newer life's claim; and it makes the key of its request id, so that one id takes
 *       one block over all pools;
 *   <li>the creation or change of a pool rewrites {@code catalog}, so that two overlapping ones cannot meet.
 * </ul>
 */
public final class LedgerSnapshot {
    private final Ledger ledger;
    private final Map<String, Long> versions;

    private LedgerSnapshot(Ledger ledger, Map<String, Long> versions) {
        this.ledger = ledger;
        this.versions = versions;
    }

    /** Reads the store. Keys that this release does not know are left alone. */
    public static LedgerSnapshot read(IpamStore store) {
        List<Pool> pools = new ArrayList<>();
        List<Block> blocks = new ArrayList<>();
        List<NodeEpoch> nodes = new ArrayList<>();
        Map<String, Long> versions = new HashMap<>();
        for (Entry entry : store.load()) {
            versions.put(entry.key(), entry.version());
            if (entry.key().startsWith(LedgerCodec.POOLS)) {
                pools.add(LedgerCodec.pool(entry));
            } else if (entry.key().startsWith(LedgerCodec.BLOCKS)) {
                blocks.add(LedgerCodec.block(entry));
            } else if (entry.key().startsWith(LedgerCodec.NODES)) {
                nodes.add(LedgerCodec.node(entry));
            }
        }
        return new LedgerSnapshot(new Ledger(pools, blocks, nodes), versions);
    }

    /** What was read. */
    public Ledger ledger() {
        return ledger;
    }

    /** Makes the block its owner's. */
    public List<Change> assign(Pool pool, Block block) {
        return List.of(
                put(LedgerCodec.key(pool), LedgerCodec.encode(pool)),
                put(LedgerCodec.key(block.owner()), LedgerCodec.encode(block.owner())),
                put(LedgerCodec.requestKey(block), LedgerCodec.encodeRequest(block)),
                put(LedgerCodec.key(block), LedgerCodec.encode(block)));
    }

    /**
     * Confirms that the caller holds the block, and makes its epoch the newest known. This is a write
     * on purpose: some etcd releases were seen to answer reads from the past (etcd issue 20418).
     */
    public List<Change> confirm(Block block, NodeEpoch caller) {
        return List.of(
                put(LedgerCodec.key(caller), LedgerCodec.encode(caller)),
                new Change.Check(LedgerCodec.key(block), version(LedgerCodec.key(block))));
    }

    /** Makes the block free. */
    public List<Change> release(Block block, NodeEpoch caller) {
        return List.of(
                put(LedgerCodec.key(caller), LedgerCodec.encode(caller)),
                delete(LedgerCodec.requestKey(block)),
                delete(LedgerCodec.key(block)));
    }

    /** Adds the pool, or gives the one of its name this content. */
    public List<Change> write(Pool pool) {
        return List.of(
                put(LedgerCodec.CATALOG, LedgerCodec.catalog()), put(LedgerCodec.key(pool), LedgerCodec.encode(pool)));
    }

    /** Removes the pool; fails when a block of it was claimed since. */
    public List<Change> delete(Pool pool) {
        return List.of(delete(LedgerCodec.key(pool)));
    }

    private Change delete(String key) {
        return new Change.Delete(key, version(key));
    }

    private Change put(String key, String value) {
        return new Change.Put(key, version(key), value);
    }

    private long version(String key) {
        return versions.getOrDefault(key, Change.ABSENT);
    }
}

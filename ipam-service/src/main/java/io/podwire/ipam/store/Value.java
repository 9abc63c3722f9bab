package io.podwire.ipam.store;

import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.SingleAddress;

/**
 * What a key is to hold: text, or that which {@link LedgerCodec} makes text of. It does so when a store writes it, and not
 * for each of many decisions of one write; and nothing is read again that was only just decided.
 */
public sealed interface Value {
    /** A pool. */
    record OfPool(Pool pool) implements Value {}

    /** An epoch of a node. */
    record OfNode(NodeEpoch node) implements Value {}

    /** An owned block. */
    record OfBlock(Block block) implements Value {}

    /** A single address that is not free. */
    record OfAddress(SingleAddress address) implements Value {}

    /** Text. */
    record Text(String text) implements Value {}
}

package io.podwire.node.address;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.PodAddresses;
import java.util.List;

/**
 * What became of an owner's wish for addresses; but for the first, nothing was taken.
 *
 * @param <O> the owner's type
 */
public sealed interface Taking<O> {
    /** They are the owner's. */
    record Taken<O>(PodAddresses addresses) implements Taking<O> {}

    /**
     * Every address of a family that would do is in use or cools down.
     *
     * @param pool the one whose blocks were looked at alone; empty: all were
     */
    record Exhausted<O>(IpFamily family, String pool) implements Taking<O> {}

    /**
     * No pool was named, and every address of those that select the namespace is in use or cools down.
     *
     * @param pools those, by name, at least one
     */
    record NamespaceExhausted<O>(IpFamily family, List<String> pools) implements Taking<O> {
        /** Copies. */
        public NamespaceExhausted {
            pools = List.copyOf(pools);
        }
    }

    /** The pool that was named, or that a named address is of, is for other namespaces. */
    record NotForNamespace<O>(String pool) implements Taking<O> {}

    /** No block is of the pool that was named. */
    record NoBlock<O>(String pool) implements Taking<O> {}

    /** An address that was named is another's. */
    record Held<O>(IpAddress address, O holder) implements Taking<O> {}

    /** An address that was named was released a moment ago. */
    record Cooling<O>(IpAddress address) implements Taking<O> {}

    /** An address that was named is in no block. */
    record Elsewhere<O>(IpAddress address) implements Taking<O> {}

    /** An address that was named is in a block of another pool than the one that was named. */
    record OtherPool<O>(IpAddress address, IpPrefix block, String pool) implements Taking<O> {}

    /** An address that was named is in a block that gives none any more, as of a pool that drains. */
    record Closed<O>(IpAddress address, IpPrefix block, String pool) implements Taking<O> {}
}

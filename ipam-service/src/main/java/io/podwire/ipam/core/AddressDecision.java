package io.podwire.ipam.core;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import java.util.List;

/** What the wish for addresses comes to. */
public sealed interface AddressDecision {
    /**
     * These become the owner's, in the order of the wishes.
     *
     * @param blocks blocks that become the service's own, to take them from
     */
    record Assign(List<SingleAddress> addresses, List<Block> blocks) implements AddressDecision {}

    /** The owner has them already, in the order of the wishes. */
    record AlreadyHeld(List<SingleAddress> addresses) implements AddressDecision {}

    /** The owner has others than it asks for. */
    record HasOthers(List<SingleAddress> addresses) implements AddressDecision {}

    /** Somebody else has this one. */
    record Held(SingleAddress by) implements AddressDecision {}

    /** This one was released, and cools down. */
    record Cooling(SingleAddress address) implements AddressDecision {}

    /** This one is reserved for another workload. */
    record ReservedFor(SingleAddress address, Workload workload) implements AddressDecision {}

    /** Nothing of the family and pool wished for is reserved for the workload. */
    record NothingReserved(AddressWish wish, Workload workload) implements AddressDecision {}

    /** This one is in a block whose node hands it out itself. */
    record OfNode(IpAddress address, Block block) implements AddressDecision {}

    /** This one is in a range that its pool gives to nobody. */
    record InReservedRange(IpAddress address, Pool pool) implements AddressDecision {}

    /** This one is in no pool, or not in the one that was named. */
    record Outside(IpAddress address, String pool) implements AddressDecision {}

    /** No pool has the name. */
    record NoSuchPool(String pool) implements AddressDecision {}

    /** The pool gives nothing now. */
    record Closed(Pool pool) implements AddressDecision {}

    /** None of these pools has a free address. */
    record NoneFree(AddressWish wish, List<Pool> pools) implements AddressDecision {}

    /** A Service wishes for something of a pool whose purpose is another than load balancers. */
    record NotForServices(Pool pool) implements AddressDecision {}

    /** A Service wishes for something of a pool that does not select its namespace. */
    record NotForNamespace(Pool pool) implements AddressDecision {}

    /** No pool of the family is for load balancers of the Service's namespace. */
    record NoPoolForService(IpFamily family) implements AddressDecision {}
}

package io.podwire.e2e.ipam.sim;

import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.ReclaimRules.Patience;
import io.podwire.ipam.core.Workload;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.Entry;
import io.podwire.ipam.store.Reading;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** What the parts of a simulation do where a {@link Bug} does something else. */
interface Conduct {
    /** As it should be. */
    Conduct SOUND = new Conduct() {};

    /** Whether the store takes a change of a key that has this version. */
    default boolean matches(Change change, long version) {
        return change.expected() == version;
    }

    /** Whether the store answers a write before it is on disk. */
    default boolean answersEarly() {
        return false;
    }

    /**
     * What the store makes of a change that it takes.
     *
     * @param before what the key holds
     */
    default Change taken(Change change, Optional<Entry> before) {
        return change;
    }

    /** What a replica writes, one after the other as long as each is taken. */
    default List<List<Change>> writes(List<Change> changes) {
        return List.of(written(changes));
    }

    /** What a replica writes where that is one write. */
    default List<Change> written(List<Change> changes) {
        return changes;
    }

    /**
     * What a replica takes a reading for.
     *
     * @param afterWrite whether it reads because a write has failed
     */
    default Reading read(Reading reading, long since, boolean afterWrite) {
        return reading;
    }

    /** Which life a replica takes a caller for. */
    default NodeEpoch caller(NodeEpoch caller, Supplier<Ledger> ledger) {
        return caller;
    }

    /** As which replica of a workload somebody is given addresses. */
    default Optional<Workload> workload(
            Optional<Workload> workload, List<AddressWish> wishes, Supplier<Ledger> ledger) {
        return workload;
    }

    /** How somebody is refused addresses. */
    default ServiceException refusal(ServiceException refusal, Supplier<Ledger> ledger) {
        return refusal;
    }

    /** By whom a replica takes addresses to be released. */
    default String releaser(String ownerId, List<IpAddress> addresses, Supplier<Ledger> ledger) {
        return ownerId;
    }

    /** How soon a replica frees what cools down this long. */
    default Duration coolDown(Duration coolDown) {
        return coolDown;
    }

    /** How soon a node gives again what cools down this long. */
    default Duration coolDownOfNode(Duration coolDown) {
        return coolDown;
    }

    /** The request id of a node's next try of a claim. */
    default String retried(String requestId, Supplier<String> another) {
        return requestId;
    }

    /** How patient a replica is with nodes that are missing. */
    default Patience patience(Patience patience) {
        return patience;
    }

    /** How many looks at the nodes a replica takes one list for. */
    default int looksOfAList() {
        return 1;
    }

    /** Whether a node that begins repeats a claim of its, and lists its blocks again after that. */
    default boolean confirms() {
        return true;
    }

    /** Whether a node goes on with a block that it gives back. */
    default boolean keepsReleased() {
        return false;
    }
}

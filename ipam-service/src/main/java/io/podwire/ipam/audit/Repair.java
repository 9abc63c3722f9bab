package io.podwire.ipam.audit;

import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.SingleAddress;

/** What can be done about a finding. Each but {@link None} is safe as long as {@link AddressAudit#stillHolds} says so. */
public sealed interface Repair {
    /** Takes a single address from its owner: it cools down, or is its workload's again. */
    record Release(SingleAddress address) implements Repair {}

    /** Ends the reservation of a single address, which cools down. */
    record EndReservation(SingleAddress address) implements Repair {}

    /** Removes the record of a block that the service owns and takes nothing from. */
    record DropBlock(Block block) implements Repair {}

    /** Removes what is known of a claim's request. */
    record DropHandle(String requestId) implements Repair {}

    /**
     * Nothing is safe.
     *
     * @param instead why, and what to do
     */
    record None(String instead) implements Repair {}

    /** What it does, a few words; empty for none. */
    default String action() {
        return switch (this) {
            case Release(SingleAddress address) ->
                "release " + address.address() + " from "
                        + address.use().user().map(Object::toString).orElse("nobody");
            case EndReservation(SingleAddress address) ->
                "end the reservation of " + address.address()
                        + address.use()
                                .reserved()
                                .map(workload -> " for " + workload)
                                .orElse("");
            case DropBlock(Block block) -> "drop the record of block " + block.cidr() + " of pool " + block.pool();
            case DropHandle(String requestId) -> "drop what is known of request " + requestId;
            case None _ -> "";
        };
    }
}

package io.podwire.node.dataplane;

import io.podwire.node.plan.WiringMode.Macvlan.Reach;

/** Submode private of the macvlan mode keeps the contract. */
final class MacvlanPrivateContractNetnsTest extends MacvlanContract {
    @Override
    Reach reach() {
        return Reach.PRIVATE;
    }

    /** The ruleset keeps them apart on their way through the node. */
    @Override
    boolean podsReachEachOther() {
        return false;
    }
}

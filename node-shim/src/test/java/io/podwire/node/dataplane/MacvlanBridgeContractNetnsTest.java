package io.podwire.node.dataplane;

import io.podwire.node.plan.WiringMode.Macvlan.Reach;

/** Submode bridge of the macvlan mode keeps the contract. */
final class MacvlanBridgeContractNetnsTest extends MacvlanContract {
    @Override
    Reach reach() {
        return Reach.BRIDGE;
    }
}

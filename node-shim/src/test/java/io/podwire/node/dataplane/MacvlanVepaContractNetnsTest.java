package io.podwire.node.dataplane;

import io.podwire.node.plan.WiringMode.Macvlan.Reach;

/** Submode vepa of the macvlan mode keeps the contract. */
final class MacvlanVepaContractNetnsTest extends MacvlanContract {
    @Override
    Reach reach() {
        return Reach.VEPA;
    }
}

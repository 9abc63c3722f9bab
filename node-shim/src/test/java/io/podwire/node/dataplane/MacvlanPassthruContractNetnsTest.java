package io.podwire.node.dataplane;

import io.podwire.node.plan.WiringMode.Macvlan.Reach;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.util.stream.Stream;

/** Submode passthru of the macvlan mode keeps the contract. */
final class MacvlanPassthruContractNetnsTest extends MacvlanContract {
    @Override
    Reach reach() {
        return Reach.PASSTHRU;
    }

    @Override
    boolean takesTwoPods() {
        return false;
    }

    /** The device gives all of its frames to the pod, none to the node. */
    @Override
    Space gateway() {
        return wire;
    }

    @Override
    boolean gatewayIsNeighbour() {
        return false;
    }

    @Override
    Stream<Broken> brokenOnTheNode() {
        return Stream.of(new Broken("h", "link del m0", "link", "the device of c1/eth0 is gone"));
    }
}

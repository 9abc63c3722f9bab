package io.podwire.node.dataplane;

import io.podwire.node.netns.NetnsThread;
import io.podwire.node.plan.WiringMode;
import java.util.Set;
import java.util.stream.Stream;

/** The bridge mode keeps the contract. */
final class BridgeContractNetnsTest extends PodWiringContract {
    @Override
    WiringMode mode() {
        return new WiringMode.Bridge();
    }

    @Override
    PodWiring wiring(Parts parts) {
        BridgeWiring wiring = new BridgeWiring(
                parts.sockets(), parts.events(), Runnable::run, parts.sysctl(), parts.families(), parts.failPoints());
        try {
            NetnsThread.call(node.netns(), () -> {
                wiring.prepare(1450, Set.of());
                return true;
            });
        } catch (Exception e) {
            throw new AssertionError(e);
        }
        return wiring;
    }

    @Override
    Stream<Broken> brokenOnTheNode() {
        return Stream.of(
                new Broken("h", "link del HOST", "link", "is gone"),
                new Broken("h", "link set HOST nomaster", "link", "is not a port of pw0"),
                new Broken("h", "-6 route del fd00::5/128", "route", "no route to pw0"),
                new Broken("h", "neigh del 10.1.0.5 dev pw0", "neighbour", "no permanent neighbour"),
                new Broken("b", "fdb del MAC dev HOST master", "fdb", "no static entry"));
    }
}

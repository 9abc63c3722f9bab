package io.podwire.node.dataplane;

import io.podwire.node.plan.WiringMode;
import java.util.stream.Stream;

/** The routed mode keeps the contract. */
final class RoutedContractNetnsTest extends PodWiringContract {
    @Override
    WiringMode mode() {
        return new WiringMode.Routed();
    }

    @Override
    PodWiring wiring(Parts parts) {
        return new RoutedWiring(
                parts.sockets(), parts.events(), Runnable::run, parts.sysctl(), parts.families(), parts.failPoints());
    }

    @Override
    Stream<Broken> brokenOnTheNode() {
        return Stream.of(
                new Broken("h", "link del HOST", "link", "is gone"),
                new Broken("h", "link set HOST down", "link", "is down"),
                new Broken("h", "link set HOST master pw0", "link", "is a port of another device"),
                new Broken("h", "link set HOST address 02:00:00:00:00:66", "link", "has MAC address"),
                new Broken("h", "addr del 169.254.1.1/32 dev HOST", "address", "is gone from pw1"),
                new Broken("h", "-6 addr del fe80::1/128 dev HOST", "address", "is gone from pw1"),
                new Broken("h", "route del 10.1.0.5/32", "route", "no route to pw1"),
                new Broken("h", "-6 route del fd00::5/128", "route", "no route to pw1"),
                new Broken("h", "route replace 10.1.0.5/32 dev HOST proto static", "route", "no route to pw1"),
                new Broken("h", "neigh del 10.1.0.5 dev HOST", "neighbour", "no permanent neighbour"),
                new Broken("h", "-6 neigh del fd00::5 dev HOST", "neighbour", "no permanent neighbour"),
                new Broken(
                        "h", "neigh replace 10.1.0.5 lladdr 02:00:00:00:00:66 dev HOST", "neighbour", "no permanent"));
    }
}

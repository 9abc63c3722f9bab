package io.podwire.node.dataplane;

import io.podwire.node.plan.WiringMode;
import io.podwire.node.plan.WiringMode.Macvlan.Reach;
import java.util.stream.Stream;

/** What the submodes of macvlan share. */
abstract class MacvlanContract extends PodWiringContract {
    abstract Reach reach();

    @Override
    WiringMode mode() {
        return new WiringMode.Macvlan("m0", reach(), false);
    }

    @Override
    PodWiring wiring(Parts parts) {
        return new DeviceWiring(parts.sockets(), parts.sysctl(), parts.families(), parts.failPoints());
    }

    private String another() {
        return reach() == Reach.VEPA ? "private" : "vepa";
    }

    @Override
    Stream<Broken> brokenOnTheNode() {
        return Stream.of(
                new Broken("h", "link del HOST", "link", "the node's own macvlan on m0 is gone"),
                new Broken("h", "link set HOST down", "link", "is down"),
                new Broken("h", "link del m0", "link", "the device of c1/eth0 is gone"),
                new Broken("h", "addr del 169.254.1.1/32 dev HOST", "address", "is gone from pwm"),
                new Broken("h", "-6 addr del fe80::1/128 dev HOST", "address", "is gone from pwm"),
                new Broken("h", "route del 10.1.0.5/32", "route", "no route to pwm"),
                new Broken("h", "-6 route del fd00::5/128", "route", "no route to pwm"),
                new Broken("h", "neigh del 10.1.0.5 dev HOST", "neighbour", "no permanent neighbour"),
                new Broken("h", "-6 neigh del fd00::5 dev HOST", "neighbour", "no permanent neighbour"),
                new Broken("p", "link set eth0 type macvlan mode " + another(), "link", "is no macvlan of mode"));
    }
}

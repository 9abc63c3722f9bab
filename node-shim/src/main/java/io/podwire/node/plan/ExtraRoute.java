package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * A route inside the pod beside its default route (CNI 1.1, "Result", routes).
 *
 * @param destination where to
 * @param gateway next hop; empty: the pod's gateway of that family
 * @param mtu of packets along it, in bytes; empty: the interface's
 * @param advmss TCP's largest segment along it, in bytes; empty: as the MTU says
 * @param priority lowest first, 0 to 2^32-1; empty: the kernel's default
 * @param table routing table, 1 to 2^32-1; empty: the main one
 * @param scope 0: global; empty: as 0, and the result does not name it
 */
public record ExtraRoute(
        IpPrefix destination,
        Optional<IpAddress> gateway,
        OptionalInt mtu,
        OptionalInt advmss,
        OptionalLong priority,
        OptionalLong table,
        OptionalInt scope) {
    /** Checks the families. */
    public ExtraRoute {
        if (gateway.isPresent() && gateway.get().family() != destination.family()) {
            throw new IllegalArgumentException(
                    "route to " + destination + " cannot go by " + gateway.get() + ", which is of another family");
        }
    }
}

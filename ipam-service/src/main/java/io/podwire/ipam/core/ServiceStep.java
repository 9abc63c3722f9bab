package io.podwire.ipam.core;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import java.util.List;
import java.util.Set;

/** The one thing to do next about a Service's addresses; what follows is decided anew. */
public sealed interface ServiceStep {
    /** Takes an address of this family, by {@link ServiceAddressRules#take}. */
    record Take(IpFamily family) implements ServiceStep {}

    /**
     * Has its status tell of these addresses alone, in this order.
     *
     * @param addresses none: of none any more
     */
    record Show(List<IpAddress> addresses) implements ServiceStep {}

    /** Takes these addresses out of its status, and leaves what else is there: that is somebody else's. */
    record Hide(Set<IpAddress> addresses) implements ServiceStep {}

    /** Gives this address back, which its status does not tell of. */
    record Release(ServiceOwner owner, IpAddress address) implements ServiceStep {}

    /** Nothing, as far as can be. */
    record Settled() implements ServiceStep {}
}

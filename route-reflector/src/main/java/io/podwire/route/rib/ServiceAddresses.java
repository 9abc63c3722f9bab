package io.podwire.route.rib;

import io.podwire.common.net.IpAddress;
import java.util.List;

/** What a node says of addresses of Services for which it is a way that other nodes are not. */
public sealed interface ServiceAddresses {
    /** Nothing yet, as after its start. What it said before in the same boot holds: its kernel has the rules still. */
    record Unknown() implements ServiceAddresses {}

    /**
     * These, and no other.
     *
     * @param addresses kept sorted, each once
     */
    record Of(List<IpAddress> addresses) implements ServiceAddresses {
        /** Sorts. */
        public Of {
            addresses = addresses.stream().distinct().sorted().toList();
        }
    }
}

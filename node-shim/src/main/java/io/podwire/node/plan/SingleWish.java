package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * What an ADD wishes for of the blocks that ipam-service owns itself: all of it, or nothing.
 *
 * @param key who gets it
 * @param network name of the network configuration
 * @param pod the pod behind it, for people
 * @param pool that it has to be of; empty: any
 * @param what which addresses
 */
public record SingleWish(EndpointKey key, String network, PodName pod, String pool, What what) {
    /** Which addresses. */
    public sealed interface What {
        /** These very ones, at least one and at most one of each family. */
        record These(List<IpAddress> addresses) implements What {
            /** Copies. */
            public These {
                addresses = List.copyOf(addresses);
            }

            @Override
            public String toString() {
                return addresses.size() == 1 ? "address " + addresses.getFirst() : "addresses " + addresses;
            }
        }

        /** Those that are reserved for a replica, one of each family; where none are yet, they are reserved now. */
        record ReservedFor(Replica replica, Set<IpFamily> families) implements What {
            /** Copies. */
            public ReservedFor {
                families = Collections.unmodifiableSet(EnumSet.copyOf(families));
            }

            @Override
            public String toString() {
                return "the address reserved for " + replica;
            }
        }
    }
}

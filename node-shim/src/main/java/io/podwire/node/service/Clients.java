package io.podwire.node.service;

import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.nft.Octets;
import java.util.Arrays;
import java.util.Set;

/**
 * Clients of a place whose endpoint may be gone: what the kernel remembers of them leads there still.
 *
 * @param family of the place
 * @param nodePort true: the place is a port of the node
 * @param place what they called, as a key of the kernel's
 * @param endpoints those that there are now, as the kernel has them
 */
public record Clients(IpFamily family, boolean nodePort, Octets place, Set<Octets> endpoints) {
    /** Copies. */
    public Clients {
        endpoints = Set.copyOf(endpoints);
    }

    /** Name of the map that remembers them. */
    public String map() {
        return ServiceChains.affinity(family, nodePort);
    }

    /**
     * True for a client that is led to an endpoint which is gone.
     *
     * @param key the client's address, then what it called
     * @param endpoint where it is led
     */
    public boolean isLost(Octets key, Octets endpoint) {
        int client = family.bits() / Byte.SIZE;
        return key.length() == client + place.length()
                && Arrays.equals(key.toBytes(), client, key.length(), place.toBytes(), 0, place.length())
                && !endpoints.contains(endpoint);
    }
}

package io.podwire.policy.service;

import io.podwire.common.net.IpAddress;

/**
 * Where traffic may go.
 *
 * @param address the address
 * @param port 1 to 65535
 * @param local true when it is on the node whose view it is
 */
public record ServiceEndpoint(IpAddress address, int port, boolean local) {
    /** An endpoint as it is seen from there. */
    public static ServiceEndpoint of(PortEndpoint endpoint, Place place) {
        return new ServiceEndpoint(endpoint.address(), endpoint.port(), endpoint.isOn(place));
    }
}

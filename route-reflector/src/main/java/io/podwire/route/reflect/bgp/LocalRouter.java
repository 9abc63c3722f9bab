package io.podwire.route.reflect.bgp;

import io.podwire.common.net.IpAddress;

/**
 * What we are to our neighbours.
 *
 * @param asn our AS number
 * @param identifier our BGP identifier
 * @param clusterId names the reflectors that serve the same clients
 */
public record LocalRouter(long asn, IpAddress identifier, IpAddress clusterId) {}

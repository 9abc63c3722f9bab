package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * All that the ruleset depends on.
 *
 * @param bridge name of the pods' bridge
 * @param endpoints attachments of this node, each key, interface and address once
 * @param program what is to be enforced; empty: there is no policy-service, and nothing but
 *     anti-spoofing is
 * @param vxlanPort UDP port of the overlay, 1 to 65535, which no pod may send to
 */
@SuppressWarnings("OptionalUsedAsFieldOrParameterType") // two kinds of input, not a missing argument
public record RulesetInput(String bridge, List<LocalEndpoint> endpoints, Optional<NodeProgram> program, int vxlanPort) {
    /** Checks that nothing has two owners, and copies. */
    public RulesetInput {
        endpoints = List.copyOf(endpoints);
        Set<EndpointKey> keys = new HashSet<>();
        Set<String> interfaces = new HashSet<>();
        Map<IpAddress, EndpointKey> owners = new HashMap<>();
        for (LocalEndpoint endpoint : endpoints) {
            EndpointKey other = owners.put(endpoint.address(), endpoint.key());
            if (other != null) {
                throw new IllegalArgumentException(
                        endpoint.address() + " has two owners: " + other + " and " + endpoint.key());
            }
            if (!keys.add(endpoint.key()) || !interfaces.add(endpoint.hostIfname())) {
                throw new IllegalArgumentException(
                        endpoint.key() + " or its interface " + endpoint.hostIfname() + " is there twice");
            }
        }
        if (vxlanPort < 1 || vxlanPort > 65535) {
            throw new IllegalArgumentException("VXLAN port must be 1 to 65535, got " + vxlanPort);
        }
    }
}

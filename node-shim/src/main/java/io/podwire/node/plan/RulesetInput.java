package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.plan.WiringMode.HostSide;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
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
 * @param families what pods have addresses of; nothing of any other family passes
 * @param endpoints attachments of this node, each key, interface, address and host port once
 * @param program what is to be enforced; empty: there is no policy-service, and nothing but
 *     anti-spoofing is
 * @param vxlanPort UDP port of the overlay, 1 to 65535, which no pod may send to
 * @param unbridged true: pods off the bridge are expected, and what comes from them is judged too
 * @param established what becomes of open flows when policy changes
 * @param masquerade whose packets leave the cluster by the node's address
 * @param services true: pods are called by addresses of Services, and may find themselves behind one
 */
@SuppressWarnings("OptionalUsedAsFieldOrParameterType") // two kinds of input, not a missing argument
public record RulesetInput(
        String bridge,
        Set<IpFamily> families,
        List<LocalEndpoint> endpoints,
        Optional<NodeProgram> program,
        int vxlanPort,
        boolean unbridged,
        EstablishedFlows established,
        Masquerade masquerade,
        boolean services) {
    /** Of a node where no Service leads a pod to itself. */
    public RulesetInput(
            String bridge,
            Set<IpFamily> families,
            List<LocalEndpoint> endpoints,
            Optional<NodeProgram> program,
            int vxlanPort,
            boolean unbridged,
            EstablishedFlows established,
            Masquerade masquerade) {
        this(bridge, families, endpoints, program, vxlanPort, unbridged, established, masquerade, false);
    }

    /** Of a node whose pods are all on the bridge, and leave the cluster by their own addresses. */
    public RulesetInput(
            String bridge,
            Set<IpFamily> families,
            List<LocalEndpoint> endpoints,
            Optional<NodeProgram> program,
            int vxlanPort) {
        this(bridge, families, endpoints, program, vxlanPort, false, EstablishedFlows.JUDGE, Masquerade.NONE, false);
    }

    /** Checks that nothing has two owners, and copies. */
    public RulesetInput {
        families = Collections.unmodifiableSet(EnumSet.copyOf(families));
        endpoints = List.copyOf(endpoints);
        Set<EndpointKey> keys = new HashSet<>();
        Set<String> interfaces = new HashSet<>();
        Map<IpAddress, EndpointKey> owners = new HashMap<>();
        for (LocalEndpoint endpoint : endpoints) {
            for (IpAddress address : endpoint.addresses().list()) {
                EndpointKey other = owners.put(address, endpoint.key());
                if (other != null) {
                    throw new IllegalArgumentException(
                            address + " has two owners: " + other + " and " + endpoint.key());
                }
            }
            if (!families.containsAll(endpoint.addresses().families())) {
                throw new IllegalArgumentException(
                        endpoint.key() + " has " + endpoint.addresses() + ", the ruleset is for " + families);
            }
            boolean shared = endpoint.hostSide() == HostSide.SHARED_DEVICE;
            if (!keys.add(endpoint.key()) || (!interfaces.add(endpoint.hostIfname()) && !shared)) {
                throw new IllegalArgumentException(
                        endpoint.key() + " or its interface " + endpoint.hostIfname() + " is there twice");
            }
            if (!unbridged && endpoint.hostSide() != HostSide.BRIDGE_PORT) {
                throw new IllegalArgumentException(
                        endpoint.key() + " is not on the bridge, and the ruleset is for " + "pods on it alone");
            }
        }
        checkHostPorts(endpoints);
        if (vxlanPort < 1 || vxlanPort > 65535) {
            throw new IllegalArgumentException("VXLAN port must be 1 to 65535, got " + vxlanPort);
        }
    }

    private static void checkHostPorts(List<LocalEndpoint> endpoints) {
        Map<Integer, List<Map.Entry<HostPort, EndpointKey>>> byNumber = new HashMap<>();
        for (LocalEndpoint endpoint : endpoints) {
            for (HostPort port : endpoint.hostPorts()) {
                List<Map.Entry<HostPort, EndpointKey>> same =
                        byNumber.computeIfAbsent(port.hostPort(), _ -> new ArrayList<>());
                for (Map.Entry<HostPort, EndpointKey> other : same) {
                    if (other.getKey().overlaps(port)) {
                        throw new IllegalArgumentException("host port " + port + " has two owners: " + other.getValue()
                                + " and " + endpoint.key());
                    }
                }
                same.add(Map.entry(port, endpoint.key()));
            }
        }
    }
}

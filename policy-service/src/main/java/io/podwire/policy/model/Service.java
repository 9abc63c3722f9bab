package io.podwire.policy.model;

import com.google.common.collect.ImmutableSortedSet;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import java.util.List;
import java.util.Set;

/**
 * A Service, reduced to what nodes need to serve it.
 *
 * @param key its name
 * @param type spec.type
 * @param clusterIps its cluster IPs, at most one of a family
 * @param ports its ports, of different names
 * @param externalIps spec.externalIPs
 * @param loadBalancerIps addresses of its load balancer that packets still bear when they reach a node: those whose ipMode
 *     is VIP or not set
 * @param sources who may reach {@code loadBalancerIps}
 * @param affinitySeconds how long a client stays with its endpoint, 1 to 86400; 0: it does not
 * @param internalLocal internalTrafficPolicy is Local
 * @param externalLocal externalTrafficPolicy is Local, and the type is one that it has a meaning for
 * @param healthCheckNodePort where load balancers ask a node whether it has ready endpoints, 1 to 65535; 0: nowhere
 * @param notServed why its addresses are not served here, for people; empty: they are
 */
public record Service(
        ServiceKey key,
        Type type,
        List<IpAddress> clusterIps,
        List<Port> ports,
        Set<IpAddress> externalIps,
        Set<IpAddress> loadBalancerIps,
        Sources sources,
        int affinitySeconds,
        boolean internalLocal,
        boolean externalLocal,
        int healthCheckNodePort,
        String notServed) {
    /** Longest session affinity that the API allows. */
    public static final int MAX_AFFINITY_SECONDS = 86_400;

    /** spec.type. */
    public enum Type {
        /** Reached inside the cluster. */
        CLUSTER_IP("ClusterIP"),
        /** Reached at a port of every node as well. */
        NODE_PORT("NodePort"),
        /** Reached by a load balancer as well. */
        LOAD_BALANCER("LoadBalancer"),
        /** A name in DNS; nothing is to be served. */
        EXTERNAL_NAME("ExternalName");

        private final String label;

        Type(String label) {
            this.label = label;
        }

        /** The API's word. */
        public String label() {
            return label;
        }
    }

    /**
     * A port.
     *
     * @param name its name; empty where the Service has one port without
     * @param protocol its protocol
     * @param port at the Service's addresses, 1 to 65535
     * @param nodePort at the nodes' addresses, 1 to 65535; 0: none
     */
    public record Port(String name, Protocol protocol, int port, int nodePort) {
        /** Checks the ranges. */
        public Port {
            if (port < 1 || port > 65535 || nodePort < 0 || nodePort > 65535) {
                throw new IllegalArgumentException("port '" + name
                        + "' of a service must have a port 1 to 65535 and a node port 0 to 65535, got " + port
                        + " and " + nodePort);
            }
        }
    }

    /**
     * spec.loadBalancerSourceRanges.
     *
     * @param restricted false: everybody
     * @param ranges who, where restricted
     */
    public record Sources(boolean restricted, Set<IpPrefix> ranges) {
        /** Everybody. */
        public static final Sources ANY = new Sources(false, Set.of());

        /** Sorts the ranges. */
        public Sources {
            ranges = ImmutableSortedSet.copyOf(ranges);
        }
    }

    /** Checks the ranges and copies the collections. */
    public Service {
        clusterIps = List.copyOf(clusterIps);
        ports = List.copyOf(ports);
        externalIps = ImmutableSortedSet.copyOf(externalIps);
        loadBalancerIps = ImmutableSortedSet.copyOf(loadBalancerIps);
        if (clusterIps.stream().map(IpAddress::family).distinct().count() < clusterIps.size()) {
            throw new IllegalArgumentException(
                    "service " + key + " has more than one cluster IP of a family: " + clusterIps);
        }
        if (ports.stream().map(Port::name).distinct().count() < ports.size()) {
            throw new IllegalArgumentException("service " + key + " has ports of the same name: " + ports);
        }
        if (affinitySeconds < 0 || affinitySeconds > MAX_AFFINITY_SECONDS) {
            throw new IllegalArgumentException("session affinity of service " + key + " must be 0 to "
                    + MAX_AFFINITY_SECONDS + " s, got " + affinitySeconds);
        }
        if (healthCheckNodePort < 0 || healthCheckNodePort > 65535) {
            throw new IllegalArgumentException(
                    "healthCheckNodePort of service " + key + " must be 0 to 65535, got " + healthCheckNodePort);
        }
    }
}

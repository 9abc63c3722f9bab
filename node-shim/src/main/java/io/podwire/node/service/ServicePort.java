package io.podwire.node.service;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.plan.IpProtocol;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * One port of one Service in one family, as this node must serve it (podwire.policy.v1.ServicePort).
 *
 * @param id unique, and the same as long as the port is there
 * @param service "namespace/name"
 * @param family of all addresses
 * @param protocol of the port
 * @param port 1 to 65535, at all addresses but the node's
 * @param clusterIp its address within the cluster
 * @param nodePort 1 to 65535 at the node's addresses; 0: none
 * @param externalIps its addresses that others lead here
 * @param loadBalancerIps those of its load balancer
 * @param sources who may call {@code loadBalancerIps}, if {@code restricted}
 * @param restricted true: nobody else may
 * @param affinitySeconds a client comes back to its endpoint within that time, 1 to 86400; 0: it need not
 * @param internalLocal true: at the cluster IP only {@code local} answers
 * @param externalLocal true: who comes from outside finds only {@code local}, and is seen by its own address
 * @param cluster where traffic goes, whatever the node; the order is that of the slots in the kernel
 * @param local where traffic goes that must not leave the node; the same
 * @param served true when some node has an endpoint: what finds none is dropped then, else it is rejected
 * @param healthCheckNodePort where load balancers ask whether this node has endpoints, 1 to 65535; 0: nowhere
 * @param readyHere how many this node has, for their answer
 */
public record ServicePort(
        String id,
        String service,
        IpFamily family,
        IpProtocol protocol,
        int port,
        IpAddress clusterIp,
        int nodePort,
        List<IpAddress> externalIps,
        List<IpAddress> loadBalancerIps,
        List<IpPrefix> sources,
        boolean restricted,
        int affinitySeconds,
        boolean internalLocal,
        boolean externalLocal,
        List<Target> cluster,
        List<Target> local,
        boolean served,
        int healthCheckNodePort,
        int readyHere) {

    /**
     * An endpoint.
     *
     * @param address of the pod
     * @param port 1 to 65535
     * @param here true when it is on this node
     */
    public record Target(IpAddress address, int port, boolean here) {
        /** Checks the port. */
        public Target {
            range("endpoint port of " + address, port, 1, 65_535);
        }
    }

    /** Checks ranges and families, and copies. */
    public ServicePort {
        externalIps = List.copyOf(externalIps);
        loadBalancerIps = List.copyOf(loadBalancerIps);
        sources = List.copyOf(sources);
        cluster = List.copyOf(cluster);
        local = List.copyOf(local);
        if (id.isEmpty()) {
            throw new IllegalArgumentException("a port of service " + service + " has no id");
        }
        range("port of " + id, port, 1, 65_535);
        range("node port of " + id, nodePort, 0, 65_535);
        range("affinity seconds of " + id, affinitySeconds, 0, 86_400);
        range("health check node port of " + id, healthCheckNodePort, 0, 65_535);
        IpFamily only = family;
        Stream.of(
                        Stream.of(clusterIp),
                        externalIps.stream(),
                        loadBalancerIps.stream(),
                        sources.stream().map(IpPrefix::address),
                        Stream.concat(cluster.stream(), local.stream()).map(Target::address))
                .flatMap(addresses -> addresses)
                .filter(address -> address.family() != only)
                .findFirst()
                .ifPresent(address -> {
                    throw new IllegalArgumentException(address + " of " + id + " is not " + only.label());
                });
    }

    /** The same with its endpoints in another order. */
    ServicePort withSlots(List<Target> clusterSlots, List<Target> localSlots) {
        return new ServicePort(
                id,
                service,
                family,
                protocol,
                port,
                clusterIp,
                nodePort,
                externalIps,
                loadBalancerIps,
                sources,
                restricted,
                affinitySeconds,
                internalLocal,
                externalLocal,
                clusterSlots,
                localSlots,
                served,
                healthCheckNodePort,
                readyHere);
    }

    /** True where clients come back to their endpoint. */
    boolean remembersClients() {
        return affinitySeconds > 0;
    }

    /** Everywhere it is called. */
    List<Front> fronts() {
        Stream<Front> addresses = Stream.of(
                        Stream.of(new Front.At(clusterIp, protocol, port, Front.Kind.CLUSTER_IP)),
                        externalIps.stream().map(ip -> new Front.At(ip, protocol, port, Front.Kind.EXTERNAL_IP)),
                        loadBalancerIps.stream()
                                .map(ip -> new Front.At(ip, protocol, port, Front.Kind.LOAD_BALANCER_IP)))
                .flatMap(fronts -> fronts);
        return Stream.concat(
                        addresses,
                        nodePort == 0 ? Stream.of() : Stream.of(new Front.NodePort(family, protocol, nodePort)))
                .distinct()
                .toList();
    }

    /**
     * Where clients outside call it and only this node's endpoints answer, one at least: addresses that may be led to this node
     * and to none without an endpoint. Empty under externalTrafficPolicy Cluster: there every node leads on.
     *
     * @param has which of its addresses are its own: those that another Service had before are not
     */
    Set<IpAddress> localAddresses(Predicate<Front> has) {
        Set<IpAddress> addresses = new HashSet<>();
        if (externalLocal && !local.isEmpty()) {
            for (Front front : fronts()) {
                if (front instanceof Front.At at && at.kind() != Front.Kind.CLUSTER_IP && has.test(front)) {
                    addresses.add(at.address());
                }
            }
        }
        return addresses;
    }

    private static void range(String what, int value, int least, int most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException(what + " must be " + least + " to " + most + ", got " + value);
        }
    }
}

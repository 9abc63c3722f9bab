package io.podwire.node.service;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.service.ServicePort.Target;
import java.util.Arrays;
import java.util.List;

/** Ports of Services for tests. */
public final class Ports {
    private Ports() {}

    /** What most are: TCP or UDP on a cluster IP, with endpoints on this node. */
    public static Draft port(String service, String clusterIp, int port) {
        return new Draft(service, IpAddress.parse(clusterIp), port);
    }

    /** "10.1.0.1:80", with a "@" before it where it is on another node. */
    public static Target target(String text) {
        boolean here = !text.startsWith("@");
        String endpoint = here ? text : text.substring(1);
        int colon = endpoint.lastIndexOf(':');
        String address = endpoint.substring(0, colon).replaceAll("[\\[\\]]", "");
        return new Target(IpAddress.parse(address), Integer.parseInt(endpoint.substring(colon + 1)), here);
    }

    /** A port in the making. */
    public static final class Draft {
        private final String service;
        private final IpAddress clusterIp;
        private final int port;
        private IpProtocol protocol = IpProtocol.TCP;
        private int nodePort;
        private List<IpAddress> externalIps = List.of();
        private List<IpAddress> loadBalancerIps = List.of();
        private List<IpPrefix> sources = List.of();
        private boolean restricted;
        private int affinitySeconds;
        private boolean internalLocal;
        private boolean externalLocal;
        private List<Target> cluster = List.of();
        private List<Target> local = List.of();
        private int healthCheckNodePort;

        private Draft(String service, IpAddress clusterIp, int port) {
            this.service = service;
            this.clusterIp = clusterIp;
            this.port = port;
        }

        /** Another protocol than TCP. */
        public Draft protocol(IpProtocol other) {
            protocol = other;
            return this;
        }

        /** With a port of the nodes. */
        public Draft nodePort(int number) {
            nodePort = number;
            return this;
        }

        /** With external IPs. */
        public Draft externalIps(String... texts) {
            externalIps = Arrays.stream(texts).map(IpAddress::parse).toList();
            return this;
        }

        /** With a load balancer's addresses. */
        public Draft loadBalancerIps(String... texts) {
            loadBalancerIps = Arrays.stream(texts).map(IpAddress::parse).toList();
            return this;
        }

        /** Whose load balancer these may call and nobody else. */
        public Draft sources(String... texts) {
            sources = Arrays.stream(texts).map(IpPrefix::parse).toList();
            restricted = true;
            return this;
        }

        /** Whose clients come back. */
        public Draft affinity(int seconds) {
            affinitySeconds = seconds;
            return this;
        }

        /** internalTrafficPolicy Local. */
        public Draft internalLocal() {
            internalLocal = true;
            return this;
        }

        /** externalTrafficPolicy Local. */
        public Draft externalLocal() {
            externalLocal = true;
            return this;
        }

        /** Its endpoints. */
        public Draft endpoints(String... texts) {
            cluster = Arrays.stream(texts).map(Ports::target).toList();
            local = cluster.stream().filter(Target::here).toList();
            return this;
        }

        /** Where load balancers ask. */
        public Draft healthCheck(int number) {
            healthCheckNodePort = number;
            return this;
        }

        /** The port. */
        public ServicePort build() {
            IpFamily family = clusterIp.family();
            return new ServicePort(
                    service + ":" + port + protocol.keyword() + "/" + family.label(),
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
                    cluster,
                    internalLocal || externalLocal ? local : List.of(),
                    !cluster.isEmpty(),
                    healthCheckNodePort,
                    local.size());
        }
    }
}

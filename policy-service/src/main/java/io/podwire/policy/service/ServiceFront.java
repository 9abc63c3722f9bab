package io.podwire.policy.service;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.policy.model.Service;
import io.podwire.policy.model.ServiceKey;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * One port of a Service in one family, as every node has it.
 *
 * @param id unique and stable, as in podwire.policy.v1.ServicePort
 * @param service the Service
 * @param port its port
 * @param clusterIp its cluster IP of the family
 * @param externalIps its external IPs of the family
 * @param loadBalancerIps its load balancer's addresses of the family
 * @param restricted whether only {@code sourceRanges} may reach {@code loadBalancerIps}
 * @param sourceRanges who may, of the family
 * @param affinitySeconds how long a client stays with its endpoint, 1 to 86400; 0: it does not
 * @param traffic its policies
 * @param healthCheckNodePort 1 to 65535; 0: none
 */
public record ServiceFront(
        String id,
        ServiceKey service,
        Service.Port port,
        IpAddress clusterIp,
        List<IpAddress> externalIps,
        List<IpAddress> loadBalancerIps,
        boolean restricted,
        List<IpPrefix> sourceRanges,
        int affinitySeconds,
        Traffic traffic,
        int healthCheckNodePort) {
    /** Copies the lists. */
    public ServiceFront {
        externalIps = List.copyOf(externalIps);
        loadBalancerIps = List.copyOf(loadBalancerIps);
        sourceRanges = List.copyOf(sourceRanges);
    }

    /** Those of a Service: by family and port, none where it is not served. */
    static List<ServiceFront> of(Service service) {
        if (!service.notServed().isEmpty()) {
            return List.of();
        }
        List<ServiceFront> fronts = new ArrayList<>();
        for (IpAddress clusterIp : service.clusterIps()) {
            IpFamily family = clusterIp.family();
            List<IpAddress> externalIps = of(family, service.externalIps());
            List<IpAddress> loadBalancerIps = of(family, service.loadBalancerIps());
            List<IpPrefix> ranges = service.sources().ranges().stream()
                    .filter(range -> range.family() == family)
                    .toList();
            for (Service.Port port : service.ports()) {
                boolean external = port.nodePort() != 0 || !externalIps.isEmpty() || !loadBalancerIps.isEmpty();
                fronts.add(new ServiceFront(
                        service.key() + ":" + port.name() + (family == IpFamily.V4 ? "/ipv4" : "/ipv6"),
                        service.key(),
                        port,
                        clusterIp,
                        externalIps,
                        loadBalancerIps,
                        service.sources().restricted(),
                        ranges,
                        service.affinitySeconds(),
                        new Traffic(service.internalLocal(), service.externalLocal(), external),
                        service.healthCheckNodePort()));
            }
        }
        return fronts;
    }

    private static List<IpAddress> of(IpFamily family, Collection<IpAddress> addresses) {
        return addresses.stream().filter(address -> address.family() == family).toList();
    }

    /** The family of its addresses. */
    public IpFamily family() {
        return clusterIp.family();
    }
}

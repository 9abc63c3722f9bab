package io.podwire.ipam.core;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import java.util.List;
import java.util.Optional;

/**
 * A Kubernetes Service, as far as the addresses of its load balancer go.
 *
 * @param namespace its namespace
 * @param name its name there
 * @param uid what tells it from others of that name
 * @param served whether it gets addresses of us: its type is LoadBalancer, and its class is ours
 * @param families that it has, in order: it gets an address of each
 * @param addresses that it wishes for, one of each family at most
 * @param pools names of pools that it wishes for: each counts for its own family
 * @param invalid why what it wishes for cannot be understood, one sentence; empty when it can
 * @param ingress what its status says, in order
 */
public record BalancedService(
        String namespace,
        String name,
        String uid,
        boolean served,
        List<IpFamily> families,
        List<IpAddress> addresses,
        List<String> pools,
        String invalid,
        List<Ingress> ingress) {
    /**
     * An entry of the status's list of ingress points.
     *
     * @param address its address; empty where it has none, as one with a host name
     * @param plain whether it is an address that packets reach as they were sent (ipMode VIP), and nothing more
     */
    public record Ingress(Optional<IpAddress> address, boolean plain) {}

    /** Copies, and checks what owns addresses. */
    public BalancedService {
        families = List.copyOf(families);
        addresses = List.copyOf(addresses);
        pools = List.copyOf(pools);
        ingress = List.copyOf(ingress);
        var _ = new ServiceOwner(namespace, name, uid, IpFamily.V4);
    }

    /** Who owns its address of a family. */
    public ServiceOwner owner(IpFamily family) {
        return new ServiceOwner(namespace, name, uid, family);
    }

    /** The address of a family that it wishes for. */
    Optional<IpAddress> wished(IpFamily family) {
        return addresses.stream().filter(address -> address.family() == family).findFirst();
    }

    /** True when its status tells of an address. */
    boolean shows(IpAddress address) {
        return ingress.stream().anyMatch(entry -> entry.address().equals(Optional.of(address)));
    }

    /** True when its status tells of these addresses, in this order, and of nothing else. */
    boolean showsJust(List<IpAddress> these) {
        return ingress.equals(these.stream()
                .map(address -> new Ingress(Optional.of(address), true))
                .toList());
    }

    /** namespace/name. */
    @Override
    public String toString() {
        return namespace + "/" + name;
    }
}

package io.podwire.ipam.source;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.ipam.core.AddressDecision;
import io.podwire.ipam.core.BalancedService;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Why a Service lacks an address, or has another one than it wishes for, as its Event says. Every replica says the same
 * of the same.
 *
 * @param reason one word, for programs
 * @param message what, where, and what to do next
 */
record ServiceProblem(String reason, String message) {
    private static final String AGAIN = "; it is tried again by itself";

    /** A wish that cannot be understood. */
    static ServiceProblem invalid(String why) {
        return new ServiceProblem("InvalidAddressWish", why + "; it keeps the addresses that it has");
    }

    /** The namespace is at its quota. How many it has is left out: that differs between replicas, and from one moment to the next. */
    static ServiceProblem quota(BalancedService service, IpFamily family) {
        return new ServiceProblem(
                "NamespaceQuotaReached",
                "no " + family.label() + " address: namespace " + service.namespace()
                        + " has as many addresses as its quota allows; release some of them, or raise --namespace-quota of"
                        + " ipam-service" + AGAIN);
    }

    /** Why there is no address of a family. */
    static ServiceProblem of(IpFamily family, AddressDecision decision) {
        String none = "no " + family.label() + " address: ";
        return switch (decision) {
            case AddressDecision.Held(SingleAddress by) ->
                new ServiceProblem(
                        "AddressInUse",
                        none + by.address() + " of pool " + by.pool() + " belongs to "
                                + by.use().user().orElseThrow() + " since " + by.since()
                                + "; wish for another one, or have that release it" + AGAIN);
            case AddressDecision.ReservedFor(SingleAddress address, Workload workload) ->
                new ServiceProblem(
                        "AddressInUse",
                        none + address.address() + " of pool " + address.pool() + " is reserved for pod " + workload
                                + "; wish for another one, or end that reservation" + AGAIN);
            case AddressDecision.OfNode(IpAddress address, Block block) ->
                new ServiceProblem(
                        "AddressInUse",
                        none + address + " is in block " + block.cidr() + " of node "
                                + block.owner().node() + "; wish for another one" + AGAIN);
            case AddressDecision.Cooling(SingleAddress address) ->
                new ServiceProblem(
                        "AddressCoolingDown",
                        none + address.address() + " was released at " + address.since()
                                + ", and nobody gets it before the cool-down of pool " + address.pool() + " is over"
                                + AGAIN);
            case AddressDecision.InReservedRange(IpAddress address, Pool pool) ->
                new ServiceProblem(
                        "AddressNotInPool",
                        none + address + " is in a reserved range of pool " + pool.name() + ", " + pool.reserved()
                                + "; wish for another one");
            case AddressDecision.Outside(IpAddress address, String _) ->
                new ServiceProblem(
                        "AddressNotInPool",
                        none + address + " is in no pool; wish for one of a pool of purpose LoadBalancer, or create a"
                                + " pool");
            case AddressDecision.NoSuchPool(String pool) ->
                new ServiceProblem(
                        "PoolNotFound",
                        none + "there is no pool " + pool + "; create it, or change annotation " + ServiceMapping.POOL);
            case AddressDecision.Closed(Pool pool) ->
                new ServiceProblem(
                        "PoolNotUsable",
                        none + "pool " + pool.name() + " is " + pool.state() + " and gives none; open it, or wish for"
                                + " another one");
            case AddressDecision.NotForServices(Pool pool) ->
                new ServiceProblem(
                        "PoolNotUsable",
                        none + "pool " + pool.name() + " has purpose " + pool.purpose()
                                + "; wish for one of purpose LoadBalancer");
            case AddressDecision.NotForNamespace(Pool pool) ->
                new ServiceProblem(
                        "PoolNotUsable",
                        none + "pool " + pool.name() + " is for namespaces with labels " + pool.namespaces()
                                + "; wish for another one, or label the namespace");
            case AddressDecision.NoneFree(var _, List<Pool> pools) ->
                new ServiceProblem(
                        "AddressPoolExhausted",
                        none + "pool " + pools.stream().map(Pool::name).collect(Collectors.joining(", "))
                                + " has none free: all are in use, reserved or cool down; add a pool of purpose"
                                + " LoadBalancer, or delete Services" + AGAIN);
            case AddressDecision.NoPoolForService(IpFamily _) ->
                new ServiceProblem(
                        "NoAddressPool",
                        none + "no " + family.label() + " pool of purpose LoadBalancer is for its namespace; create"
                                + " one");
            case AddressDecision.Assign _,
                    AddressDecision.AlreadyHeld _,
                    AddressDecision.HasOthers _,
                    AddressDecision.NothingReserved _ ->
                throw new IllegalArgumentException(decision + " is no refusal of a Service's wish");
        };
    }
}

package io.podwire.node.cni;

import io.podwire.common.loop.LifoThreads;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.address.Taking;
import io.podwire.node.cni.CniException.Code;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.PodRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * The part of an ADD that is about the pod's addresses: which it gets, of ipam-service's blocks or of the node's own, how
 * long it waits for a block, and what a refusal says.
 */
final class PodAddressing {
    private final Node node;
    private final SingleFlow singles;

    /** That of one node. */
    PodAddressing(Node node, SingleFlow singles) {
        this.node = node;
        this.singles = singles;
    }

    /**
     * Code 11, as where a pool is used up: nothing is wrong with the pod, and the same ADD succeeds once another pod of its
     * namespace is gone.
     */
    void checkQuota(String namespace) throws CniException {
        if (node.services().atQuota(namespace)) {
            throw new CniException(
                    Code.TRY_AGAIN,
                    "namespace " + namespace + " is at its quota of addresses",
                    "ipam-service counted in the whole cluster as many addresses of it as it may have: delete pods of it, or"
                            + " raise --namespace-quota of ipam-service; podwire ipam namespaces shows both");
        }
    }

    /**
     * The addresses of a pod from now on.
     *
     * @param left how long the ADD may take still
     * @throws CniException saying why there are none; what was taken by then is released by the caller
     */
    PodAddresses take(CniCall call, PodRequest request, Supplier<Duration> left) throws CniException {
        EndpointKey key = call.key();
        String namespace = call.pod().namespace();
        List<IpAddress> given = singles.take(call, request, left.get());
        if (given.size() == node.families().size()) {
            return new PodAddresses(given);
        }
        // A pool is of one family, which has what it wants then.
        String pool = given.isEmpty() ? request.pool().orElse("") : "";
        node.services().meet(namespace);
        while (true) {
            Duration now = node.time().monotonic();
            switch (node.addresses().takeThis(key, node.families(), request.addresses(), pool, namespace, now)) {
                case Taking.Taken<EndpointKey>(PodAddresses addresses) -> {
                    node.services().addressesTaken();
                    return addresses;
                }
                // A burst of ADDs can be faster than the claim of a further block: wait for its answer.
                case Taking.Exhausted<EndpointKey>(IpFamily _, String of) -> supply(of, left);
                case Taking.NoBlock<EndpointKey>(String of) -> supply(of, left);
                case Taking.NamespaceExhausted<EndpointKey>(IpFamily family, List<String> pools) ->
                    supply(namespace, family, pools, left);
                case Taking.NotForNamespace<EndpointKey>(String of) ->
                    throw new CniException(
                            Code.INVALID_CONFIG,
                            "pool " + of + " is not for namespace " + namespace,
                            "its namespace selector does not select it: name a pool that does, or none; a changed label"
                                    + " of the namespace is known here 30 s later at most");
                case Taking.Held<EndpointKey>(IpAddress address, EndpointKey holder) ->
                    throw new CniException(
                            Code.TRY_AGAIN,
                            "address " + address + " is taken",
                            holder(holder) + " has it: it can be had once that is deleted and its cool-down is over");
                case Taking.Cooling<EndpointKey>(IpAddress address) ->
                    throw new CniException(
                            Code.TRY_AGAIN,
                            "address " + address + " cools down",
                            "it was released a moment ago, and nobody gets it before its pool's cool-down, or --cool-down of"
                                    + " node-shim, is over");
                case Taking.Elsewhere<EndpointKey>(IpAddress address) ->
                    throw new CniException(
                            Code.TRY_AGAIN,
                            "address " + address + " is not given",
                            "its block has just ceased to be this node's, which has "
                                    + node.addresses().blocks());
                case Taking.Closed<EndpointKey>(IpAddress address, IpPrefix block, String of) -> {
                    String problem = node.services().supplyProblem();
                    throw new CniException(
                            Code.TRY_AGAIN,
                            "address " + address + " is not given",
                            "block " + block + " gives none to a new pod: its pool " + of + " drains, or the block is"
                                    + " not certain to be this node's" + (problem.isEmpty() ? "" : "; " + problem));
                }
                case Taking.OtherPool<EndpointKey>(IpAddress address, IpPrefix block, String of) ->
                    throw new CniException(
                            Code.INVALID_CONFIG,
                            "address " + address + " is not of pool " + pool,
                            "it is in block " + block + " of pool " + of + ": name that pool, or none");
            }
        }
    }

    private String holder(EndpointKey key) {
        return node.attachments()
                .get(key)
                .map(a -> a.pod().display())
                .filter(pod -> !pod.isEmpty())
                .map(pod -> "pod " + pod + " (" + key + ")")
                .orElseGet(key::toString);
    }

    /** Waits for addresses of a pool, or of any. */
    private void supply(String pool, Supplier<Duration> left) throws CniException {
        try (var _ = LifoThreads.stepAside()) {
            supplyAside(pool, left);
        }
    }

    /** Waits for addresses of one of the pools that are for a namespace. */
    private void supply(String namespace, IpFamily family, List<String> pools, Supplier<Duration> left)
            throws CniException {
        List<String> problems = new ArrayList<>();
        try (var _ = LifoThreads.stepAside()) {
            for (String pool : pools) {
                String problem = node.services().supplyOf(pool, left.get());
                if (problem.isEmpty()) {
                    return;
                }
                problems.add("pool " + pool + ": " + problem);
            }
        }
        throw new CniException(
                Code.TRY_AGAIN,
                "no free " + family.label() + " address for namespace " + namespace,
                "it gets them from pools alone that select it, " + String.join(", ", pools)
                        + ", of which this node has none free; " + String.join("; ", problems));
    }

    private void supplyAside(String pool, Supplier<Duration> left) throws CniException {
        if (pool.isEmpty()) {
            if (!node.services().supply(left.get())) {
                throw exhausted();
            }
            return;
        }
        String problem = node.services().supplyOf(pool, left.get());
        if (!problem.isEmpty()) {
            throw new CniException(
                    Code.TRY_AGAIN,
                    "no free address of pool " + pool,
                    "no block of this node is of it, or every address of those is in use or cools down; " + problem);
        }
    }

    private CniException exhausted() {
        String problem = node.services().supplyProblem();
        String missing = node.families().stream()
                .filter(family -> node.addresses().free(family, node.time().monotonic()) == 0)
                .map(IpFamily::label)
                .collect(Collectors.joining(" and "));
        return new CniException(
                Code.TRY_AGAIN,
                "no free address",
                "every " + (missing.isEmpty() ? "" : missing + " ") + "address of this node's blocks "
                        + node.addresses().blocks() + " is in use or cools down"
                        + (problem.isEmpty() ? "" : "; " + problem));
    }
}

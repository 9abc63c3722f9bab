package io.podwire.ipam.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NamespaceQuotas;
import io.podwire.ipam.core.SingleAddress;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * How many addresses each namespace has, and may have: those of pods as nodes reported them, and single addresses.
 * Stateless, for any number of threads.
 */
public final class NamespaceUse {
    private final CasFlow flow;
    private final BindingTable table;
    private final NamespaceQuotas quotas;

    /**
     * One namespace.
     *
     * @param pods addresses of its pods out of nodes' blocks
     * @param singles its single addresses in use
     * @param quota how many it may have in all
     */
    record Of(int pods, int singles, OptionalInt quota) {
        int used() {
            return pods + singles;
        }
    }

    /** Of a table of bindings and the ledger. */
    public NamespaceUse(CasFlow flow, BindingTable table, NamespaceQuotas quotas) {
        this.flow = flow;
        this.table = table;
        this.quotas = quotas;
    }

    /** True for a single address that is not free, as this process knows: it is counted as such, whoever reports it too. */
    public static boolean isSingle(CasFlow flow, IpAddress address) {
        return flow.known().ledger().address(address).isPresent();
    }

    /** True when any namespace has a quota. */
    boolean limited() {
        return !quotas.none();
    }

    /** Every namespace that has an address or a quota of its own. */
    SortedMap<String, Of> all(Ledger ledger) {
        Map<String, Integer> pods = table.inUse();
        Map<String, Integer> singles = ledger.addressesInUse();
        TreeSet<String> names = new TreeSet<>(pods.keySet());
        names.addAll(singles.keySet());
        names.addAll(quotas.named().keySet());
        SortedMap<String, Of> all = new TreeMap<>();
        names.forEach(name ->
                all.put(name, new Of(pods.getOrDefault(name, 0), singles.getOrDefault(name, 0), quotas.of(name))));
        return all;
    }

    /** The same as far as this process knows the store. */
    SortedMap<String, Of> known() {
        return all(flow.known().ledger());
    }

    /** The same as the store has it now. */
    SortedMap<String, Of> read() {
        return all(flow.read().ledger());
    }

    /** The namespaces that may have no more, in order. */
    List<String> full() {
        return limited()
                ? known().entrySet().stream()
                        .filter(of -> quotas.full(of.getKey(), of.getValue().used()))
                        .map(Map.Entry::getKey)
                        .toList()
                : List.of();
    }

    /** True when a namespace may have no more. */
    boolean full(String namespace) {
        return quotas.of(namespace).isPresent()
                && quotas.full(
                        namespace,
                        table.inUse(namespace) + flow.known().ledger().addressesInUse(namespace));
    }

    /**
     * Refuses single addresses that their namespace may not have.
     *
     * @param attempted first words of the error
     * @param ledger that they are not in use in yet
     * @param wanted of one owner, at least one
     * @throws ServiceException EXHAUSTED
     */
    void check(String attempted, Ledger ledger, List<SingleAddress> wanted) {
        String namespace = wanted.getFirst().use().namespace();
        if (quotas.of(namespace).isEmpty()) {
            return;
        }
        int used = table.inUse(namespace) + ledger.addressesInUse(namespace);
        if (quotas.exceeded(namespace, used, wanted.size())) {
            String quota = Integer.toString(quotas.of(namespace).getAsInt());
            throw new ServiceException(
                    ErrorReason.EXHAUSTED,
                    attempted + ": namespace " + namespace + " has " + used + " addresses, wants " + wanted.size()
                            + " more, and its quota is " + quota
                            + "; release some of them, or raise --namespace-quota of ipam-service",
                    Map.of("namespace", namespace, "used", Integer.toString(used), "quota", quota));
        }
    }
}

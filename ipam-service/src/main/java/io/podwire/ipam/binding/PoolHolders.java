package io.podwire.ipam.binding;

import io.podwire.common.net.IpAddress;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.HoldingPod;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.Pool;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;

/** Who has addresses of a pool, as far as nodes have reported. Pure. */
public final class PoolHolders {
    private PoolHolders() {}

    /** How many addresses of a pool are in use. */
    public static int inUse(Pool pool, List<NodeReport> reports, Ledger ledger) {
        long ofNodes =
                reports.stream().mapToLong(report -> inUse(pool, report).size()).sum();
        long single = ledger.addressesIn(pool.cidr()).stream()
                .filter(address -> address.use() instanceof AddressUse.InUse)
                .count();
        return Math.toIntExact(Math.min(Integer.MAX_VALUE, ofNodes + single));
    }

    /**
     * The pods that have addresses of a pool, in the order in which they are to leave: node by node, the one with the
     * fewest first, as a node gives back a block only once that is empty; on a node the oldest first.
     */
    public static List<HoldingPod> leaving(Pool pool, List<NodeReport> reports) {
        record OnNode(NodeReport report, List<Binding> bindings) {}
        List<OnNode> nodes = new ArrayList<>();
        for (NodeReport report : reports) {
            List<Binding> bindings = inUse(pool, report);
            if (!bindings.isEmpty()) {
                nodes.add(new OnNode(report, bindings));
            }
        }
        nodes.sort(Comparator.comparingInt((OnNode node) -> node.bindings().size())
                .thenComparing(node -> node.report().node()));
        LinkedHashSet<HoldingPod> pods = new LinkedHashSet<>();
        for (OnNode node : nodes) {
            node.bindings().stream()
                    .sorted(Comparator.comparing(Binding::since).thenComparing(Binding.BY_ADDRESS))
                    .map(Binding::holder)
                    .filter(holder ->
                            !holder.namespace().isEmpty() && !holder.pod().isEmpty())
                    .map(holder -> new HoldingPod(holder.namespace(), holder.pod(), holder.uid()))
                    .forEach(pods::add);
        }
        return List.copyOf(pods);
    }

    private static List<Binding> inUse(Pool pool, NodeReport report) {
        IpAddress last = pool.cidr().last();
        return report.bindings().stream()
                .skip(report.indexFrom(pool.cidr().address()))
                .takeWhile(binding -> binding.address().compareTo(last) <= 0)
                .filter(binding -> binding.state() == Binding.State.IN_USE)
                .toList();
    }
}

package io.podwire.ipam.binding;

import io.podwire.common.net.NodeName;
import io.podwire.ipam.binding.Binding.Holder;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.SingleAddress;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/** Single addresses as if the owner of their blocks, the service itself, had reported them. */
public final class SingleReport {
    private SingleReport() {}

    /**
     * The report.
     *
     * @param of which of them are told
     * @param now a monotonic time
     */
    public static NodeReport of(Ledger ledger, Predicate<SingleAddress> of, Duration now) {
        return NodeReport.full(
                AddressRules.SERVICE,
                ledger.addresses().stream()
                        .filter(of)
                        .map(SingleReport::binding)
                        .toList(),
                now);
    }

    private static Binding binding(SingleAddress address) {
        return new Binding(
                address.address(),
                switch (address.use()) {
                    case AddressUse.InUse _ -> Binding.State.IN_USE;
                    case AddressUse.Cooling _ -> Binding.State.COOLING;
                    case AddressUse.Reserved _ -> Binding.State.RESERVED;
                },
                address.use().user().map(SingleReport::holder).orElse(Holder.NOBODY),
                address.since());
    }

    private static Holder holder(AddressOwner owner) {
        return new Holder("", "", owner.namespace(), owner.pod(), "", "");
    }

    /** The single address that an entry tells of: as the service has it, or as the node reported it where it is used. */
    public static Optional<SingleAddress> single(Ledger ledger, AddressEntry entry) {
        return entry.report()
                .flatMap(report -> ledger.address(entry.address())
                        .filter(single -> report.epoch().sameOwner(AddressRules.SERVICE)
                                || (isOn(report.node(), single) && reports(report, single))));
    }

    private static boolean isOn(NodeName node, SingleAddress single) {
        return single.use()
                .user()
                .filter(owner -> owner.node().equals(node.value()))
                .isPresent();
    }

    /** True when a node reported that a container of its has the address. */
    private static boolean reports(NodeReport report, SingleAddress single) {
        return report.binding(single.address())
                .filter(binding -> binding.state() == Binding.State.IN_USE)
                .isPresent();
    }

    /** True for what the node reported where it is used: its report tells more than the service knows. */
    public static boolean isReported(SingleAddress single, Map<String, NodeReport> byNode) {
        return single.use()
                .user()
                .flatMap(owner -> Optional.ofNullable(byNode.get(owner.node())))
                .filter(report -> reports(report, single))
                .isPresent();
    }
}

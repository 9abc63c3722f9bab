package io.podwire.ipam.service;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.ipam.binding.Binding;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.binding.NodeReport;
import java.util.Locale;
import java.util.function.Predicate;

/** What nodes have reported, as gauges: counted when they are read. */
public final class BindingGauges {
    private BindingGauges() {}

    /** Registers them. */
    public static void register(BindingTable table, MeterRegistry meters) {
        nodes(table, meters, "connected", NodeReport::connected);
        nodes(table, meters, "away", report -> !report.connected());
        for (Binding.State state : Binding.State.values()) {
            Gauge.builder("podwire.ipam.bindings", table, t -> bindings(t, state))
                    .tag("state", state.name().toLowerCase(Locale.ROOT))
                    .description("Addresses that nodes have reported to this replica, those of nodes away included")
                    .register(meters);
        }
    }

    private static void nodes(BindingTable table, MeterRegistry meters, String state, Predicate<NodeReport> which) {
        Gauge.builder(
                        "podwire.ipam.nodes",
                        table,
                        t -> t.snapshot().stream().filter(which).count())
                .tag("state", state)
                .description("Nodes that report their bindings to this replica now, and those whose stream has ended")
                .register(meters);
    }

    private static double bindings(BindingTable table, Binding.State state) {
        return table.snapshot().stream()
                .flatMap(report -> report.bindings().stream())
                .filter(binding -> binding.state() == state)
                .count();
    }
}

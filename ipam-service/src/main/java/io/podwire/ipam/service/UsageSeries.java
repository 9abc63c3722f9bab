package io.podwire.ipam.service;

import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.binding.Usage;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.Set;

/**
 * How much of each pool is used, and by which node and namespace, as series that are counted at each scrape: no pool, node
 * or namespace that is gone leaves one behind, and nothing is counted between scrapes.
 */
public final class UsageSeries implements MultiCollector {
    private final CasFlow flow;
    private final BindingTable table;
    private final NamespaceUse namespaces;
    private final Forecasts forecasts;
    private final Set<Per> wanted;

    /** What has series of its own, as many as there are of it. */
    public enum Per {
        /** Each node: three series, 15,000 with 5,000 nodes. */
        NODE,
        /** Each namespace: one series, and one more with a quota. */
        NAMESPACE
    }

    /**
     * Series.
     *
     * @param wanted what has some besides pools
     */
    public UsageSeries(
            CasFlow flow, BindingTable table, NamespaceUse namespaces, Forecasts forecasts, Set<Per> wanted) {
        this.flow = flow;
        this.table = table;
        this.namespaces = namespaces;
        this.forecasts = forecasts;
        this.wanted = Set.copyOf(wanted);
    }

    @Override
    public MetricSnapshots collect() {
        MetricSnapshots.Builder all = MetricSnapshots.builder();
        Usage usage = Usage.of(table.snapshot(), flow.known().ledger());
        pools(usage, all);
        if (wanted.contains(Per.NODE)) {
            nodes(usage, all);
        }
        if (wanted.contains(Per.NAMESPACE)) {
            namespaces(all);
        }
        return all.build();
    }

    private void pools(Usage usage, MetricSnapshots.Builder all) {
        GaugeSnapshot.Builder addresses = gauge(
                "podwire_ipam_pool_addresses",
                "Addresses of the pool: in use, cooling down, reserved, free, and unknown: in blocks whose owner has not"
                        + " reported to this replica");
        usage.pools().forEach((pool, of) -> {
            add(addresses, of.inUse(), "pool", pool, "state", "in_use");
            add(addresses, of.cooling(), "pool", pool, "state", "cooling");
            add(addresses, of.reserved().doubleValue(), "pool", pool, "state", "reserved");
            add(addresses, of.free().doubleValue(), "pool", pool, "state", "free");
            add(addresses, of.unknown().doubleValue(), "pool", pool, "state", "unknown");
        });
        GaugeSnapshot.Builder ends = gauge(
                "podwire_ipam_pool_exhaustion_seconds",
                "Time until the pool is used up if it goes on as lately; no series while it does not grow, or too little"
                        + " was seen");
        forecasts.all().forEach((pool, end) -> add(ends, end.toMillis() / 1e3, "pool", pool));
        all.metricSnapshot(addresses.build()).metricSnapshot(ends.build());
    }

    private static void nodes(Usage usage, MetricSnapshots.Builder all) {
        GaugeSnapshot.Builder blocks = gauge("podwire_ipam_node_blocks", "Blocks that the node owns");
        GaugeSnapshot.Builder addresses = gauge(
                "podwire_ipam_node_addresses",
                "Addresses that the node reported to this replica, in use or cooling down; its tunnel's are in use");
        usage.nodes().forEach((node, of) -> {
            add(blocks, of.blocks(), "node", node);
            if (of.reported()) {
                add(addresses, of.inUse(), "node", node, "state", "in_use");
                add(addresses, of.cooling(), "node", node, "state", "cooling");
            }
        });
        all.metricSnapshot(blocks.build()).metricSnapshot(addresses.build());
    }

    private void namespaces(MetricSnapshots.Builder all) {
        GaugeSnapshot.Builder addresses = gauge(
                "podwire_ipam_namespace_addresses",
                "Addresses in use by the namespace: its pods' as nodes reported them, and single ones");
        GaugeSnapshot.Builder quotas =
                gauge("podwire_ipam_namespace_quota", "Addresses that the namespace may have; no series: any number");
        namespaces.known().forEach((namespace, of) -> {
            add(addresses, of.used(), "namespace", namespace);
            of.quota().ifPresent(quota -> add(quotas, quota, "namespace", namespace));
        });
        all.metricSnapshot(addresses.build()).metricSnapshot(quotas.build());
    }

    private static GaugeSnapshot.Builder gauge(String name, String help) {
        return GaugeSnapshot.builder().name(name).help(help);
    }

    private static void add(GaugeSnapshot.Builder gauge, double value, String... labels) {
        gauge.dataPoint(GaugeDataPointSnapshot.builder()
                .labels(Labels.of(labels))
                .value(value)
                .build());
    }
}

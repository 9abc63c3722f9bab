package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.binding.Binding;
import io.podwire.ipam.binding.Binding.Holder;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.binding.Usage;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NamespaceQuotas;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.store.MemoryIpamStore;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** A whole cluster is scraped fast: 5,000 nodes that have 30 pods each, in 1,000 namespaces. */
class UsageSeriesTest {
    private static final int NODES = 5_000;
    private static final int PODS = 30;
    private static final int NAMESPACES = 1_000;
    private static final Pool POOL = new Pool("default", IpPrefix.parse("10.0.0.0/8"), 26);

    private final CasFlow flow = Interleaving.flow(new MemoryIpamStore());
    private final BindingTable table = new BindingTable();
    private Ledger ledger = Ledger.EMPTY.with(POOL);

    private void node(int number) {
        IpPrefix cidr = new IpPrefix(IpAddress.ofV4(0x0a000000 + number * 64), 26);
        NodeEpoch epoch = new NodeEpoch(new NodeName("n" + number), "u", "boot", 1);
        ledger = ledger.with(new Block("default", cidr, epoch, "r" + number));
        List<Binding> bindings = new ArrayList<>();
        for (int i = 0; i < PODS; i++) {
            String namespace = "team-" + (number * PODS + i) % NAMESPACES;
            bindings.add(new Binding(
                    cidr.address().plus(i),
                    Binding.State.IN_USE,
                    new Holder("c" + i, "eth0", namespace, "web-" + i, "u", "podwire"),
                    Instant.EPOCH));
        }
        table.full(new BindingTable.Stream(_ -> {}), epoch, bindings, Duration.ZERO);
    }

    @Test
    void aScrapeOfAHundredAndFiftyThousandAddressesTakesNoSeconds() {
        new PoolFlow(flow).create(POOL);
        for (int number = 0; number < NODES; number++) {
            node(number);
        }
        PrometheusMeterRegistry meters = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        NamespaceUse namespaces = new NamespaceUse(flow, table, new NamespaceQuotas(Map.of(), OptionalInt.of(1_000)));
        Forecasts forecasts = new Forecasts(flow, table, TimeSource.SYSTEM, Duration.ofHours(1), Duration.ofHours(24));
        meters.getPrometheusRegistry()
                .register(new UsageSeries(flow, table, namespaces, forecasts, EnumSet.allOf(UsageSeries.Per.class)));
        long scrape = Long.MAX_VALUE;
        long count = Long.MAX_VALUE;
        long full = Long.MAX_VALUE;
        for (int i = 0; i < 5; i++) {
            long began = System.nanoTime();
            String text = meters.scrape();
            scrape = Math.min(scrape, System.nanoTime() - began);
            assertThat(text)
                    .contains("podwire_ipam_pool_addresses{pool=\"default\",state=\"in_use\"} 150000.0")
                    .contains("podwire_ipam_namespace_addresses{namespace=\"team-7\"} 150.0")
                    .contains("podwire_ipam_namespace_quota{namespace=\"team-7\"} 1000.0");
            assertThat(text.lines().filter(line -> line.startsWith("podwire_ipam_node_addresses{")))
                    .hasSize(2 * NODES);
            began = System.nanoTime();
            assertThat(Usage.of(table.snapshot(), ledger).nodes()).hasSize(NODES);
            count = Math.min(count, System.nanoTime() - began);
            began = System.nanoTime();
            assertThat(namespaces.full()).isEmpty();
            full = Math.min(full, System.nanoTime() - began);
        }
        System.out.println("150,000 addresses of " + NODES + " nodes: scrape " + scrape / 1_000 + " us, count "
                + count / 1_000 + " us, full namespaces of " + NAMESPACES + " " + full / 1_000 + " us");
        assertThat(Duration.ofNanos(scrape)).isLessThan(Duration.ofSeconds(1));
    }
}

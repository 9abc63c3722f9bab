package io.podwire.ipam.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.BlockRules;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.service.BlockFlow;
import io.podwire.ipam.service.CasFlow;
import io.podwire.ipam.service.PoolFlow;
import io.podwire.ipam.store.MemoryIpamStore;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

@EnableKubernetesMockClient(crud = true)
class KubernetesPoolsTest {
    private static final NodeEpoch NODE = new NodeEpoch(new NodeName("n1"), "u1", "boot-1", 1);
    private static final Duration SOON = Duration.ofMillis(100);
    private static final Duration NEVER = Duration.ofHours(1);

    // Filled in by the extension.
    private KubernetesMockServer server;
    private KubernetesClient client;

    private final CasFlow flow =
            new CasFlow(new MemoryIpamStore(), Duration.ofSeconds(5), TimeSource.SYSTEM, Thread::sleep, new Random(1));
    private final BlockFlow blocks = new BlockFlow(flow);
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();

    private KubernetesPools start(Duration compare) {
        return new KubernetesPools(
                server.createClient(),
                flow,
                TimeSource.SYSTEM,
                meters,
                new KubernetesPools.Timing(compare, SOON, SOON, SOON));
    }

    private static IpPool object(String name, String cidr, String state) {
        IpPool pool = new IpPool();
        pool.setMetadata(new ObjectMetaBuilder().withName(name).build());
        pool.setSpec(new IpPoolSpec(cidr, null, state, null, null, null, null, null, null));
        return pool;
    }

    private void create(IpPool pool) {
        client.resources(IpPool.class).resource(pool).create();
    }

    private Optional<Pool> stored(String name) {
        return blocks.ledger().pool(name);
    }

    private IpPoolStatus status(String name) {
        IpPool pool = client.resources(IpPool.class).withName(name).get();
        return pool == null || pool.getStatus() == null ? new IpPoolStatus(null, null, null, "", "") : pool.getStatus();
    }

    @Test
    void poolsFollowTheirObjectsAndTellTheirStatus() {
        create(object("a", "10.1.0.0/16", null));
        try (KubernetesPools _ = start(NEVER)) {
            await().until(() -> stored("a").isPresent());
            assertThat(stored("a").orElseThrow().source()).isEqualTo(PoolSource.KUBERNETES);
            await().until(() -> status("a").equals(new IpPoolStatus(0, 1024L, 0, "Active", "")));
            create(object("six", "fd00::/48", null));
            await().until(() -> status("six").equals(new IpPoolStatus(0, Long.MAX_VALUE, 0, "Active", "")));

            Block block = blocks.claim(new ClaimRequest(NODE, Map.of(), "a", IpFamily.V4, "r1"))
                    .block();
            await().until(() -> status("a").ownedBlocks() == 1);
            client.resources(IpPool.class).withName("a").edit(pool -> object("a", "10.1.0.0/16", "Draining"));
            await().until(() -> status("a").equals(new IpPoolStatus(1, 1024L, 1, "Draining", "")));
            client.resources(IpPool.class).withName("a").edit(pool -> object("a", "10.1.0.0/16", "Active"));
            await().until(() -> stored("a").orElseThrow().state() == PoolState.ACTIVE);

            client.resources(IpPool.class).withName("a").delete();
            await("it drains while a block is owned")
                    .until(() -> stored("a").orElseThrow().state() == PoolState.DRAINING);
            blocks.release(NODE, block.cidr(), BlockRules.ANY_CLAIM);
            await().until(() -> stored("a").isEmpty());
            assertThat(stored("six")).isPresent();
        }
    }

    @Test
    void whatIsRefusedIsToldWhereItWasAsked() {
        new PoolFlow(flow).create(new Pool("mine", IpPrefix.parse("10.9.0.0/16"), 26));
        create(object("mine", "10.1.0.0/16", null));
        create(object("over", "10.9.128.0/17", null));
        create(object("bad", "10.2.0.1/16", null));
        create(object("good", "10.3.0.0/16", null));
        try (KubernetesPools _ = start(NEVER)) {
            await().until(() -> stored("good").isPresent());
            await().until(() -> status("mine").state().equals("Refused")
                    && status("over").state().equals("Refused")
                    && status("bad").state().equals("Refused"));
            assertThat(status("mine").message()).contains("declared by grpc: it is left alone");
            assertThat(status("over").message()).contains("it overlaps pool mine=10.9.0.0/16/26");
            assertThat(status("bad").message()).contains("IPPool bad: spec.cidr:");
            assertThat(meters.get("podwire.ipam.pools.refused").gauge().value()).isEqualTo(3);

            // The pool of an object that has become wrong stays as it was.
            await().until(() -> status("good").state().equals("Active"));
            client.resources(IpPool.class).withName("good").edit(pool -> object("good", "10.3.0.0/16", "Gone"));
            await().until(() -> status("good").message().contains("spec.state must be one of Active"));
            assertThat(status("good").state()).isEqualTo("Active");
            assertThat(stored("good")).isPresent();
        }
    }

    @Test
    void fullListsAreComparedAndDoubted() {
        create(object("a", "10.1.0.0/16", null));
        create(object("b", "10.2.0.0/16", null));
        try (KubernetesPools _ = start(SOON)) {
            await().until(() -> stored("a").isPresent() && stored("b").isPresent());
            client.resources(IpPool.class).withName("a").delete();
            await().until(() -> stored("a").isEmpty());
            await().during(SOON.multipliedBy(5)).until(() -> stored("b").isPresent());
        }
        assertThat(WatchedKind.isDoubtful(4, 2)).isFalse();
        assertThat(WatchedKind.isDoubtful(4, 1)).isTrue();
        assertThat(WatchedKind.isDoubtful(0, 0)).isFalse();
    }
}

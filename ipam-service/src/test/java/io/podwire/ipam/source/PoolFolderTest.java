package io.podwire.ipam.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.BlockRules;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.service.BlockFlow;
import io.podwire.ipam.service.CasFlow;
import io.podwire.ipam.service.NamespaceCatalog;
import io.podwire.ipam.service.PoolFlow;
import io.podwire.ipam.store.MemoryIpamStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PoolFolderTest {
    private static final NodeEpoch NODE = new NodeEpoch(new NodeName("n1"), "u1", "boot-1", 1);
    private static final Duration SOON = Duration.ofMillis(100);

    @TempDir
    private Path folder;

    private final CasFlow flow =
            new CasFlow(new MemoryIpamStore(), Duration.ofSeconds(5), TimeSource.SYSTEM, Thread::sleep, new Random(1));
    private final PoolFlow calls = new PoolFlow(flow);
    private final BlockFlow blocks = new BlockFlow(flow);
    private final NamespaceCatalog namespaces = new NamespaceCatalog(TimeSource.SYSTEM, true);
    private SimpleMeterRegistry meters;
    private PoolFolder source;

    private void start() throws IOException {
        meters = new SimpleMeterRegistry();
        source = PoolFolder.start(folder, flow, Optional.of(namespaces), TimeSource.SYSTEM, meters, SOON, SOON);
    }

    @AfterEach
    void stop() throws IOException {
        source.close();
    }

    private void write(String file, String name, String spec) throws IOException {
        Files.writeString(
                folder.resolve(file),
                "apiVersion: podwire.io/v1\nkind: IPPool\nmetadata: {name: " + name + "}\nspec: " + spec + "\n");
    }

    private Optional<Pool> stored(String name) {
        return blocks.ledger().pool(name);
    }

    private double gauge(String name) {
        return meters.get(name).gauge().value();
    }

    private Block claim(String pool) {
        return blocks.claim(new ClaimRequest(NODE, Map.of(), pool, IpFamily.V4, "r1"))
                .block();
    }

    @Test
    void poolsAreKeptAsTheManifestsSay() throws IOException {
        write("a.yaml", "a", "{cidr: 10.1.0.0/16}");
        start();
        await().until(() -> stored("a").isPresent());
        assertThat(stored("a").orElseThrow().source()).isEqualTo(PoolSource.manifest("a.yaml"));
        write("a.yaml", "a", "{cidr: 10.1.0.0/16, state: Draining}");
        await().until(() -> stored("a").orElseThrow().state() == PoolState.DRAINING);
        assertThatThrownBy(() -> calls.update("a", List.of(new PoolEdit.State(PoolState.ACTIVE))))
                .isInstanceOf(ServiceException.class)
                .hasMessageContaining("it is declared by manifest:a.yaml, so change it there");
        assertThatThrownBy(() -> calls.delete("a")).hasMessageContaining("it is declared by manifest:a.yaml");
        Files.move(folder.resolve("a.yaml"), folder.resolve("b.yaml"));
        await().until(() -> stored("a").orElseThrow().source().equals(PoolSource.manifest("b.yaml")));
        assertThat(gauge("podwire.ipam.pools.refused")).isZero();
    }

    @Test
    void poolWhoseManifestIsGoneDrainsAndIsDeletedOnceEmpty() throws IOException {
        write("a.yaml", "a", "{cidr: 10.1.0.0/16}");
        start();
        await().until(() -> stored("a").isPresent());
        Block block = claim("a");
        Files.delete(folder.resolve("a.yaml"));
        await().until(() -> stored("a").orElseThrow().state() == PoolState.DRAINING);
        assertThat(stored("a").orElseThrow().drainingFrom()).isEqualTo(1);
        blocks.release(NODE, block.cidr(), BlockRules.ANY_CLAIM);
        await().until(() -> stored("a").isEmpty());
    }

    @Test
    void brokenManifestChangesNothingAndTheRestGoesOn() throws IOException {
        write("a.yaml", "a", "{cidr: 10.1.0.0/16}");
        start();
        await().until(() -> stored("a").isPresent());
        source.close();
        write("a.yaml", "a", "{cidr: 10.1.0.0}");
        start();
        write("b.yaml", "b", "{cidr: 10.2.0.0/16}");
        await().until(() -> stored("b").isPresent());
        Files.delete(folder.resolve("b.yaml"));
        await().until(() -> stored("b").isEmpty());
        assertThat(stored("a")).as("nobody knows what its manifest says").isPresent();
        assertThat(gauge("podwire.ipam.pool.manifests.broken")).isEqualTo(1);
    }

    @Test
    void poolOfACallIsLeftAloneAndTheRefusalIsCounted() throws IOException {
        calls.create(new Pool("a", IpPrefix.parse("10.9.0.0/16"), 26));
        write("a.yaml", "a", "{cidr: 10.1.0.0/16}");
        write("b.yaml", "b", "{cidr: 10.9.128.0/17}");
        write("c.yaml", "c", "{cidr: 10.3.0.0/16}");
        write("d.yaml", "c", "{cidr: 10.4.0.0/16}");
        start();
        await().until(() -> stored("c").isPresent());
        await().until(() -> gauge("podwire.ipam.pools.refused") == 2);
        assertThat(stored("a").orElseThrow().cidr()).isEqualTo(IpPrefix.parse("10.9.0.0/16"));
        assertThat(stored("b")).as("it overlaps").isEmpty();
        assertThat(stored("c").orElseThrow().cidr()).as("of the first file").isEqualTo(IpPrefix.parse("10.3.0.0/16"));
        calls.delete("a");
        await().until(() -> gauge("podwire.ipam.pools.refused") == 0);
        assertThat(stored("a").orElseThrow().cidr()).isEqualTo(IpPrefix.parse("10.1.0.0/16"));
        assertThat(stored("b")).isPresent();
    }

    @Test
    void poolIsTakenOverByACall() throws IOException {
        write("a.yaml", "a", "{cidr: 10.1.0.0/16}");
        start();
        await().until(() -> stored("a").isPresent());
        calls.update("a", List.of(new PoolEdit.Source(PoolSource.GRPC)));
        await().until(() -> gauge("podwire.ipam.pools.refused") == 1);
        Files.delete(folder.resolve("a.yaml"));
        await().until(() -> gauge("podwire.ipam.pools.refused") == 0);
        await().during(SOON.multipliedBy(4)).until(() -> stored("a").isPresent());
    }
}

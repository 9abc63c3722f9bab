package io.podwire.policy.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.loop.TimeSource;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ManifestDirectoryTest {
    @TempDir
    private Path folder;

    private final List<ClusterDelta> deltas = new CopyOnWriteArrayList<>();
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private ManifestDirectory source;

    private void start() throws IOException {
        source = new ManifestDirectory(folder, deltas::add, TimeSource.SYSTEM, meters);
    }

    @AfterEach
    void stop() throws IOException {
        source.close();
    }

    private ClusterSnapshot seen() {
        ClusterSnapshot out = ClusterSnapshot.EMPTY;
        for (ClusterDelta delta : deltas) {
            out = delta.applyTo(out);
        }
        return out;
    }

    private double brokenFiles() {
        return meters.get("podwire.policy.manifests.broken").gauge().value();
    }

    private List<String> policies() {
        return seen().policies().keySet().stream().map(Object::toString).toList();
    }

    private void awaitPolicies(String... names) {
        await().pollInterval(Duration.ofMillis(5)).until(() -> policies().equals(List.of(names)));
    }

    private static String policy(String name) {
        return """
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {namespace: x, name: %s}
                spec:
                  podSelector: {}
                """.formatted(name);
    }

    private void write(String file, String content) throws IOException {
        Files.writeString(folder.resolve(file), content);
    }

    @Test
    void readsDocumentsListsAndJsonAndIgnoresTheRest() throws IOException {
        write("a.yaml", "# head\n---\n" + policy("p1") + "---\n" + policy("p2") + """
                ---
                apiVersion: apps/v1
                kind: Deployment
                metadata: {name: d}
                ---
                apiVersion: example.com/v1
                kind: Unheard
                metadata: {name: u}
                """);
        write("b.json", """
                {"apiVersion": "v1", "kind": "List", "items": [
                  {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x", "labels": {"team": "q"}}},
                  {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": []}}]}
                """);
        write("notes.txt", "not a manifest");
        write(".hidden.yaml", "{");
        start();
        awaitPolicies("x/p1", "x/p2");
        assertThat(deltas).as("everything at once").hasSize(1);
        assertThat(seen().namespaces().get("x").labels()).containsEntry("team", "q");
        assertThat(seen().pods().firstKey()).hasToString("default/a");
    }

    @Test
    void servicesAndTheirEndpointsAreRead() throws IOException {
        write("web.yaml", """
                apiVersion: v1
                kind: Service
                metadata: {namespace: x, name: web}
                spec: {clusterIP: 10.96.0.1, ports: [{port: 80}]}
                ---
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: {namespace: x, name: web-1, labels: {kubernetes.io/service-name: web}}
                addressType: IPv4
                ports: [{port: 8080}]
                endpoints: [{addresses: [10.0.1.1]}]
                ---
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: {namespace: x, name: nobodys}
                addressType: IPv4
                """);
        start();
        await().until(() -> source.synced());
        assertThat(seen().services().keySet()).hasToString("[x/web]");
        assertThat(seen().slices().keySet()).hasToString("[x/web-1]");
        assertThat(deltas.getFirst().withoutServices().isEmpty())
                .as("programs do not depend on them")
                .isTrue();
        write("web.yaml", policy("p1"));
        awaitPolicies("x/p1");
        assertThat(seen().services()).isEmpty();
        assertThat(seen().slices()).isEmpty();
        assertThat(deltas.getLast().withoutServices().changes())
                .as("the policy")
                .hasSize(1);
    }

    @Test
    void anEmptyFolderIsReportedToo() throws IOException {
        start();
        await().until(() -> source.synced());
        assertThat(deltas).hasSize(1);
    }

    @Test
    void changesTakeEffectSoon() throws IOException {
        start();
        await().until(() -> source.synced());
        long start = System.nanoTime();
        write("p.yaml", policy("p1"));
        awaitPolicies("x/p1");
        assertThat(Duration.ofNanos(System.nanoTime() - start))
                .as("time to effect")
                .isLessThan(Duration.ofSeconds(1));
        write("p.yaml", policy("p2"));
        awaitPolicies("x/p2");
        write("next", policy("p3"));
        Files.move(folder.resolve("next"), folder.resolve("p.yaml"), StandardCopyOption.ATOMIC_MOVE);
        awaitPolicies("x/p3");
        Files.delete(folder.resolve("p.yaml"));
        awaitPolicies();
    }

    @Test
    void aBrokenFileKeepsItsLastGoodContent() throws IOException {
        write("p.yaml", policy("p1"));
        start();
        awaitPolicies("x/p1");
        write("p.yaml", policy("p1") + "---\nkind: [");
        await().until(() -> brokenFiles() == 1);
        assertThat(policies()).containsExactly("x/p1");
        write("q.yaml", policy("q"));
        awaitPolicies("x/p1", "x/q");
        write("p.yaml", policy("p2"));
        awaitPolicies("x/p2", "x/q");
        assertThat(brokenFiles()).isZero();
    }

    @Test
    void theFolderVanishingChangesNothing() throws IOException {
        write("p.yaml", policy("p1"));
        start();
        awaitPolicies("x/p1");
        Path away = folder.resolveSibling(folder.getFileName() + "-away");
        Files.move(folder, away);
        try {
            await().during(Duration.ofMillis(400)).until(() -> policies().equals(List.of("x/p1")));
        } finally {
            Files.move(away, folder);
        }
        write("q.yaml", policy("q"));
        await().atMost(Duration.ofSeconds(15)).until(() -> policies().equals(List.of("x/p1", "x/q")));
    }

    @Test
    void nothingStartsWhileAFileIsBrokenFromTheStart() throws IOException {
        write("p.yaml", policy("p1"));
        write("broken.yaml", "kind: [");
        start();
        await().until(() -> brokenFiles() == 1);
        assertThat(deltas).as("a policy may be in there").isEmpty();
        Files.delete(folder.resolve("broken.yaml"));
        awaitPolicies("x/p1");
    }

    @Test
    void halfAFileIsNeverRead() throws IOException {
        HandClock clock = new HandClock();
        source = new ManifestDirectory(folder, deltas::add, clock, meters);
        await().until(() -> source.synced());
        // Cut here the policy allows everyone.
        Path file = folder.resolve("p.yaml");
        Files.writeString(file, policy("p") + "  ingress:\n  - from:\n");
        await().during(Duration.ofMillis(200)).until(() -> deltas.size() == 1);
        Files.writeString(file, "    - podSelector: {matchLabels: {app: a}}\n", StandardOpenOption.APPEND);
        await().pollInterval(Duration.ofMillis(5)).until(() -> {
            clock.millis.addAndGet(1);
            return !policies().isEmpty();
        });
        assertThat(deltas).as("the first empty one and the whole file").hasSize(2);
        assertThat(seen().policies()
                        .firstEntry()
                        .getValue()
                        .ingress()
                        .getFirst()
                        .peers())
                .hasSize(1);
    }

    /** Time that moves by hand. */
    private static final class HandClock implements TimeSource {
        private final AtomicLong millis = new AtomicLong();

        @Override
        public Duration monotonic() {
            return Duration.ofMillis(millis.get());
        }

        @Override
        public Instant wall() {
            return Instant.EPOCH;
        }
    }

    @Test
    void aPolicyOfAnotherVersionBreaksItsFile() throws IOException {
        write("p.yaml", policy("p1"));
        start();
        awaitPolicies("x/p1");
        write("old.yaml", policy("p2").replace("networking.k8s.io/v1", "extensions/v1beta1"));
        write(
                "twice.json",
                "{\"kind\": \"Pod\", \"kind\": \"Pod\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": \"a\"}}");
        await().until(() -> brokenFiles() == 2);
        assertThat(policies()).containsExactly("x/p1");
    }
}

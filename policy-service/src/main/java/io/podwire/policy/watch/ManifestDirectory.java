package io.podwire.policy.watch;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.folder.LiveFolder;
import io.podwire.common.loop.TimeSource;
import io.podwire.policy.model.ClusterNode;
import io.podwire.policy.model.ClusterPolicy;
import io.podwire.policy.model.EndpointSlice;
import io.podwire.policy.model.Namespace;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.Service;
import io.podwire.policy.model.ServiceKey;
import io.podwire.policy.model.SliceKey;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The objects of a folder of manifests, live. The folder's thread owns all state; only {@link #synced} is read by
 * others.
 *
 * <p>Nothing is reported before every file has been read once: a file that is broken from the start could hold a
 * policy.
 */
public final class ManifestDirectory implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ManifestDirectory.class);

    private final Path path;
    private final Consumer<ClusterDelta> sink;
    private final LiveFolder<Manifest> folder;
    private ClusterSnapshot reported = ClusterSnapshot.EMPTY;
    private volatile boolean synced;

    /**
     * Starts watching.
     *
     * @param path the folder; it may be absent for a while, which changes nothing
     * @param sink gets the first full content, empty or not, then changes
     */
    public ManifestDirectory(Path path, Consumer<ClusterDelta> sink, TimeSource time, MeterRegistry meters)
            throws IOException {
        this.path = path;
        this.sink = sink;
        this.folder = new LiveFolder<>("manifests", path, ManifestDirectory::parse, this::report, time);
        Gauge.builder("podwire.policy.manifests.broken", folder, LiveFolder::brokenFiles)
                .description("Files that do not parse; their last good content holds")
                .register(meters);
    }

    /** True once everything has been read and reported. */
    public boolean synced() {
        return synced;
    }

    private static Manifest parse(Path file, byte[] content) {
        Manifest manifest = Manifest.parse(content);
        log.info(
                "{} read: {} pods, {} namespaces, {} policies, {} cluster-wide policies, {} nodes,"
                        + " {} services, {} endpoint slices",
                file,
                manifest.pods().size(),
                manifest.namespaces().size(),
                manifest.policies().size(),
                manifest.clusterPolicies().size(),
                manifest.nodes().size(),
                manifest.services().size(),
                manifest.slices().size());
        manifest.ignored().forEach(what -> log.info("{}: {} has no meaning here, ignored", file, what));
        return manifest;
    }

    private void report(LiveFolder.Contents<Manifest> contents) {
        if (!synced && !(contents.settled() && contents.unread().isEmpty())) {
            contents.unread().forEach(file -> log.warn("nothing starts before {} can be read, or is removed", file));
            return;
        }
        ClusterSnapshot now = merged(contents.files());
        ClusterDelta delta = ClusterDelta.ofObjects(reported, now);
        if (!synced || !delta.isEmpty()) {
            sink.accept(delta);
        }
        reported = now;
        synced = true;
    }

    private ClusterSnapshot merged(SortedMap<Path, Manifest> files) {
        SortedMap<PodKey, Pod> pods = new TreeMap<>();
        SortedMap<String, Namespace> namespaces = new TreeMap<>();
        SortedMap<PolicyKey, NetworkPolicy> policies = new TreeMap<>();
        SortedMap<String, ClusterPolicy> clusterPolicies = new TreeMap<>();
        SortedMap<String, ClusterNode> nodes = new TreeMap<>();
        SortedMap<ServiceKey, Service> services = new TreeMap<>();
        SortedMap<SliceKey, EndpointSlice> slices = new TreeMap<>();
        Set<String> twice = new TreeSet<>();
        files.values().forEach(manifest -> {
            manifest.pods().forEach(pod -> put(pods, pod.key(), pod, twice));
            manifest.namespaces().forEach(namespace -> put(namespaces, namespace.name(), namespace, twice));
            manifest.policies().forEach(policy -> put(policies, policy.key(), policy, twice));
            manifest.clusterPolicies().forEach(policy -> put(clusterPolicies, policy.name(), policy, twice));
            manifest.nodes().forEach(node -> put(nodes, node.name(), node, twice));
            manifest.services().forEach(service -> put(services, service.key(), service, twice));
            manifest.slices().forEach(slice -> put(slices, slice.key(), slice, twice));
        });
        if (!twice.isEmpty()) {
            log.warn("{} declares these more than once, the last file's one holds: {}", path, twice);
        }
        return new ClusterSnapshot(
                pods, namespaces, policies, clusterPolicies, nodes, services, slices, ClusterSnapshot.EMPTY.nodes());
    }

    private static <K, V> void put(Map<K, V> map, K key, V value, Set<String> twice) {
        if (map.put(key, value) != null) {
            twice.add(String.valueOf(key));
        }
    }

    /** Stops watching; what was reported stays. */
    @Override
    public void close() throws IOException {
        folder.close();
    }
}

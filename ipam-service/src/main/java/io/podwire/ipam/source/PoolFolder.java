package io.podwire.ipam.source;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.folder.LiveFolder;
import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.service.CasFlow;
import io.podwire.ipam.service.NamespaceCatalog;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The pools of a folder of manifests, live, and its namespaces. Has no state of its own. */
public final class PoolFolder implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(PoolFolder.class);
    private static final Duration PERIOD = Duration.ofSeconds(10);
    /** Longer than the nodes of a cluster differ in when they show a changed ConfigMap to their pods. */
    private static final Duration GRACE = Duration.ofMinutes(2);

    private final PoolReconciler reconciler;
    private final LiveFolder<PoolManifest> folder;

    /**
     * Starts to keep the pools as the folder declares them.
     *
     * @param path the folder; it may be absent for a while, which changes nothing
     * @param namespaces is told of the folder's namespaces, where they are the ones that count
     * @throws IOException when the folder cannot be watched
     */
    public static PoolFolder start(
            Path path, CasFlow flow, Optional<NamespaceCatalog> namespaces, TimeSource time, MeterRegistry meters)
            throws IOException {
        return start(path, flow, namespaces, time, meters, PERIOD, GRACE);
    }

    /**
     * Starts with other times than usual.
     *
     * @param grace how long a pool must be missing before it is withdrawn
     */
    static PoolFolder start(
            Path path,
            CasFlow flow,
            Optional<NamespaceCatalog> namespaces,
            TimeSource time,
            MeterRegistry meters,
            Duration period,
            Duration grace)
            throws IOException {
        PoolReconciler reconciler =
                new PoolReconciler(PoolSource.Kind.MANIFEST, flow, time, meters, period, grace, _ -> {});
        try {
            return new PoolFolder(path, reconciler, namespaces, time, meters);
        } catch (IOException e) {
            reconciler.close();
            throw e;
        }
    }

    private PoolFolder(
            Path path,
            PoolReconciler reconciler,
            Optional<NamespaceCatalog> namespaces,
            TimeSource time,
            MeterRegistry meters)
            throws IOException {
        this.reconciler = reconciler;
        this.folder = new LiveFolder<>(
                "pool-folder",
                path,
                PoolFolder::parse,
                contents -> {
                    reconciler.declare(declared(contents));
                    namespaces.ifPresent(catalog ->
                            catalog.offer(labels(contents), contents.unread().isEmpty()));
                },
                time);
        Gauge.builder("podwire.ipam.pool.manifests.broken", folder, LiveFolder::brokenFiles)
                .description("Files of --pool-dir that cannot be read; their last good content holds")
                .register(meters);
    }

    private static PoolManifest parse(Path file, byte[] content) {
        PoolManifest manifest = PoolManifest.parse(name(file), content);
        log.info(
                "{} read: {} pools, {} namespaces",
                file,
                manifest.pools().size(),
                manifest.namespaces().size());
        manifest.ignored().forEach(what -> log.info("{}: {} has no meaning here, ignored", file, what));
        return manifest;
    }

    /** Of two namespaces of one name, the first file's holds. */
    private static Map<String, Map<String, String>> labels(LiveFolder.Contents<PoolManifest> contents) {
        Map<String, Map<String, String>> labels = new TreeMap<>();
        contents.files().values().forEach(manifest -> manifest.namespaces().forEach(labels::putIfAbsent));
        return labels;
    }

    private static String name(Path file) {
        return String.valueOf(file.getFileName());
    }

    /** Of two pools of one name, the first file's holds. */
    private static Declared declared(LiveFolder.Contents<PoolManifest> contents) {
        SortedMap<String, Pool> pools = new TreeMap<>();
        for (Map.Entry<Path, PoolManifest> file : contents.files().entrySet()) {
            for (Pool pool : file.getValue().pools()) {
                Pool first = pools.putIfAbsent(pool.name(), pool);
                if (first != null) {
                    log.error(
                            "{} declares pool {} once more: what {} says first holds",
                            file.getKey(),
                            pool.name(),
                            first.source());
                }
            }
        }
        Set<String> unread = contents.unread().stream().map(PoolFolder::name).collect(Collectors.toSet());
        return new Declared(PoolSource.Kind.MANIFEST, pools, new TreeMap<>(), unread);
    }

    /** Stops; the pools stay as they are. */
    @Override
    public void close() throws IOException {
        folder.close();
        reconciler.close();
    }
}

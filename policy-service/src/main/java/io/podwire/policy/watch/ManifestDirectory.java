package io.podwire.policy.watch;

import static java.nio.file.StandardWatchEventKinds.ENTRY_CREATE;
import static java.nio.file.StandardWatchEventKinds.ENTRY_DELETE;
import static java.nio.file.StandardWatchEventKinds.ENTRY_MODIFY;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.loop.TimeSource;
import io.podwire.policy.model.Namespace;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A folder of manifests (*.yaml, *.yml, *.json; not hidden, no subfolders), live. Its one thread
 * owns all state; only {@link #synced} and {@link #brokenFiles} are read by others.
 *
 * <p>A file counts once two looks {@link #SETTLE} apart saw it the same, so half a file is never
 * read. A file that does not parse keeps its last good content. Nothing is reported before every
 * file has been read once: a file that is broken from the start could hold a policy.
 */
public final class ManifestDirectory implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ManifestDirectory.class);
    private static final Duration SETTLE = Duration.ofMillis(30);
    private static final Duration RETRY = Duration.ofMillis(200);
    private static final Duration FULL_LOOK = Duration.ofSeconds(10);

    private final Path folder;
    private final Consumer<ClusterDelta> sink;
    private final TimeSource time;
    private final WatchService events;
    private final Thread thread;
    private final SortedMap<Path, FileState> files = new TreeMap<>();
    private ClusterSnapshot reported = ClusterSnapshot.EMPTY;
    private WatchKey registration;
    private String folderProblem = "";
    private volatile boolean synced;
    private volatile boolean closed;
    private volatile int brokenFiles;

    /** What a file looked like; absent is a look too. ctime shows what a kept mtime would hide. */
    private record Stamp(Map<String, Object> attributes) {
        static final Stamp ABSENT = new Stamp(Map.of());
        static final Stamp NEVER = new Stamp(Map.of("never", true));

        static Stamp of(Path path) throws IOException {
            return new Stamp(Files.readAttributes(path, "unix:dev,ino,size,lastModifiedTime,ctime"));
        }
    }

    /** One file's history. */
    private static final class FileState {
        private Stamp seen = Stamp.NEVER;
        private Duration seenSince = Duration.ZERO;
        private Stamp applied = Stamp.NEVER;
        private Manifest good;
        private String problem = "";
    }

    /**
     * Starts watching.
     *
     * @param folder the folder; it may be absent for a while, which changes nothing
     * @param sink gets the first full content, empty or not, then changes
     */
    public ManifestDirectory(Path folder, Consumer<ClusterDelta> sink, TimeSource time, MeterRegistry meters)
            throws IOException {
        this.folder = folder;
        this.sink = sink;
        this.time = time;
        this.events = folder.getFileSystem().newWatchService();
        this.thread = Thread.ofPlatform().name("manifests").daemon(true).unstarted(this::run);
        Gauge.builder("podwire.policy.manifests.broken", this, ManifestDirectory::brokenFiles)
                .description("Files that do not parse; their last good content holds")
                .register(meters);
        thread.start();
    }

    /** True once everything has been read and reported. */
    public boolean synced() {
        return synced;
    }

    /** Files that do not parse now. */
    public int brokenFiles() {
        return brokenFiles;
    }

    private void run() {
        try {
            while (!closed) {
                Duration next = look();
                WatchKey key = events.poll(next.toMillis(), TimeUnit.MILLISECONDS);
                if (key != null) {
                    var _ = key.pollEvents();
                    key.reset();
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ClosedWatchServiceException e) {
            log.debug("{} is watched no more", folder, e);
        }
    }

    /** Looks at every file and says when to look again at the latest. */
    private Duration look() {
        Map<Path, Stamp> seen;
        try {
            if (registration == null || !registration.isValid()) {
                registration = folder.register(events, ENTRY_CREATE, ENTRY_MODIFY, ENTRY_DELETE);
            }
            seen = list();
        } catch (IOException e) {
            if (folderProblem.isEmpty()) {
                log.warn("cannot read {}, what it held still holds: {}", folder, e.toString());
            }
            folderProblem = e.toString();
            return RETRY;
        }
        folderProblem = "";
        seen.keySet().forEach(path -> files.computeIfAbsent(path, _ -> new FileState()));
        boolean settled = true;
        boolean changed = !synced;
        for (Map.Entry<Path, FileState> entry : files.entrySet()) {
            FileState state = entry.getValue();
            Stamp stamp = seen.getOrDefault(entry.getKey(), Stamp.ABSENT);
            if (stamp.equals(state.applied)) {
                state.seen = stamp;
                continue;
            }
            boolean applied = hasSettled(state, stamp) && apply(entry.getKey(), state);
            settled &= applied;
            changed |= applied;
        }
        files.values().removeIf(state -> state.applied.equals(Stamp.ABSENT));
        brokenFiles = (int) files.values().stream()
                .filter(state -> !state.problem.isEmpty())
                .count();
        boolean unread = files.values().stream().anyMatch(state -> state.good == null);
        if (changed && (synced || (settled && !unread))) {
            report();
        }
        return settled ? FULL_LOOK : SETTLE;
    }

    private Map<Path, Stamp> list() throws IOException {
        Map<Path, Stamp> out = new HashMap<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, "[!.]*.{yaml,yml,json}")) {
            for (Path path : entries) {
                if (Files.isRegularFile(path)) {
                    out.put(path, Stamp.of(path));
                }
            }
        }
        return out;
    }

    private boolean hasSettled(FileState state, Stamp stamp) {
        Duration now = time.monotonic();
        if (!stamp.equals(state.seen)) {
            state.seen = stamp;
            state.seenSince = now;
        }
        return now.minus(state.seenSince).compareTo(SETTLE) >= 0;
    }

    /** Takes over a settled file; false when it moved meanwhile. */
    private boolean apply(Path path, FileState state) {
        if (state.seen.equals(Stamp.ABSENT)) {
            log.info("{} is gone", path);
            state.applied = Stamp.ABSENT;
            return true;
        }
        try {
            byte[] content = Files.readAllBytes(path);
            if (!Stamp.of(path).equals(state.seen)) {
                return false;
            }
            state.good = Manifest.parse(content);
            state.problem = "";
            log.info(
                    "{} read: {} pods, {} namespaces, {} policies",
                    path,
                    state.good.pods().size(),
                    state.good.namespaces().size(),
                    state.good.policies().size());
            state.good.ignored().forEach(what -> log.info("{}: {} has no meaning here, ignored", path, what));
        } catch (IOException | IllegalArgumentException e) {
            state.problem = String.valueOf(e.getMessage());
            log.error(
                    "{} cannot be read, {}: {}",
                    path,
                    state.good != null
                            ? "its last good content holds"
                            : synced ? "it adds nothing" : "nothing starts before it can (or is removed)",
                    state.problem);
        }
        state.applied = state.seen;
        return true;
    }

    private void report() {
        ClusterSnapshot now = merged();
        ClusterDelta delta = ClusterDelta.ofObjects(reported, now);
        if (!synced || !delta.isEmpty()) {
            sink.accept(delta);
        }
        reported = now;
        synced = true;
    }

    private ClusterSnapshot merged() {
        SortedMap<PodKey, Pod> pods = new TreeMap<>();
        SortedMap<String, Namespace> namespaces = new TreeMap<>();
        SortedMap<PolicyKey, NetworkPolicy> policies = new TreeMap<>();
        Set<String> twice = new TreeSet<>();
        files.forEach((_, state) -> {
            if (state.good != null) {
                state.good.pods().forEach(pod -> put(pods, pod.key(), pod, twice));
                state.good.namespaces().forEach(namespace -> put(namespaces, namespace.name(), namespace, twice));
                state.good.policies().forEach(policy -> put(policies, policy.key(), policy, twice));
            }
        });
        if (!twice.isEmpty()) {
            log.warn("{} declares these more than once, the last file's one holds: {}", folder, twice);
        }
        return new ClusterSnapshot(pods, namespaces, policies, ClusterSnapshot.EMPTY.nodes());
    }

    private static <K, V> void put(Map<K, V> map, K key, V value, Set<String> twice) {
        if (map.put(key, value) != null) {
            twice.add(String.valueOf(key));
        }
    }

    /** Stops watching; what was reported stays. */
    @Override
    public void close() throws IOException {
        closed = true;
        thread.interrupt();
        events.close();
    }
}

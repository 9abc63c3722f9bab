package io.podwire.common.folder;

import static java.nio.file.StandardWatchEventKinds.ENTRY_CREATE;
import static java.nio.file.StandardWatchEventKinds.ENTRY_DELETE;
import static java.nio.file.StandardWatchEventKinds.ENTRY_MODIFY;

import io.podwire.common.loop.TimeSource;
import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A folder of manifests (*.yaml, *.yml, *.json; not hidden, no subfolders), live. Its one thread
 * owns all state, and calls the parser and the sink; only {@link #brokenFiles} is read by others.
 *
 * <p>A file counts once two looks {@link #SETTLE} apart saw it the same, so half a file is never
 * read. A file that does not parse keeps its last good content.
 *
 * @param <T> what a file says
 */
public final class LiveFolder<T> implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(LiveFolder.class);
    private static final Duration SETTLE = Duration.ofMillis(30);
    private static final Duration RETRY = Duration.ofMillis(200);
    private static final Duration FULL_LOOK = Duration.ofSeconds(10);

    private final Path folder;
    private final Parser<T> parser;
    private final Consumer<Contents<T>> sink;
    private final TimeSource time;
    private final WatchService events;
    private final Thread thread;
    private final SortedMap<Path, FileState<T>> files = new TreeMap<>();
    private WatchKey registration;
    private String folderProblem = "";
    private boolean reported;
    private volatile boolean closed;
    private volatile int brokenFiles;

    /** Reads one file. */
    @FunctionalInterface
    public interface Parser<T> {
        /**
         * What the file says.
         *
         * @throws IllegalArgumentException naming what is wrong; the file's name is added
         */
        T parse(Path file, byte[] content);
    }

    /**
     * Everything that the folder says now.
     *
     * @param files the newest good content of each file, by path
     * @param unread files that are there and had no good content yet
     * @param settled false while a file changes
     */
    public record Contents<T>(SortedMap<Path, T> files, Set<Path> unread, boolean settled) {
        /** Copies. */
        public Contents {
            files = Collections.unmodifiableSortedMap(new TreeMap<>(files));
            unread = Set.copyOf(unread);
        }
    }

    /** What a file looked like; absent is a look too. ctime shows what a kept mtime would hide. */
    private record Stamp(Map<String, Object> attributes) {
        static final Stamp ABSENT = new Stamp(Map.of());
        static final Stamp NEVER = new Stamp(Map.of("never", true));

        static Stamp of(Path path) throws IOException {
            return new Stamp(Files.readAttributes(path, "unix:dev,ino,size,lastModifiedTime,ctime"));
        }
    }

    /** One file's history. */
    private static final class FileState<T> {
        private Stamp seen = Stamp.NEVER;
        private Duration seenSince = Duration.ZERO;
        private Stamp applied = Stamp.NEVER;
        private T good;
        private String problem = "";
    }

    /**
     * Starts watching.
     *
     * @param name of the thread
     * @param folder the folder; it may be absent for a while, which changes nothing
     * @param sink gets the first full content once every file was looked at, then the whole after each change
     */
    public LiveFolder(String name, Path folder, Parser<T> parser, Consumer<Contents<T>> sink, TimeSource time)
            throws IOException {
        this.folder = folder;
        this.parser = parser;
        this.sink = sink;
        this.time = time;
        this.events = folder.getFileSystem().newWatchService();
        this.thread = Thread.ofPlatform().name(name).daemon(true).unstarted(this::run);
        thread.start();
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
        seen.keySet().forEach(path -> files.computeIfAbsent(path, _ -> new FileState<>()));
        boolean settled = true;
        boolean changed = !reported;
        for (Map.Entry<Path, FileState<T>> entry : files.entrySet()) {
            FileState<T> state = entry.getValue();
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
        if (changed && (reported || settled)) {
            reported = true;
            sink.accept(contents(settled));
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

    private boolean hasSettled(FileState<T> state, Stamp stamp) {
        Duration now = time.monotonic();
        if (!stamp.equals(state.seen)) {
            state.seen = stamp;
            state.seenSince = now;
        }
        return now.minus(state.seenSince).compareTo(SETTLE) >= 0;
    }

    /** Takes over a settled file; false when it moved meanwhile. */
    private boolean apply(Path path, FileState<T> state) {
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
            state.good = parser.parse(path, content);
            state.problem = "";
        } catch (IOException | IllegalArgumentException e) {
            state.problem = String.valueOf(e.getMessage());
            log.error(
                    "{} cannot be read, {}: {}",
                    path,
                    state.good != null ? "its last good content holds" : "nothing is known of what it says",
                    state.problem);
        }
        state.applied = state.seen;
        return true;
    }

    private Contents<T> contents(boolean settled) {
        SortedMap<Path, T> good = new TreeMap<>();
        SortedSet<Path> unread = new TreeSet<>();
        files.forEach((path, state) -> {
            if (state.good == null) {
                unread.add(path);
            } else {
                good.put(path, state.good);
            }
        });
        return new Contents<>(good, unread, settled);
    }

    /** Stops watching; what was reported stays. */
    @Override
    public void close() throws IOException {
        closed = true;
        thread.interrupt();
        events.close();
    }
}

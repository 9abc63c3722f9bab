package io.podwire.ipam.store;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import org.h2.mvstore.Cursor;
import org.h2.mvstore.DataUtils;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;
import org.h2.mvstore.MVStoreException;

/**
 * The store in one file of this machine, by H2's MVStore. One lock guards everything: a reader never
 * sees what is not on disk yet. The file is locked against a second process.
 */
public final class MvIpamStore implements IpamStore {
    private static final String REVISION = "revision";
    /** Revision of the last write that deleted. */
    private static final String DELETION = "deletion";

    private static final Duration COMPACTION = Duration.ofMillis(300);

    private final ReentrantLock lock = new ReentrantLock();
    private final Path file;
    private final MVStore store;
    /** Key to version, blank, value. */
    private final MVMap<String, String> entries;

    private final MVMap<String, Long> meta;

    private MvIpamStore(Path file, MVStore store) {
        this.file = file;
        this.store = store;
        this.entries = store.openMap("entries");
        this.meta = store.openMap("meta");
    }

    /**
     * Opens the file, or makes it and its folder.
     *
     * @throws IOException when it cannot be read or written, or another process has it open
     */
    public static MvIpamStore open(Path file) throws IOException {
        if (file.toAbsolutePath().getParent() != null) {
            Files.createDirectories(file.toAbsolutePath().getParent());
        }
        try {
            // Only our own commits reach the file: nothing is written between decision and commit.
            return new MvIpamStore(
                    file,
                    new MVStore.Builder()
                            .fileName(file.toString())
                            .autoCommitDisabled()
                            .open());
        } catch (MVStoreException e) {
            if (e.getErrorCode() == DataUtils.ERROR_FILE_LOCKED) {
                throw new IOException(
                        "the store file " + file + " is in use by "
                                + holder(file).orElse("another process")
                                + ": stop that one, or name another file with --mvstore-file",
                        e);
            }
            throw new IOException("the store file " + file + " cannot be opened: " + e.getMessage(), e);
        }
    }

    @Override
    public Reading read(long since) {
        lock.lock();
        try {
            checkOpen();
            long revision = meta.getOrDefault(REVISION, 0L);
            boolean whole = since == 0 || since > revision || since < meta.getOrDefault(DELETION, 0L);
            List<Entry> found = new ArrayList<>();
            if (whole || since < revision) {
                Cursor<String, String> cursor = entries.cursor(null);
                while (cursor.hasNext()) {
                    Entry entry = entry(cursor.next(), cursor.getValue());
                    if (whole || entry.version() > since) {
                        found.add(entry);
                    }
                }
            }
            return new Reading(revision, whole, found);
        } catch (MVStoreException | IllegalStateException e) {
            throw unavailable("reading", e);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public long revision() {
        lock.lock();
        try {
            checkOpen();
            return meta.getOrDefault(REVISION, 0L);
        } catch (MVStoreException | IllegalStateException e) {
            throw unavailable("reading", e);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public Outcome compareAndSet(List<Change> changes) {
        lock.lock();
        try {
            checkOpen();
            for (Change change : changes) {
                if (version(change.key()) != change.expected()) {
                    return new Outcome.Conflict();
                }
            }
            long next = meta.getOrDefault(REVISION, 0L) + 1;
            meta.put(REVISION, next);
            for (Change change : changes) {
                switch (change) {
                    case Change.Put put -> entries.put(put.key(), next + " " + put.value());
                    case Change.Delete delete -> {
                        entries.remove(delete.key());
                        meta.put(DELETION, next);
                    }
                    case Change.Check _ -> {}
                }
            }
            store.commit();
            store.sync();
            return new Outcome.Applied(next);
        } catch (MVStoreException | IllegalStateException e) {
            // What a failed commit left in the file shows when it is opened again, so be it.
            store.closeImmediately();
            throw unavailable("writing", e);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public boolean connected() {
        return !store.isClosed();
    }

    @Override
    public void close() {
        lock.lock();
        try {
            // History of the last 45 s is kept for crash safety; here it goes, and the file shrinks.
            store.close((int) COMPACTION.toMillis());
        } finally {
            lock.unlock();
        }
    }

    private void checkOpen() {
        if (store.isClosed()) {
            throw new IllegalStateException("it is closed");
        }
    }

    private long version(String key) {
        String stored = entries.get(key);
        return stored == null ? Change.ABSENT : entry(key, stored).version();
    }

    private static Entry entry(String key, String stored) {
        int blank = stored.indexOf(' ');
        return new Entry(key, Long.parseLong(stored.substring(0, blank)), stored.substring(blank + 1));
    }

    private ServiceException unavailable(String what, RuntimeException cause) {
        return new ServiceException(
                ErrorReason.UNAVAILABLE,
                what + " the store file " + file + " failed (" + cause.getMessage()
                        + "); the service serves again after a restart with space and rights on that file",
                cause);
    }

    /** Who holds a lock on the file, as /proc/locks tells it, proc_locks(5). */
    private static Optional<String> holder(Path file) {
        try (Stream<String> locks = Files.lines(Path.of("/proc/locks"))) {
            String inode = ":" + Files.getAttribute(file, "unix:ino");
            return locks.map(line -> line.trim().split("\\s+"))
                    .filter(fields -> fields.length > 5 && fields[5].endsWith(inode))
                    .map(fields -> Long.parseLong(fields[4]))
                    .findFirst()
                    .map(pid -> "process " + pid
                            + ProcessHandle.of(pid)
                                    .flatMap(process -> process.info().command())
                                    .map(command -> " (" + command + ")")
                                    .orElse(""));
        } catch (IOException | RuntimeException e) {
            return Optional.empty();
        }
    }
}

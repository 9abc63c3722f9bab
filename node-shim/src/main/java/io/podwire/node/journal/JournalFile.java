package io.podwire.node.journal;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;
import org.h2.mvstore.MVStoreException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The journal's MVStore file: writes changes, and when it cannot, keeps them and writes them later.
 *
 * <p>MVStore closes itself at the first write that fails, as on a full disk. The file holds the last
 * change that was written then. It is opened again, and what is kept is done again, in order, at the next
 * change or {@link #catchUp} that finds room.
 *
 * <p>A file that lost its end is a good MVStore file of some time ago. So the number of the last version
 * is kept beside it, and an older file than that is damage.
 *
 * <p>Not safe for several threads.
 */
final class JournalFile implements AutoCloseable {
    /** Less free space than that, and no pod is attached: it is what removals need. */
    static final long RESERVE_BYTES = 1 << 20;

    private static final Logger log = LoggerFactory.getLogger(JournalFile.class);
    private static final String VERSION_SUFFIX = ".version";
    private static final String FORMAT = "format";
    /** Entries have checksums since this one. */
    private static final int SEALED = 3;

    private final Path file;
    private final VersionFile version;
    private final List<Consumer<Maps>> behind = new ArrayList<>();
    private MVStore store;
    private Maps maps;
    private volatile Optional<String> problem = Optional.empty();

    /** The maps in the file. */
    record Maps(
            SealedMap<String> meta,
            SealedMap<String> attachments,
            SealedMap<String> blocks,
            SealedMap<String> returning,
            SealedMap<String> singles,
            SealedMap<Long> cooling,
            SealedMap<String> programEndpoints,
            SealedMap<String> programSets,
            SealedMap<String> programExpected) {
        static Maps of(MVStore store) {
            return new Maps(
                    new SealedMap<>(store.openMap("meta")),
                    new SealedMap<>(store.openMap("attachments")),
                    new SealedMap<>(store.openMap("blocks")),
                    new SealedMap<>(store.openMap("returning")),
                    new SealedMap<>(store.openMap("singles")),
                    new SealedMap<>(store.openMap("cooling")),
                    new SealedMap<>(store.openMap("program.endpoints")),
                    new SealedMap<>(store.openMap("program.sets")),
                    new SealedMap<>(store.openMap("program.expected")));
        }

        List<SealedMap<?>> all() {
            return List.of(
                    meta,
                    attachments,
                    blocks,
                    returning,
                    singles,
                    cooling,
                    programEndpoints,
                    programSets,
                    programExpected);
        }
    }

    /**
     * Opens or creates the file, and reads all of it.
     *
     * @throws MVStoreException when MVStore cannot read it, or another process holds it
     * @throws IllegalStateException when it is damaged
     * @throws NewerFormatException when a newer release wrote it
     * @throws IOException when the version beside it cannot be read
     */
    static JournalFile open(Path file) throws IOException {
        VersionFile version = VersionFile.open(file.resolveSibling(file.getFileName() + VERSION_SUFFIX));
        try {
            if (Files.notExists(file)) {
                version.write(0);
            }
            return new JournalFile(file, version);
        } catch (RuntimeException | IOException e) {
            version.close();
            throw e;
        }
    }

    private JournalFile(Path file, VersionFile version) {
        this.file = file;
        this.version = version;
        openStore();
        try {
            checkVersion();
            seal();
            maps.all().forEach(SealedMap::all);
        } catch (RuntimeException e) {
            store.closeImmediately();
            throw e;
        }
    }

    private void openStore() {
        store = new MVStore.Builder()
                .fileName(file.toString())
                .autoCommitDisabled()
                .cacheSize(4)
                .open();
        // Several small changes a second: let MVStore reuse old chunks at once, there is no other reader.
        store.setRetentionTime(0);
        store.setVersionsToKeep(0);
        maps = Maps.of(store);
    }

    private void checkVersion() {
        long known = version.read();
        if (store.getCurrentVersion() < known) {
            throw new IllegalStateException("it is of version " + store.getCurrentVersion() + ", and version " + known
                    + " was written: its end is lost");
        }
    }

    private void seal() {
        // Without a seal of its own: it says whether there are seals.
        MVMap<String, String> formats = store.openMap(FORMAT);
        int format = Integer.parseInt(formats.getOrDefault(FORMAT, "1"));
        if (format > SEALED) {
            throw new NewerFormatException("it has format " + format + ", this release reads 1 to " + SEALED
                    + ": start the release that wrote it, or a newer one");
        }
        if (format < SEALED) {
            change(all -> {
                all.all().forEach(SealedMap::sealAll);
                store.<String, String>openMap(FORMAT).put(FORMAT, Integer.toString(SEALED));
            });
            problem.ifPresent(why -> {
                throw new IllegalStateException(
                        "it cannot be brought from format " + format + " to " + SEALED + ": " + why);
            });
        }
    }

    Maps maps() {
        return maps;
    }

    /** Why the last change is not in the file; empty when it is. For any thread. */
    Optional<String> problem() {
        return problem;
    }

    /** True when the file holds every change. */
    boolean current() {
        return behind.isEmpty();
    }

    /** True when this change is kept in memory alone. */
    boolean keeps(Consumer<Maps> change) {
        return behind.contains(change);
    }

    /** How many changes are kept in memory alone. */
    int waiting() {
        return behind.size();
    }

    /** Does a change and writes it; kept for later when that fails. */
    void change(Consumer<Maps> change) {
        behind.add(change);
        if (problem.isEmpty() || hasRoom()) {
            catchUp();
        } else {
            applyForReaders(change);
        }
    }

    /** Forgets the change that was given last, which is kept: its caller undoes what it stood for. */
    void takeBackLast() {
        behind.removeLast();
        reload();
    }

    /**
     * Writes what is kept.
     *
     * @return true when the file holds every change now
     */
    boolean catchUp() {
        if (behind.isEmpty()) {
            return true;
        }
        try {
            if (store.isClosed()) {
                openStore();
            }
            behind.forEach(change -> change.accept(maps));
            store.commit();
            version.write(store.getCurrentVersion());
        } catch (MVStoreException | IllegalStateException | IOException e) {
            if (problem.isEmpty()) {
                log.error("the journal {} cannot be written; changes are kept in memory until it can", file, e);
            }
            problem = Optional.of(String.valueOf(e.getMessage()));
            reload();
            return false;
        }
        if (problem.isPresent()) {
            log.info("the journal {} is written again, {} changes were kept meanwhile", file, behind.size());
        }
        behind.clear();
        problem = Optional.empty();
        return true;
    }

    /**
     * Forces what was written to the disk, past a loss of power.
     *
     * @return true when the file holds every change, and the disk the file
     */
    boolean force() {
        if (!current()) {
            return false;
        }
        try {
            store.sync();
            return true;
        } catch (MVStoreException e) {
            log.error("the journal {} cannot be forced to the disk", file, e);
            return false;
        }
    }

    /** What the file holds and what is kept, for readers; reading needs no room on the disk. */
    private void reload() {
        store.closeImmediately();
        try {
            openStore();
        } catch (MVStoreException | IllegalStateException e) {
            log.error("the journal {} cannot even be read now", file, e);
            return;
        }
        behind.forEach(this::applyForReaders);
    }

    private void applyForReaders(Consumer<Maps> change) {
        try {
            change.accept(maps);
        } catch (MVStoreException | IllegalStateException e) {
            log.error("the journal {} cannot be read and written now", file, e);
        }
    }

    /** True when there is room for more than removals. For any thread. */
    boolean hasRoom() {
        return usableBytes() >= RESERVE_BYTES;
    }

    /** Bytes that can be written to the file system of the file. For any thread. */
    long usableBytes() {
        return file.getParent().toFile().getUsableSpace();
    }

    @Override
    public void close() {
        boolean whole = catchUp();
        version.close();
        if (whole) {
            store.close();
        } else {
            store.closeImmediately();
        }
    }
}

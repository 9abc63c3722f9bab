package io.podwire.node.cni;

import com.google.common.util.concurrent.Striped;
import com.google.protobuf.InvalidProtocolBufferException;
import io.podwire.node.plan.EndpointKey;
import io.podwire.proto.cni.v1.CniRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.Lock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * DELs that cni-shim could not deliver: one file each in a 0700 folder, {@code <hash>.del}, a
 * serialized {@link CniRequest}. A file is removed after its DEL succeeded, so a kill between the two
 * repeats the DEL, which does nothing then.
 *
 * <p>For several threads: each file has a lock from its reading to its removal, else one thread could
 * do a DEL that another has done already, on the ADD after it.
 */
public final class Spool {
    private static final Logger log = LoggerFactory.getLogger(Spool.class);

    /** spool_name() of cni-shim/src/spool.c names files by two 64-bit FNV-1a hashes. */
    private static final long FNV_BASIS = 0xcbf29ce484222325L;

    private static final long FNV_PRIME = 0x100000001b3L;

    private final Path folder;
    private final Striped<Lock> locks = Striped.lazyWeakLock(256);
    private Set<Path> halfWritten = Set.of();

    /** Does one DEL. */
    @FunctionalInterface
    public interface Deleter {
        /** Does it; an exception keeps the file for the next drain. */
        void delete(CniRequest request) throws CniException;
    }

    /**
     * A spool; its folder is made when missing.
     *
     * @throws IOException when the folder cannot be made or restricted to its owner
     */
    public Spool(Path folder) throws IOException {
        this.folder = folder;
        if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
            Files.createDirectories(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        }
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
    }

    /** Does every DEL that waits. A file that is no request is kept as {@code .bad} and named in the log. */
    public void drain(Deleter deleter) {
        files("*.del").forEach(file -> drain(file, deleter));
    }

    /** Does the DEL of one attachment if it waits: others that take their time hold up no ADD. */
    public void drain(EndpointKey key, Deleter deleter) {
        Path file = folder.resolve(name(key));
        if (Files.exists(file)) {
            drain(file, deleter);
        }
    }

    private void drain(Path file, Deleter deleter) {
        Lock lock = locks.get(file.getFileName());
        lock.lock();
        try {
            CniRequest request = CniRequest.parseFrom(Files.readAllBytes(file));
            deleter.delete(request);
            Files.deleteIfExists(file);
            log.info("did the spooled DEL of {}/{}", request.getContainerId(), request.getIfname());
        } catch (NoSuchFileException e) {
            log.debug("{} is done already", file, e);
        } catch (InvalidProtocolBufferException | CniException e) {
            setAside(file, e);
        } catch (IOException | RuntimeException e) {
            log.error("the spooled DEL {} failed and is tried again", file, e);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Removes what a cni-shim that was killed left half written: it had told nobody that its DEL is done.
     * Such a file goes at the second look, so call this less often than a file takes to be written. One
     * thread calls it.
     */
    public void sweep() {
        Set<Path> now = new HashSet<>(files(".*"));
        for (Path file : now) {
            if (halfWritten.contains(file)) {
                try {
                    Files.deleteIfExists(file);
                    log.info("removed {}, half written by a cni-shim that was killed", file);
                } catch (IOException e) {
                    log.warn("cannot remove the half written file {}", file, e);
                }
            }
        }
        halfWritten = now;
    }

    /** Names of all files in the folder: DELs that wait, those set aside, and what nobody of us wrote. */
    public List<String> list() {
        return files("{.,}*").stream()
                .map(file -> file.getFileName().toString())
                .sorted()
                .toList();
    }

    /** The file of one attachment's DEL, as cni-shim calls it. */
    static String name(EndpointKey key) {
        byte[] text = (key.containerId() + '\0' + key.ifname()).getBytes(StandardCharsets.UTF_8);
        return HexFormat.of().toHexDigits(fnv1a(FNV_BASIS, text))
                + HexFormat.of().toHexDigits(fnv1a(~FNV_BASIS, text))
                + ".del";
    }

    private static long fnv1a(long hash, byte[] text) {
        for (byte b : text) {
            hash = (hash ^ (b & 0xff)) * FNV_PRIME;
        }
        return hash;
    }

    private List<Path> files(String glob) {
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, glob)) {
            entries.forEach(files::add);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read the spool folder " + folder, e);
        }
        return files;
    }

    private static void setAside(Path file, Exception why) {
        Path bad = file.resolveSibling(file.getFileName() + ".bad");
        try {
            Files.move(file, bad, StandardCopyOption.REPLACE_EXISTING);
            log.error("{} is not a DEL that can be done, kept as {}", file, bad, why);
        } catch (IOException e) {
            log.error("{} is not a DEL that can be done, and cannot be moved", file, e);
        }
    }
}

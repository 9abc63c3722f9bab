package io.podwire.node.cni;

import io.podwire.proto.cni.v1.CniRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * DELs that cni-shim could not deliver: one file each in a 0700 folder, {@code <hash>.del}, a
 * serialized {@link CniRequest}. A file is removed after its DEL succeeded, so a kill between the two
 * repeats the DEL, which does nothing then.
 */
public final class Spool {
    private static final Logger log = LoggerFactory.getLogger(Spool.class);

    private final Path folder;

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
    public synchronized void drain(Deleter deleter) {
        for (Path file : waiting()) {
            CniRequest request;
            try {
                request = CniRequest.parseFrom(Files.readAllBytes(file));
            } catch (IOException e) {
                setAside(file, e);
                continue;
            }
            try {
                deleter.delete(request);
                Files.deleteIfExists(file);
                log.info("did the spooled DEL of {}/{}", request.getContainerId(), request.getIfname());
            } catch (CniException e) {
                setAside(file, e);
            } catch (IOException | RuntimeException e) {
                log.error("the spooled DEL {} failed and is tried again", file, e);
            }
        }
    }

    private List<Path> waiting() {
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, "*.del")) {
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

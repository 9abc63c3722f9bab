package io.podwire.node.journal;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.podwire.node.journal.JournalException.Reason;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * ADDs that have begun, one small file each: what a killed node-shim had under way is undone by the next.
 *
 * <p>A file takes some tens of microseconds, where a commit of the journal takes hundreds, and an ADD
 * waits for its intent before it touches the kernel. The attachment itself is written to the journal
 * while the pod is wired; an attachment with a file here is not done, whatever the journal says.
 *
 * <p>Safe for several threads, one for each attachment at a time.
 */
public final class IntentFolder {
    private static final Logger log = LoggerFactory.getLogger(IntentFolder.class);

    private final Path folder;

    /**
     * Uses a folder, which is made if it is not there.
     *
     * @throws IOException when it cannot be made
     */
    public IntentFolder(Path folder) throws IOException {
        this.folder = Files.createDirectories(
                folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    /**
     * Notes that an ADD has begun.
     *
     * @throws JournalException when it cannot be written; nothing is noted then
     */
    void write(Attachment intent) {
        Path file = file(intent);
        try {
            Files.write(file, Journal.row(intent).getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            remove(intent);
            throw new JournalException(Reason.UNWRITABLE, "cannot write " + file + ": " + e.getMessage(), e);
        }
    }

    /** Notes that it is done or undone; that of one that was not noted does nothing. */
    void remove(Attachment intent) {
        try {
            Files.deleteIfExists(file(intent));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot remove " + file(intent), e);
        }
    }

    /** ADDs that have begun and not ended. A file that was not written to its end is removed: nothing was done yet. */
    public List<Attachment> all() {
        List<Attachment> all = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                try {
                    all.add(Journal.attachment(Files.readString(file)));
                } catch (JsonProcessingException | IllegalArgumentException e) {
                    log.warn("{} was not written to its end, its ADD had done nothing: removing it", file, e);
                    Files.delete(file);
                }
            }
        } catch (IOException e) {
            throw new JournalException(
                    Reason.UNUSABLE, "cannot read the intents in " + folder + ": " + e.getMessage(), e);
        }
        return all;
    }

    /** The host end's name is one attachment's alone. */
    private Path file(Attachment attachment) {
        return folder.resolve(attachment.hostIfname());
    }
}

package io.podwire.node.journal;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.podwire.node.journal.JournalException.Reason;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * ADDs that have begun, one small file each: what a killed node-shim had under way is undone by the next. An ADD that
 * is done adds a second line to its file, which is removed once the journal has the attachment.
 *
 * <p>A line takes some tens of microseconds, where a commit of the journal takes hundreds, and a pod waits for its
 * ADD. One line of a file is the intent; two are a pod whose ADD may have been answered.
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

    /**
     * Notes that an ADD that was noted is done.
     *
     * @throws JournalException when it cannot be written; it is not done then
     */
    void complete(Attachment attached) {
        Path file = file(attached);
        try {
            Files.write(
                    file,
                    ("\n" + Journal.row(attached)).getBytes(StandardCharsets.UTF_8),
                    StandardOpenOption.WRITE,
                    StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new JournalException(Reason.UNWRITABLE, "cannot write " + file + ": " + e.getMessage(), e);
        }
    }

    /** Takes the file away, of what is in the journal or undone; without one nothing is done. */
    void remove(Attachment intent) {
        try {
            Files.deleteIfExists(file(intent));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot remove " + file(intent), e);
        }
    }

    /**
     * ADDs that are not done, and those done that may not be in the journal. A file whose first line was not written to
     * its end is removed: nothing was done yet.
     */
    public List<Attachment> all() {
        List<Attachment> all = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                try {
                    all.add(newest(Files.readString(file)));
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

    private static Attachment newest(String lines) throws JsonProcessingException {
        int second = lines.indexOf('\n') + 1;
        if (second > 0) {
            try {
                return Journal.attachment(lines.substring(second));
            } catch (JsonProcessingException | IllegalArgumentException e) {
                log.debug("an ADD was cut off as it was done, and was not answered", e);
                return Journal.attachment(lines.substring(0, second));
            }
        }
        return Journal.attachment(lines);
    }

    /** The host end's name is one attachment's alone. */
    private Path file(Attachment attachment) {
        return folder.resolve(attachment.hostIfname());
    }
}

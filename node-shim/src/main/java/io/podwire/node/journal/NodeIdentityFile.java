package io.podwire.node.journal;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who this node is, beside the journal: a node that lost its journal still owns its blocks by this.
 *
 * @param path of the file, one line: uid, counter
 */
public record NodeIdentityFile(Path path) {
    private static final Logger log = LoggerFactory.getLogger(NodeIdentityFile.class);
    private static final Pattern LINE = Pattern.compile("([A-Za-z0-9._-]{1,64}) ([1-9][0-9]{0,17})\n");

    /** The last life that was written; empty when none was, or it cannot be read. */
    public Optional<Journal.Life> read() {
        try {
            Matcher line = LINE.matcher(Files.readString(path));
            if (line.matches()) {
                return Optional.of(new Journal.Life(line.group(1), Long.parseLong(line.group(2)), false));
            }
            log.warn("{} is not as it was written; the journal tells who this node is", path);
        } catch (NoSuchFileException e) {
            log.debug("no {} yet", path, e);
        } catch (IOException e) {
            log.warn("cannot read {}; the journal tells who this node is", path, e);
        }
        return Optional.empty();
    }

    /** Writes a life, synced. When it cannot be written the last one stays: it is a copy only. */
    public void write(Journal.Life life) {
        Path temporary = path.resolveSibling(path.getFileName() + ".new");
        try (FileChannel file = FileChannel.open(
                temporary, StandardOpenOption.WRITE, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING)) {
            file.write(StandardCharsets.UTF_8.encode(life.nodeUid() + " " + life.counter() + "\n"));
            file.force(true);
            Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            log.warn("cannot write {}, a copy of what the journal says of this node", path, e);
        }
    }
}

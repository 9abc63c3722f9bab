package io.podwire.node.journal;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One number in a file, overwritten in place: which version of the journal was written last. What cannot
 * be read counts as 0, since the journal proves itself; this proves only that it is not an old one.
 */
final class VersionFile implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(VersionFile.class);
    private static final int BYTES = 16;

    private final Path path;
    private final FileChannel file;

    private VersionFile(Path path, FileChannel file) {
        this.path = path;
        this.file = file;
    }

    static VersionFile open(Path path) throws IOException {
        return new VersionFile(
                path,
                FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE));
    }

    long read() {
        ByteBuffer buffer = ByteBuffer.allocate(BYTES);
        try {
            if (file.read(buffer, 0) == BYTES && buffer.getLong(8) == checksum(buffer.getLong(0))) {
                return buffer.getLong(0);
            }
        } catch (IOException e) {
            log.warn("cannot read {}", path, e);
        }
        return 0;
    }

    void write(long version) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(BYTES).putLong(version).putLong(checksum(version));
        file.write(buffer.flip(), 0);
    }

    private static long checksum(long version) {
        CRC32C checksum = new CRC32C();
        checksum.update(ByteBuffer.allocate(Long.BYTES).putLong(version).flip());
        return checksum.getValue();
    }

    @Override
    public void close() {
        try {
            file.close();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot close " + path, e);
        }
    }
}

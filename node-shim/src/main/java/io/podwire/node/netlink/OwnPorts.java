package io.podwire.node.netlink;

import io.podwire.node.ffm.Libc;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The ports of this process's netlink sockets of one protocol, whoever opened them (libnftables opens its own).
 * Belongs to one thread.
 */
final class OwnPorts {
    private static final Logger log = LoggerFactory.getLogger(OwnPorts.class);
    private static final Path FILES = Path.of("/proc/self/fd");

    private final Map<Integer, Integer> fileByPort = new HashMap<>();
    private final int protocol;

    OwnPorts(int protocol) {
        this.protocol = protocol;
    }

    /** True when a socket of this process has the port now; looks through all open files for a new one. */
    boolean contains(int port) {
        return isKnown(port) || (port != 0 && search(port));
    }

    private boolean isKnown(int port) {
        Integer file = fileByPort.get(port);
        return file != null && Libc.netlinkPort(file, protocol) == Integer.toUnsignedLong(port);
    }

    private boolean search(int port) {
        fileByPort.clear();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(FILES)) {
            for (Path path : files) {
                int file = Integer.parseInt(path.getFileName().toString());
                long found = Libc.netlinkPort(file, protocol);
                if (found >= 0) {
                    fileByPort.put((int) found, file);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            log.warn("cannot look through {}: changes of this process count as others'", FILES, e);
        }
        return fileByPort.containsKey(port);
    }
}

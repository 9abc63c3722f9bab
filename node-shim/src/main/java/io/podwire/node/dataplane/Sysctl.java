package io.podwire.node.dataplane;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Kernel settings of the calling process's network namespace (sysctl(8)).
 *
 * @param root where they are files: /proc/sys, or another place where the host's /proc/sys/net is
 *     mounted below {@code net}, since a container sees its own /proc/sys read-only
 */
public record Sysctl(Path root) {
    /** The value of a key such as {@code net/ipv4/ip_forward}; empty when the kernel has no such key. */
    Optional<String> read(String key) throws IOException {
        Path file = root.resolve(key);
        return Files.exists(file) ? Optional.of(Files.readString(file).strip()) : Optional.empty();
    }

    /**
     * Sets a key that the kernel has, if it has another value.
     *
     * @return true when it was changed
     * @throws IOException naming the key and the value when it cannot be written
     */
    boolean ensure(String key, String value) throws IOException {
        Optional<String> before = read(key);
        if (before.isEmpty() || before.get().equals(value)) {
            return false;
        }
        try {
            Files.writeString(root.resolve(key), value);
        } catch (IOException e) {
            throw new IOException(
                    "cannot set " + key + " to " + value + " below --sysctl-dir " + root + ", it is " + before.get()
                            + ": " + e.getMessage(),
                    e);
        }
        return true;
    }
}

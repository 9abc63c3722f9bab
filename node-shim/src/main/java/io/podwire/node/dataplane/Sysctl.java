package io.podwire.node.dataplane;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Kernel settings of the calling process's network namespace (sysctl(8)).
 *
 * @param root where they are files: /proc/sys, or another place where the host's /proc/sys/net is
 *     mounted below {@code net}, since a container sees its own /proc/sys read-only
 */
public record Sysctl(Path root) {
    private static final int MAX_VALUE = 4096;

    /** The value of a key such as {@code net/ipv4/ip_forward}; empty when the kernel has no such key. */
    Optional<String> read(String key) throws IOException {
        Path file = root.resolve(key);
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        // In one read: the kernel gives nothing to a second one, and Files.readString begins with one byte.
        try (InputStream in = Files.newInputStream(file)) {
            byte[] buffer = new byte[MAX_VALUE];
            int length = Math.max(0, in.read(buffer));
            return Optional.of(new String(buffer, 0, length, StandardCharsets.UTF_8).strip());
        }
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

    /** Sets keys in order, as {@link #ensure(String, String)} does. */
    void ensure(Map<String, String> settings) throws IOException {
        for (Map.Entry<String, String> setting : settings.entrySet()) {
            var _ = ensure(setting.getKey(), setting.getValue());
        }
    }

    /** Those settings that the kernel has and that have another value. */
    List<Finding> differences(Map<String, String> settings) throws IOException {
        List<Finding> findings = new ArrayList<>();
        for (Map.Entry<String, String> setting : settings.entrySet()) {
            Optional<String> now = read(setting.getKey());
            if (now.isPresent() && !now.get().equals(setting.getValue())) {
                findings.add(new Finding(
                        "sysctl", setting.getKey(), "is " + now.get() + " instead of " + setting.getValue()));
            }
        }
        return findings;
    }
}

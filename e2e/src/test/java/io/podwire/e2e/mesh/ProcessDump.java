package io.podwire.e2e.mesh;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What a process holds, from proc_pid(5): its open descriptors by what they are, its threads, its memory.
 *
 * @param descriptors how many there are of each: "socket", "net" (a network namespace), a file's path
 * @param threads of the kernel, so virtual ones are not counted
 * @param rssKib resident memory in KiB
 */
public record ProcessDump(Map<String, Integer> descriptors, int threads, int rssKib) {
    /** Copies what could change. */
    public ProcessDump {
        descriptors = Map.copyOf(descriptors);
    }

    /** A look at a process. */
    public static ProcessDump of(long pid) {
        Path proc = Path.of("/proc", Long.toString(pid));
        Map<String, Integer> descriptors = new TreeMap<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(proc.resolve("fd"))) {
            for (Path entry : entries) {
                kind(entry).ifPresent(kind -> descriptors.merge(kind, 1, Integer::sum));
            }
            return new ProcessDump(descriptors, status(proc, "Threads:"), status(proc, "VmRSS:"));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot look at process " + pid, e);
        }
    }

    private static Optional<String> kind(Path entry) throws IOException {
        try {
            // socket:[123], net:[4026531840], anon_inode:[eventpoll], pipe:[4], or a path.
            return Optional.of(Files.readSymbolicLink(entry).toString().replaceFirst(":\\[[0-9]+]$", ""));
        } catch (NoSuchFileException _) {
            return Optional.empty(); // closed meanwhile
        }
    }

    private static int status(Path proc, String field) throws IOException {
        for (String line : Files.readAllLines(proc.resolve("status"))) {
            if (line.startsWith(field)) {
                return Integer.parseInt(line.replaceAll("[^0-9]", ""));
            }
        }
        throw new IOException(proc + "/status has no " + field);
    }
}

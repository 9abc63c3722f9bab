package io.podwire.e2e.mesh;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a process holds, from proc_pid(5): its open descriptors by what they are, its threads, its memory.
 *
 * @param descriptors how many there are of each: {@link #NETLINK} and the other kinds of sockets, "net" (a network
 *     namespace), a file's path
 * @param threads of the kernel, so virtual ones are not counted
 * @param rssKib resident memory in KiB
 */
public record ProcessDump(Map<String, Integer> descriptors, int threads, int rssKib) {
    /** Netlink sockets of the process's own network namespace. */
    public static final String NETLINK = "netlink socket";
    /** Connections that were made to a Unix socket of the process, from its own network namespace as cni-shim does. */
    public static final String ACCEPTED = "accepted Unix connection";
    /** Other sockets of its own network namespace. */
    public static final String SOCKET = "socket";
    /** Sockets of other network namespaces: a container's, and connections that were made from another one. */
    public static final String FOREIGN = "socket of another namespace";

    private static final Pattern SOCKET_LINK = Pattern.compile("socket:\\[([0-9]+)]");
    /** States of a Unix socket in proc_net_unix: SS_CONNECTED, linux/net.h. */
    private static final String CONNECTED = "03";

    /** Copies what could change. */
    public ProcessDump {
        descriptors = Map.copyOf(descriptors);
    }

    /** A look at a process. */
    public static ProcessDump of(long pid) {
        Path proc = Path.of("/proc", Long.toString(pid));
        Map<String, Integer> descriptors = new TreeMap<>();
        // Sockets opened after this look count as foreign ones: who waits for sameness looks again.
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(proc.resolve("fd"))) {
            Map<String, String> sockets = sockets(proc.resolve("net"));
            for (Path entry : entries) {
                kind(entry, sockets).ifPresent(kind -> descriptors.merge(kind, 1, Integer::sum));
            }
            return new ProcessDump(descriptors, status(proc, "Threads:"), status(proc, "VmRSS:"));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot look at process " + pid, e);
        }
    }

    private static Optional<String> kind(Path entry, Map<String, String> sockets) throws IOException {
        try {
            // socket:[123], net:[4026531840], anon_inode:[eventpoll], pipe:[4], or a path.
            String target = Files.readSymbolicLink(entry).toString();
            Matcher socket = SOCKET_LINK.matcher(target);
            return Optional.of(
                    socket.matches()
                            ? sockets.getOrDefault(socket.group(1), FOREIGN)
                            : target.replaceFirst(":\\[[0-9]+]$", ""));
        } catch (NoSuchFileException _) {
            return Optional.empty(); // closed meanwhile
        }
    }

    /** Kind of each socket of a network namespace, by its inode: the columns of proc_pid_net(5). */
    private static Map<String, String> sockets(Path net) throws IOException {
        Map<String, String> kinds = new HashMap<>();
        for (String[] row : rows(net.resolve("netlink"))) {
            kinds.put(row[9], NETLINK);
        }
        for (String table : List.of("tcp", "tcp6", "udp", "udp6")) {
            for (String[] row : rows(net.resolve(table))) {
                kinds.put(row[9], SOCKET);
            }
        }
        for (String[] row : rows(net.resolve("unix"))) {
            // An accepted one has the path of the listener; the other end of a connection has none.
            boolean accepted = row[5].equals(CONNECTED) && row.length > 7;
            kinds.put(row[6], accepted ? ACCEPTED : SOCKET);
        }
        return kinds;
    }

    private static List<String[]> rows(Path table) throws IOException {
        return Files.readAllLines(table).stream()
                .skip(1)
                .map(line -> line.strip().split(" +", -1))
                .toList();
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

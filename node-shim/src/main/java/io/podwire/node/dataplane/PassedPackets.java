package io.podwire.node.dataplane;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * How many packets devices have received and sent, both together, by their names: /proc/net/dev, proc_pid_net(5). A stream
 * counts less than its packets on the wire, because a veth passes some dozens as one.
 *
 * @param byName of the devices of a network namespace
 */
record PassedPackets(Map<String, Long> byName) {
    private static final Path DEVICES = Path.of("/proc/thread-self/net/dev");
    /** Of the columns behind the name. */
    private static final int RECEIVED = 1;

    private static final int SENT = 9;

    /** Copies. */
    PassedPackets {
        byName = Map.copyOf(byName);
    }

    /** Those of the calling thread's network namespace. */
    static PassedPackets read() throws IOException {
        return parse(Files.readString(DEVICES));
    }

    static PassedPackets parse(String table) {
        Map<String, Long> byName = new HashMap<>();
        // Two lines of headings.
        table.lines().skip(2).forEach(line -> {
            int colon = line.lastIndexOf(':');
            String[] columns = line.substring(colon + 1).strip().split(" +", -1);
            byName.put(
                    line.substring(0, colon).strip(),
                    Long.parseLong(columns[RECEIVED]) + Long.parseLong(columns[SENT]));
        });
        return new PassedPackets(byName);
    }

    /** How many a device has passed since, 0 where it was not there. */
    long since(PassedPackets before, String name) {
        Long now = byName.get(name);
        Long then = before.byName.get(name);
        return now == null || then == null ? 0 : now - then;
    }
}

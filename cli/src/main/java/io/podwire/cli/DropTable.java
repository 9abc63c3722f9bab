package io.podwire.cli;

import io.podwire.proto.policy.v1.DropCount;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/** Dropped packets as a table. */
final class DropTable {
    private final boolean nodes;
    private final Table table;

    /** With a column for nodes, or without. */
    DropTable(boolean nodes) {
        this.nodes = nodes;
        this.table = nodes
                ? new Table("NODE", "DIRECTION", "DROPPED BY", "PACKETS", "BYTES", "LAST RISEN")
                : new Table("DIRECTION", "DROPPED BY", "PACKETS", "BYTES", "LAST RISEN");
    }

    void row(String node, DropCount drop) {
        String last = drop.getLastRisenAtMs() == 0
                ? ""
                : Instant.ofEpochMilli(drop.getLastRisenAtMs())
                        .truncatedTo(ChronoUnit.SECONDS)
                        .toString();
        if (nodes) {
            table.row(node, drop.getDirection(), by(drop), drop.getPackets(), drop.getBytes(), last);
        } else {
            table.row(drop.getDirection(), by(drop), drop.getPackets(), drop.getBytes(), last);
        }
    }

    Table table() {
        return table;
    }

    private static String by(DropCount drop) {
        String policies = String.join(", ", drop.getPoliciesList());
        return switch (drop.getReason()) {
            case DROP_REASON_DEFAULT_DENY ->
                "default deny by " + (drop.getPoliciesCount() == 1 ? "policy " : "policies ") + policies;
            case DROP_REASON_RULE -> "rule " + drop.getRule() + " of " + policies;
            case DROP_REASON_GUARD -> "no policy: " + drop.getRule();
            case DROP_REASON_MORE -> "further causes";
            case DROP_REASON_UNSPECIFIED, UNRECOGNIZED -> "the node is newer than this command: see -o json";
        };
    }
}

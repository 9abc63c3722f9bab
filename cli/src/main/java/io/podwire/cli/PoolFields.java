package io.podwire.cli;

import com.google.protobuf.Duration;
import com.google.protobuf.FieldMask;
import io.podwire.proto.ipam.v1.Pool;
import io.podwire.proto.ipam.v1.PoolPurpose;
import io.podwire.proto.ipam.v1.PoolState;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.function.BiConsumer;
import picocli.CommandLine.Option;

/** The options for a pool's fields, but its name and addresses. */
final class PoolFields {
    /** A pool's state. */
    enum State {
        ACTIVE(PoolState.POOL_STATE_ACTIVE),
        DRAINING(PoolState.POOL_STATE_DRAINING),
        RETIRED(PoolState.POOL_STATE_RETIRED);

        private final PoolState sent;

        State(PoolState sent) {
            this.sent = sent;
        }
    }

    /** A pool's purpose. */
    enum Purpose {
        PODS(PoolPurpose.POOL_PURPOSE_PODS),
        STATIC(PoolPurpose.POOL_PURPOSE_STATIC),
        LOAD_BALANCER(PoolPurpose.POOL_PURPOSE_LOAD_BALANCER);

        private final PoolPurpose sent;

        Purpose(PoolPurpose sent) {
            this.sent = sent;
        }
    }

    @Option(
            names = "--state",
            paramLabel = "STATE",
            description = "active; draining: gives no more blocks; retired: keeps its addresses, and no node has any.")
    private State state;

    @Option(names = "--block-length", paramLabel = "LENGTH", description = "Prefix length of a block.")
    private Integer blockLength;

    @Option(names = "--reserved", paramLabel = "CIDR,...", description = "Parts that nobody gets; '' for none.")
    private String reserved;

    @Option(
            names = "--node-selector",
            paramLabel = "KEY=VALUE,...",
            description = "Labels of the nodes that get blocks; '' for any node.")
    private String nodeSelector;

    @Option(
            names = "--namespace-selector",
            paramLabel = "KEY=VALUE,...",
            description = "Labels of the namespaces that it is for: their pods get addresses of its family from pools"
                    + " alone that select them; '' for all that no pool selects.")
    private String namespaceSelector;

    @Option(
            names = "--purpose",
            paramLabel = "PURPOSE",
            description = "pods: gives blocks to nodes; static, load_balancer: for single addresses.")
    private Purpose purpose;

    @Option(
            names = "--cool-down",
            paramLabel = "DURATION",
            description = "How long a node gives a released address to nobody, ISO-8601 such as PT90S, PT0S to PT24H;"
                    + " '' for the node's own.")
    private String coolDown;

    @Option(
            names = "--drain-pace",
            paramLabel = "PODS",
            description = "Pods per minute that are evicted while it drains, over all nodes, 0 to 6000; 0: none, they"
                    + " end by themselves.")
    private Integer drainPace;

    /** Sets what was given, and names it in the mask. */
    void apply(Pool.Builder pool, FieldMask.Builder mask) {
        if (state != null) {
            pool.setState(state.sent);
            mask.addPaths("state");
        }
        if (blockLength != null) {
            pool.setBlockLength(blockLength);
            mask.addPaths("block_length");
        }
        if (reserved != null) {
            pool.addAllReserved(parts(reserved));
            mask.addPaths("reserved");
        }
        if (nodeSelector != null) {
            parts(nodeSelector).forEach(label -> putLabel("--node-selector", label, pool::putNodeSelector));
            mask.addPaths("node_selector");
        }
        if (namespaceSelector != null) {
            parts(namespaceSelector)
                    .forEach(label -> putLabel("--namespace-selector", label, pool::putNamespaceSelector));
            mask.addPaths("namespace_selector");
        }
        if (purpose != null) {
            pool.setPurpose(purpose.sent);
            mask.addPaths("purpose");
        }
        if (coolDown != null) {
            if (!coolDown.isEmpty()) {
                pool.setCoolDown(duration(coolDown));
            }
            mask.addPaths("cool_down");
        }
        if (drainPace != null) {
            pool.setDrainPace(drainPace);
            mask.addPaths("drain_pace");
        }
    }

    private static List<String> parts(String text) {
        return text.isEmpty() ? List.of() : List.of(text.split(",", -1));
    }

    private static void putLabel(String option, String label, BiConsumer<String, String> put) {
        int equals = label.indexOf('=');
        if (equals < 0) {
            throw new CommandFailure(option + " takes KEY=VALUE,..., got '" + label + "'");
        }
        put.accept(label.substring(0, equals), label.substring(equals + 1));
    }

    private static Duration duration(String text) {
        try {
            java.time.Duration length = java.time.Duration.parse(text);
            return Duration.newBuilder()
                    .setSeconds(length.getSeconds())
                    .setNanos(length.getNano())
                    .build();
        } catch (DateTimeParseException e) {
            throw new CommandFailure("--cool-down takes an ISO-8601 duration such as PT90S, got '" + text + "'", e);
        }
    }
}

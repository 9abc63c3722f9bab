package io.podwire.cli;

import com.google.protobuf.FieldMask;
import io.podwire.proto.ipam.v1.Pool;
import io.podwire.proto.ipam.v1.PoolState;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import io.podwire.proto.ipam.v1.UpdatePoolRequest;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code podwire ipam update-pool}. */
@Command(
        name = "update-pool",
        description = "Changes a pool: what is named here, the rest stays. ipam-service refuses what owned blocks"
                + " do not fit.")
final class IpamUpdatePoolCommand implements Callable<Integer> {
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

    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_IPAM_SERVER:-127.0.0.1:7471}",
            description = "ipam-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Parameters(paramLabel = "NAME", description = "The pool.")
    private String name;

    @Option(
            names = "--state",
            paramLabel = "STATE",
            description = "active; draining: gives no more blocks; retired: keeps its addresses, and no node has any.")
    private State state;

    @Option(names = "--cidr", paramLabel = "CIDR", description = "All its addresses.")
    private String cidr;

    @Option(names = "--block-length", paramLabel = "LENGTH", description = "Prefix length of a block.")
    private Integer blockLength;

    @Option(
            names = "--reserved",
            paramLabel = "CIDR,...",
            description = "Parts that nobody gets, in place of those of before; '' for none.")
    private String reserved;

    @Option(
            names = "--node-selector",
            paramLabel = "KEY=VALUE,...",
            description = "Labels of the nodes that get blocks, in place of those of before; '' for any node.")
    private String nodeSelector;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        UpdatePoolRequest request = request();
        Pool pool = Calls.call(
                "--server",
                server,
                "an answer to the change of pool " + name,
                channel -> Calls.soon(PoolsGrpc.newBlockingStub(channel)).updatePool(request));
        output.print(pool, PoolTable.of(List.of(pool)));
        return 0;
    }

    private UpdatePoolRequest request() {
        Pool.Builder pool = Pool.newBuilder().setName(name);
        FieldMask.Builder mask = FieldMask.newBuilder();
        if (state != null) {
            pool.setState(state.sent);
            mask.addPaths("state");
        }
        if (cidr != null) {
            pool.setCidr(cidr);
            mask.addPaths("cidr");
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
            parts(nodeSelector).forEach(label -> putLabel(pool, label));
            mask.addPaths("node_selector");
        }
        if (mask.getPathsCount() == 0) {
            throw new CommandFailure("nothing of pool " + name
                    + " is to change: name --state, --reserved, --node-selector, --cidr or --block-length");
        }
        return UpdatePoolRequest.newBuilder().setPool(pool).setUpdateMask(mask).build();
    }

    private static List<String> parts(String text) {
        return text.isEmpty() ? List.of() : List.of(text.split(",", -1));
    }

    private static void putLabel(Pool.Builder pool, String label) {
        int equals = label.indexOf('=');
        if (equals < 0) {
            throw new CommandFailure("--node-selector takes KEY=VALUE,..., got '" + label + "'");
        }
        pool.putNodeSelector(label.substring(0, equals), label.substring(equals + 1));
    }
}

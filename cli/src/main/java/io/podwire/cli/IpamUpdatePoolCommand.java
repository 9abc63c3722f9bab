package io.podwire.cli;

import com.google.protobuf.FieldMask;
import io.podwire.proto.ipam.v1.Pool;
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
        description = "Changes a pool: what is named here, in place of what was before; the rest stays. ipam-service"
                + " refuses what owned blocks do not fit, and a pool that a manifest or Kubernetes declares.")
final class IpamUpdatePoolCommand implements Callable<Integer> {
    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_IPAM_SERVER:-127.0.0.1:7471}",
            description = "ipam-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Parameters(paramLabel = "NAME", description = "The pool.")
    private String name;

    @Option(names = "--cidr", paramLabel = "CIDR", description = "All its addresses.")
    private String cidr;

    @Option(
            names = "--take-over",
            description = "Make it a pool of calls, whatever declared it: once the manifest or the IPPool is gone.")
    private boolean takeOver;

    @Mixin
    private PoolFields fields;

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
        fields.apply(pool, mask);
        if (cidr != null) {
            pool.setCidr(cidr);
            mask.addPaths("cidr");
        }
        if (takeOver) {
            pool.setSource("grpc");
            mask.addPaths("source");
        }
        if (mask.getPathsCount() == 0) {
            throw new CommandFailure(
                    "nothing of pool " + name + " is to change: name --state or another option, which --help lists");
        }
        return UpdatePoolRequest.newBuilder().setPool(pool).setUpdateMask(mask).build();
    }
}

package io.podwire.cli;

import com.google.protobuf.FieldMask;
import io.podwire.proto.ipam.v1.CreatePoolRequest;
import io.podwire.proto.ipam.v1.Pool;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code podwire ipam create-pool}. */
@Command(name = "create-pool", description = "Creates a pool; the same one again is success.")
final class IpamCreatePoolCommand implements Callable<Integer> {
    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_IPAM_SERVER:-127.0.0.1:7471}",
            description = "ipam-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Parameters(index = "0", paramLabel = "NAME", description = "The pool.")
    private String name;

    @Parameters(index = "1", paramLabel = "CIDR", description = "All its addresses.")
    private String cidr;

    @Mixin
    private PoolFields fields;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        Pool.Builder wanted = Pool.newBuilder().setName(name).setCidr(cidr);
        // A creation takes the whole pool: no mask.
        fields.apply(wanted, FieldMask.newBuilder());
        Pool pool = Calls.call(
                "--server",
                server,
                "an answer to the creation of pool " + name,
                channel -> Calls.soon(PoolsGrpc.newBlockingStub(channel))
                        .createPool(
                                CreatePoolRequest.newBuilder().setPool(wanted).build()));
        output.print(pool, PoolTable.of(List.of(pool)));
        return 0;
    }
}

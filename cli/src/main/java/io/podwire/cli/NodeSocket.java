package io.podwire.cli;

import io.grpc.ManagedChannel;
import java.util.function.Function;
import picocli.CommandLine.Option;

/** The option {@code --socket}, and a call of the node-shim that it names. */
final class NodeSocket {
    private static final String NAME = "--socket";

    @Option(
            names = NAME,
            paramLabel = "unix:PATH",
            defaultValue = "${env:PODWIRE_SOCKET:-unix:/run/podwire/cni.sock}",
            description = "node-shim's socket. Default: ${DEFAULT-VALUE}")
    private String socket;

    /** As {@link Calls#call}. */
    <T> T call(String attempted, Function<ManagedChannel, T> call) {
        return Calls.call(NAME, socket, attempted, call);
    }
}

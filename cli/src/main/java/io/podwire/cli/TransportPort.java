package io.podwire.cli;

import io.podwire.proto.common.v1.Protocol;
import picocli.CommandLine.Option;

/** Options of commands that ask about a connection: where it goes to at its destination. */
final class TransportPort {
    /** Protocols that policies can name. */
    private enum Transport {
        TCP(Protocol.PROTOCOL_TCP),
        UDP(Protocol.PROTOCOL_UDP),
        SCTP(Protocol.PROTOCOL_SCTP);

        private final Protocol protocol;

        Transport(Protocol protocol) {
            this.protocol = protocol;
        }
    }

    @Option(
            names = {"-p", "--port"},
            paramLabel = "NUMBER",
            required = true,
            description = "Destination port, 1 to 65535.")
    private int port;

    @Option(
            names = "--protocol",
            paramLabel = "PROTOCOL",
            defaultValue = "tcp",
            description = "tcp, udp or sctp. Default: ${DEFAULT-VALUE}")
    private Transport protocol;

    /** As in requests. */
    Protocol protocol() {
        return protocol.protocol;
    }

    /** What was given; the service says when it can be none. */
    int port() {
        return port;
    }
}

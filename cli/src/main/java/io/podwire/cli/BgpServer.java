package io.podwire.cli;

import picocli.CommandLine.Option;

/** The option {@code --server} of the commands that ask the BGP speaker. */
final class BgpServer {
    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_ROUTE_SERVER:-127.0.0.1:7473}",
            description = "route-reflector's address. Default: ${DEFAULT-VALUE}")
    private String server;

    /** HOST:PORT. */
    String address() {
        return server;
    }
}

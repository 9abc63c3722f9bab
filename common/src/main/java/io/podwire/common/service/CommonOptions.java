package io.podwire.common.service;

import java.time.Duration;
import org.slf4j.event.Level;
import picocli.CommandLine.Option;

/** Options every service has. */
public final class CommonOptions {
    @Option(
            names = "--listen",
            paramLabel = "ADDRESS",
            description = "Where gRPC is served: HOST:PORT (port 0: any), or unix:/path for root only."
                    + " Default: ${DEFAULT-VALUE}")
    private String listen;

    @Option(
            names = "--http-listen",
            paramLabel = "HOST:PORT",
            description = "Where /metrics, /healthz and /readyz are served. Default: ${DEFAULT-VALUE}")
    private String httpListen;

    @Option(
            names = "--shutdown-grace",
            paramLabel = "DURATION",
            description = "How long calls under way may go on after SIGTERM, ISO-8601. Default: ${DEFAULT-VALUE}")
    private Duration shutdownGrace = Duration.ofSeconds(2);

    @Option(
            names = "--log-level",
            paramLabel = "LEVEL",
            description = "TRACE, DEBUG, INFO, WARN or ERROR. Default: ${DEFAULT-VALUE}")
    private Level logLevel = Level.INFO;

    /**
     * Options with a service's own defaults.
     *
     * @param listen default of {@code --listen}
     * @param httpListen default of {@code --http-listen}
     */
    public CommonOptions(String listen, String httpListen) {
        this.listen = listen;
        this.httpListen = httpListen;
    }

    /** Where gRPC is served. */
    public ListenAddress listen() {
        return ListenAddress.parse("--listen", listen);
    }

    /** Where HTTP is served. */
    public ListenAddress.Tcp httpListen() {
        return switch (ListenAddress.parse("--http-listen", httpListen)) {
            case ListenAddress.Tcp tcp -> tcp;
            case ListenAddress.Unix unix ->
                throw new IllegalArgumentException("--http-listen must be HOST:PORT, got unix:" + unix.path());
        };
    }

    /** How long calls under way may go on after SIGTERM. */
    public Duration shutdownGrace() {
        return shutdownGrace;
    }

    /** Least severe level logged. */
    public Level logLevel() {
        return logLevel;
    }
}

package io.podwire.route;

import io.podwire.common.service.CommonOptions;
import io.podwire.common.service.ServiceOptions;
import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Options of the route reflector. */
public final class RouteOptions implements ServiceOptions {
    private static final Duration LONGEST = Duration.ofDays(1);
    private static final Duration SHORTEST_INTERVAL = Duration.ofMillis(100);
    private static final Duration LONGEST_INTERVAL = Duration.ofMinutes(10);

    @Mixin
    private final CommonOptions common = new CommonOptions("127.0.0.1:7473", "127.0.0.1:7483");

    @Option(
            names = "--stale-after",
            paramLabel = "DURATION",
            converter = DurationText.class,
            description = "How long a node's routes are kept after its stream ended, 1 s to 24 h,"
                    + " as 120s or ISO-8601. Default: ${DEFAULT-VALUE}")
    private Duration staleAfter = Duration.ofMinutes(2);

    @Option(
            names = "--ipam-service",
            paramLabel = "HOST:PORT",
            description = "Who says which node owns which prefix: others are refused. Without it a node may announce"
                    + " whatever no other node holds")
    private String ipamService = "";

    @Option(
            names = "--ownership-interval",
            paramLabel = "DURATION",
            converter = DurationText.class,
            description =
                    "How often ipam-service is asked who owns what, besides at each prefix that is news, 100 ms to"
                            + " 10 min: so long at most a node is believed to own what it has lost. Default: 10 s")
    private Duration ownershipInterval = Duration.ofSeconds(10);

    @Mixin
    private final BgpOptions bgp = new BgpOptions();

    @Override
    public CommonOptions common() {
        return common;
    }

    /** How long a node's routes are kept after its stream ended. */
    public Duration staleAfter() {
        return staleAfter;
    }

    /** HOST:PORT of ipam-service, where it is asked who owns what. */
    public Optional<String> ipamService() {
        return ipamService.isEmpty() ? Optional.empty() : Optional.of(ipamService);
    }

    /** How often it is asked. */
    public Duration ownershipInterval() {
        return ownershipInterval;
    }

    /** What is asked of the BGP speaker. */
    public BgpOptions bgp() {
        return bgp;
    }

    @Override
    public void check() {
        var _ = bgp.settings();
        if (bgp.servicePools() && ipamService.isEmpty()) {
            throw new IllegalArgumentException("--bgp-services=pools needs --ipam-service, whose pools these are");
        }
        if (staleAfter.compareTo(Duration.ofSeconds(1)) < 0 || staleAfter.compareTo(LONGEST) > 0) {
            throw new IllegalArgumentException("--stale-after must be 1s to 24h, got " + staleAfter);
        }
        if (ownershipInterval.compareTo(SHORTEST_INTERVAL) < 0 || ownershipInterval.compareTo(LONGEST_INTERVAL) > 0) {
            throw new IllegalArgumentException("--ownership-interval must be 0.1s to 10m, got " + ownershipInterval);
        }
    }

    /** Reads 120s, 2m, PT2M. */
    static final class DurationText implements ITypeConverter<Duration> {
        @Override
        public Duration convert(String text) {
            try {
                String upper = text.toUpperCase(Locale.ROOT);
                return Duration.parse(upper.startsWith("P") ? upper : "PT" + upper);
            } catch (DateTimeParseException e) {
                throw new TypeConversionException("'" + text + "' is not a duration such as 120s, 2m or PT2M");
            }
        }
    }
}

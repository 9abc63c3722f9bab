package io.podwire.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.service.ServiceRunner;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.ParameterException;

class RouteOptionsTest {
    @ParameterizedTest
    @CsvSource({"120s, 120", "2m, 120", "PT2M, 120", "pt1s, 1", "24h, 86400"})
    void durationsAreShortOrIso(String text, long seconds) {
        assertThat(parsed("--stale-after=" + text).staleAfter()).isEqualTo(Duration.ofSeconds(seconds));
    }

    @ParameterizedTest
    @ValueSource(strings = {"0s", "500ms", "25h", "-5s", "120", "soon", ""})
    void otherDurationsAreRefused(String text) {
        assertThatThrownBy(() -> parsed("--stale-after=" + text).check())
                .isInstanceOfAny(ParameterException.class, IllegalArgumentException.class)
                .hasMessageContaining("--stale-after");
    }

    @Test
    void environmentTwinIsRead() {
        RouteOptions options = new RouteOptions();
        ServiceRunner.command("route-reflector", options, Map.of("PODWIRE_STALE_AFTER", "30s"))
                .parseArgs();
        assertThat(options.staleAfter()).isEqualTo(Duration.ofSeconds(30));
    }

    @Test
    void ownershipIsAskedForOftenEnough() {
        assertThat(parsed("--stale-after=2m").ipamService()).isEmpty();
        assertThat(parsed("--ipam-service=192.0.2.1:7471").ipamService()).contains("192.0.2.1:7471");
        assertThat(parsed("--stale-after=2m").ownershipInterval()).isEqualTo(Duration.ofSeconds(10));
        parsed("--ownership-interval=0.1s").check();
        for (String wrong : new String[] {"0s", "99ms", "0.09s", "11m"}) {
            assertThatThrownBy(() -> parsed("--ownership-interval=" + wrong).check())
                    .isInstanceOfAny(ParameterException.class, IllegalArgumentException.class)
                    .hasMessageContaining("--ownership-interval");
        }
    }

    private static RouteOptions parsed(String argument) {
        RouteOptions options = new RouteOptions();
        ServiceRunner.command("route-reflector", options, Map.of()).parseArgs(argument);
        return options;
    }
}

package io.podwire.node;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** A pod's connections are forgotten before another pod has its address, however short addresses cool down. */
final class ForgettingTest {
    @Test
    void itComesBeforeTheAddressIsGivenAgain() {
        assertThat(Main.forgetting(Duration.ofMinutes(1))).isEqualTo(Duration.ofSeconds(1));
        assertThat(Main.forgetting(Duration.ofMillis(500))).isEqualTo(Duration.ofMillis(250));
        assertThat(Main.forgetting(Duration.ZERO)).as("at once").isZero();
    }
}

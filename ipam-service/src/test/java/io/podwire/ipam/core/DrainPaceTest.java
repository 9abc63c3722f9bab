package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class DrainPaceTest {
    @Test
    void turnsOfAnyMinuteEvictNoMoreThanThePaceAndNotMuchLess() {
        for (int pace = 1; pace <= 6000; pace++) {
            DrainPace of = new DrainPace(pace);
            long turnsInAMinute =
                    Math.ceilDiv(Duration.ofMinutes(1).toNanos(), of.turn().toNanos());
            assertThat(turnsInAMinute * of.perTurn()).as("at %s", of).isLessThanOrEqualTo(pace);
            assertThat(turnsInAMinute * of.perTurn()).as("at %s", of).isGreaterThan(pace / 2);
            assertThat(of.turn()).as("at %s", of).isGreaterThanOrEqualTo(Duration.ofSeconds(2));
        }
        assertThat(new DrainPace(10)).isEqualTo(new DrainPace(10)).satisfies(ten -> {
            assertThat(ten.turn()).isEqualTo(Duration.ofSeconds(6));
            assertThat(ten.perTurn()).isEqualTo(1);
        });
    }

    @Test
    void nobodyIsEvictedAtZeroAndOtherNumbersAreRefused() {
        assertThat(DrainPace.NEVER.evicts()).isFalse();
        assertThat(DrainPace.NEVER.perTurn()).isZero();
        assertThatIllegalStateException().isThrownBy(DrainPace.NEVER::turn);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new DrainPace(-1))
                .withMessage("drain pace must be 0 (nobody is evicted) to 6000 pods per minute, got -1");
        assertThatIllegalArgumentException().isThrownBy(() -> new DrainPace(6001));
    }
}

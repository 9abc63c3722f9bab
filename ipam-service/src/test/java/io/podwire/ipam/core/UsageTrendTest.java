package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.podwire.common.testing.Seeds;
import java.time.Duration;
import java.util.Optional;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

class UsageTrendTest {
    private static final Duration WINDOW = Duration.ofHours(1);
    private static final Duration MINUTE = Duration.ofMinutes(1);

    /** What is foretold after so many minutes, one look each, of a use that depends on the minute. */
    private static Optional<Duration> after(int minutes, double capacity, DoubleUnaryOperator used) {
        UsageTrend trend = new UsageTrend(WINDOW);
        for (int i = 0; i <= minutes; i++) {
            trend.see(MINUTE.multipliedBy(i), used.applyAsDouble(i));
        }
        return trend.untilFull(MINUTE.multipliedBy(minutes), used.applyAsDouble(minutes), capacity);
    }

    @Test
    void steadyGrowthIsExtended() {
        assertThat(after(60, 1_000, minute -> 100 + 2 * minute)).contains(Duration.ofMinutes(390));
    }

    @Test
    void growthInStepsIsExtendedAsIfItWereSteady() {
        // A block every five minutes: 12 of 100 an hour, 88 are left.
        assertThat(after(60, 100, minute -> Math.floor(minute / 5))
                        .orElseThrow()
                        .toMinutes())
                .isBetween(400L, 480L);
    }

    @Test
    void nothingIsForetoldWithoutGrowth() {
        assertThat(after(60, 1_000, _ -> 500)).isEmpty();
        assertThat(after(60, 1_000, minute -> 500 - minute)).isEmpty();
        assertThat(after(60, 1_000, minute -> 500 + Math.sin(minute)))
                .as("noise")
                .isEmpty();
    }

    @Test
    void oneJumpIsNoGrowth() {
        assertThat(after(60, 1_000, minute -> minute < 50 ? 100 : 600)).isEmpty();
    }

    @Test
    void growthThatWasTakenBackIsNone() {
        assertThat(after(60, 1_000, minute -> minute < 55 ? 100 + minute : 50)).isEmpty();
    }

    @Test
    void aFewWildSamplesDoNotMoveIt() {
        Duration wild = after(60, 1_000, minute -> minute % 20 == 7 ? 0 : 100 + 2 * minute)
                .orElseThrow();
        assertThat(wild.toMinutes()).isCloseTo(390, within(20L));
    }

    @Test
    void tooLittleWasSeen() {
        assertThat(after(8, 1_000, minute -> 10 * minute)).as("few samples").isEmpty();
        assertThat(after(14, 1_000, minute -> 10 * minute))
                .as("less than a quarter of the window")
                .isEmpty();
        assertThat(after(15, 1_000, minute -> 10 * minute)).contains(Duration.ofMinutes(85));
    }

    @Test
    void whatIsFullIsFullWhateverWasSeen() {
        assertThat(new UsageTrend(WINDOW).untilFull(Duration.ZERO, 7, 7)).contains(Duration.ZERO);
        assertThat(after(60, 100, minute -> 300 - minute)).contains(Duration.ZERO);
    }

    @Test
    void whatIsOlderThanTheWindowDoesNotCount() {
        assertThat(after(180, 10_000, minute -> minute < 100 ? 20 * minute : 2_000 + minute))
                .as("grows by one a minute for more than an hour")
                .contains(Duration.ofMinutes(10_000 - 2_180));
        UsageTrend slept = new UsageTrend(WINDOW);
        for (int i = 0; i <= 60; i++) {
            slept.see(MINUTE.multipliedBy(i), i);
        }
        assertThat(slept.untilFull(Duration.ofHours(3), 60, 100))
                .as("nothing seen for two hours")
                .isEmpty();
    }

    @Test
    void moreThanACenturyIsNoForecast() {
        assertThat(after(60, 1e30, minute -> minute)).isEmpty();
    }

    @Test
    void aWindowHasALength() {
        assertThatIllegalArgumentException().isThrownBy(() -> new UsageTrend(Duration.ofSeconds(59)));
    }

    @Test
    void anyLineIsFoundWhateverThePaceOfTheLooks() {
        Seeds.forEach(UsageTrendTest.class, 200, random -> {
            Duration window = Duration.ofMinutes(random.nextInt(10, 10_000));
            UsageTrend trend = new UsageTrend(window);
            double perSecond = random.nextDouble(0.001, 10);
            double start = random.nextInt(1_000);
            Duration now = Duration.ofSeconds(random.nextInt(100_000));
            Duration began = now;
            while (now.minus(began).compareTo(window.multipliedBy(2)) < 0) {
                trend.see(now, start + perSecond * now.minus(began).toMillis() / 1e3);
                now = now.plusMillis(1 + random.nextLong(window.toMillis() / 100));
            }
            double used = start + perSecond * now.minus(began).toMillis() / 1e3;
            double left = random.nextDouble(1, 1e6);
            assertThat(trend.untilFull(now, used, used + left).orElseThrow().toMillis() / 1e3)
                    .isCloseTo(left / perSecond, within(0.01 + left / perSecond * 1e-6));
            assertThat(trend.untilFull(now, used, used)).contains(Duration.ZERO);
        });
    }

    @Test
    void whatOnlyFallsIsNeverForetold() {
        Seeds.forEach(UsageTrendTest.class, 200, random -> {
            UsageTrend trend = new UsageTrend(WINDOW);
            double used = 1_000;
            Duration now = Duration.ZERO;
            for (int i = random.nextInt(200); i >= 0; i--) {
                now = now.plusSeconds(random.nextInt(200));
                used -= random.nextInt(3);
                trend.see(now, used);
                assertThat(trend.untilFull(now, used, 2_000)).isEmpty();
            }
        });
    }
}

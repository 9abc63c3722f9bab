package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.core.NamespaceSelector;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.SelectedNamespaces;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class NamespaceCatalogTest {
    private static final Pool PLAIN = new Pool("plain", IpPrefix.parse("10.1.0.0/16"), 26);
    private static final Pool RED = new Pool("red", IpPrefix.parse("10.2.0.0/16"), 26)
            .with(List.of(new PoolEdit.Namespaces(NamespaceSelector.of(Map.of("team", "red")))));
    private static final Map<String, String> OF_RED = Map.of("team", "red", "zone", "a");

    private Duration now = Duration.ZERO;
    private final TimeSource time = new TimeSource() {
        @Override
        public Duration monotonic() {
            return now;
        }

        @Override
        public Instant wall() {
            return Instant.EPOCH;
        }
    };

    private final NamespaceCatalog catalog = new NamespaceCatalog(time, true);

    private static SelectedNamespaces red(String... namespaces) {
        return new SelectedNamespaces("red", IpFamily.V4, Optional.of(new TreeSet<>(List.of(namespaces))));
    }

    private List<SelectedNamespaces> selected() {
        return catalog.select(List.of(PLAIN, RED)).pools();
    }

    @Test
    void selectorsComeToTheNamesOfNamespaces() {
        catalog.offer(Map.of("a", OF_RED, "b", Map.of("team", "blue"), "c", Map.of(), "d", OF_RED), true);
        assertThat(selected()).containsExactly(red("a", "d"));
        String before = catalog.select(List.of(PLAIN, RED)).version();
        catalog.offer(Map.of("a", OF_RED, "b", OF_RED, "c", Map.of(), "d", Map.of()), true);
        assertThat(selected()).containsExactly(red("a", "b"));
        assertThat(catalog.select(List.of(PLAIN, RED)).version()).isNotEqualTo(before);
        catalog.offer(Map.of("a", OF_RED, "b", Map.of("team", "blue"), "d", OF_RED), true);
        assertThat(catalog.select(List.of(PLAIN, RED)).version())
                .as("what is told is the same again")
                .isEqualTo(before);
    }

    @Test
    void aPoolThatServesNoPodsSelectsNobody() {
        catalog.offer(Map.of("a", OF_RED), true);
        assertThat(catalog.select(List.of(
                                PLAIN,
                                RED.with(List.of(new PoolEdit.Purpose(PoolPurpose.STATIC))),
                                RED.with(List.of(new PoolEdit.State(PoolState.RETIRED)))))
                        .pools())
                .isEmpty();
        assertThat(catalog.select(List.of(RED.with(List.of(new PoolEdit.State(PoolState.DRAINING)))))
                        .pools())
                .as("one that drains keeps its namespaces from other pools")
                .hasSize(1);
    }

    @Test
    void beforeTheFirstListNobodyIsTakenForKnown() {
        NamespaceCatalog.Selections before = catalog.select(List.of(RED));
        assertThat(before.version()).isEmpty();
        assertThat(before.pools()).containsExactly(new SelectedNamespaces("red", IpFamily.V4, Optional.empty()));
        catalog.offer(Map.of(), true);
        assertThat(catalog.select(List.of(RED)).version()).isNotEmpty();
        assertThat(new NamespaceCatalog(time, false).select(List.of(RED)).version())
                .as("no source: that is the last word")
                .isNotEmpty();
    }

    @Test
    void aListThatLostMoreThanHalfIsDoubtedUntilThatLasts() {
        catalog.offer(Map.of("a", OF_RED, "b", OF_RED, "c", OF_RED), true);
        catalog.offer(Map.of(), true);
        assertThat(selected()).containsExactly(red("a", "b", "c"));
        now = now.plus(NamespaceCatalog.CONFIRM).minusNanos(1);
        catalog.offer(Map.of("c", Map.of(), "d", OF_RED), true);
        assertThat(selected())
                .as("two of three are there, and new labels count")
                .containsExactly(red("d"));

        catalog.offer(Map.of("a", OF_RED, "b", OF_RED, "c", OF_RED), true);
        catalog.offer(Map.of("a", Map.of()), true);
        assertThat(selected()).as("what is there counts at once").containsExactly(red("b", "c"));
        now = now.plus(NamespaceCatalog.CONFIRM);
        assertThat(selected()).containsExactly(red());
    }

    @Test
    void aListThatIsNotWholeTakesNothingAway() {
        catalog.offer(Map.of("a", OF_RED, "b", OF_RED), true);
        catalog.offer(Map.of("b", Map.of()), false);
        assertThat(selected()).containsExactly(red("a"));
    }
}

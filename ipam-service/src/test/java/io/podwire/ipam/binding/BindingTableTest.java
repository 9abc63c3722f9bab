package io.podwire.ipam.binding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.NodeEpoch;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class BindingTableTest {
    private static final Duration HOUR = Duration.ofHours(1);
    private static final NodeEpoch ONE = new NodeEpoch(new NodeName("n1"), "uid", "boot", 1);
    private static final NodeEpoch TWO = new NodeEpoch(new NodeName("n2"), "uid", "boot", 1);

    @Test
    void onlyNodesThatAreAwayForLongAndMeantAreForgotten() {
        BindingTable table = new BindingTable();
        BindingTable.Stream one = new BindingTable.Stream(_ -> {});
        table.full(one, ONE, List.of(), Duration.ZERO);
        table.full(new BindingTable.Stream(_ -> {}), TWO, List.of(), Duration.ZERO);
        assertThat(table.forget(HOUR.multipliedBy(9), HOUR, _ -> true))
                .as("both are connected")
                .isEmpty();
        table.ended(one);
        assertThat(table.forget(HOUR.minusNanos(1), HOUR, _ -> true))
                .as("not for long")
                .isEmpty();
        assertThat(table.forget(HOUR, HOUR, _ -> false)).as("not meant").isEmpty();
        assertThat(table.snapshot()).hasSize(2);
        assertThat(table.forget(HOUR, HOUR, _ -> true)).containsExactly(ONE.node());
        assertThat(table.snapshot()).extracting(NodeReport::node).containsExactly(TWO.node());
    }

    @Test
    void aNodeThatComesBackIsConnectedAgain() {
        BindingTable table = new BindingTable();
        BindingTable.Stream one = new BindingTable.Stream(_ -> {});
        table.full(one, ONE, List.of(), Duration.ZERO);
        table.ended(one);
        assertThat(table.snapshot().getFirst().connected()).isFalse();
        table.full(new BindingTable.Stream(_ -> {}), ONE, List.of(), HOUR);
        table.ended(one);
        assertThat(table.snapshot().getFirst().connected())
                .as("the end of its old stream comes late")
                .isTrue();
    }

    @Test
    void oneWhoseNameIsTakenIsAliveForAWhile() {
        BindingTable table = new BindingTable();
        NodeEpoch twin = new NodeEpoch(ONE.node(), "uid-2", "boot-2", 1);
        table.full(new BindingTable.Stream(_ -> {}), ONE, List.of(), Duration.ZERO);
        assertThatThrownBy(() -> table.full(new BindingTable.Stream(_ -> {}), twin, List.of(), HOUR))
                .hasMessageContaining("is connected under that name");
        assertThat(table.alive(HOUR)).containsExactlyInAnyOrder(ONE, twin);
        assertThat(table.alive(HOUR.plusNanos(1))).containsExactly(ONE);
    }
}

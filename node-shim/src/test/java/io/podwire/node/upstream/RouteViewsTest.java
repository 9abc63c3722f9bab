package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.node.plan.RemoteNode;
import io.podwire.node.plan.UnderlayEnd;
import io.podwire.node.upstream.RouteViews.View;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

final class RouteViewsTest {
    private static final Duration T0 = Duration.ofSeconds(5000);

    private long heard;
    private final RouteMirror a = mirror();
    private final RouteMirror b = mirror();

    private RouteMirror mirror() {
        return new RouteMirror(Duration.ofMinutes(2), () -> ++heard);
    }

    @Test
    void aNodeIsKnownAsLongAsOneKnowsIt() {
        a.full("a", List.of(node(1, 1), node(2, 1)), T0);
        b.full("b", List.of(node(2, 1), node(3, 1)), T0);
        assertThat(merged(true, true)).containsExactly(node(1, 1), node(2, 1), node(3, 1));
        assertThat(merged(false, false)).as("with none of them").hasSize(3);
        a.delta(List.of(), List.of(new NodeName("node-2")));
        assertThat(merged(true, true)).hasSize(3);
    }

    @Test
    void amongEqualsTheLastWordCounts() {
        a.full("a", List.of(node(1, 1)), T0);
        b.full("b", List.of(node(1, 1)), T0);
        a.delta(List.of(node(1, 2)), List.of());
        assertThat(merged(true, true)).containsExactly(node(1, 2));
        b.full("b", List.of(node(1, 1)), T0);
        assertThat(merged(true, true)).as("b says what it said before").containsExactly(node(1, 2));
        b.delta(List.of(node(1, 3)), List.of());
        assertThat(merged(true, true)).containsExactly(node(1, 3));
    }

    @Test
    void oneThatIsThereAndNamesTheNodeIsBelievedBeforeOthers() {
        a.full("a", List.of(node(1, 1), node(2, 1)), T0);
        b.full("b", List.of(node(1, 2), node(2, 2)), T0);
        assertThat(merged(true, false)).as("b is away").containsExactly(node(1, 1), node(2, 1));
        b.full("b2", List.of(node(1, 2)), T0);
        assertThat(merged(true, true))
                .as("b has come back and does not name node 2 yet")
                .containsExactly(node(1, 2), node(2, 1));
    }

    @Test
    void aReflectorThatIsReplacedLeavesWhatItKnew() {
        a.full("a", List.of(node(1, 1), node(2, 1)), T0);
        b.inherit(a.nodes(), T0);
        b.full("b", List.of(node(2, 2)), T0.plusSeconds(1));
        assertThat(b.nodes()).containsExactly(node(1, 1), node(2, 2));
        assertThat(b.sweep(T0.plusSeconds(121))).containsExactly(new NodeName("node-1"));
        assertThat(b.nodes()).as("a new one, 120 s after its first word").containsExactly(node(2, 2));
        RouteMirror known = mirror();
        known.full("c", List.of(node(2, 3)), T0);
        known.inherit(a.nodes(), T0);
        assertThat(known.nodes()).containsExactly(node(1, 1), node(2, 3));
        assertThat(known.sweep(T0.plusSeconds(120))).hasSize(1);
        assertThat(known.nodes()).as("one that was there already").containsExactly(node(2, 3));
    }

    /** Two reflectors that hear all nodes, in whatever order their words arrive here, end as one would. */
    @Test
    void whateverTheOrderBothTogetherEndAsTheNodesAre() {
        Seeds.forEach(RouteViewsTest.class, 200, random -> {
            RouteMirror one = mirror();
            RouteMirror two = mirror();
            one.full("1", List.of(), T0);
            two.full("2", List.of(), T0);
            Map<NodeName, RemoteNode> truth = new TreeMap<>();
            for (int step = 0; step < 40; step++) {
                RemoteNode next = node(random.nextInt(4), random.nextInt(4));
                boolean gone = random.nextInt(4) == 0;
                List<RouteMirror> inOrder = random.nextBoolean() ? List.of(one, two) : List.of(two, one);
                for (RouteMirror mirror : inOrder) {
                    mirror.delta(gone ? List.of() : List.of(next), gone ? List.of(next.node()) : List.of());
                }
                if (gone) {
                    truth.remove(next.node());
                } else {
                    truth.put(next.node(), next);
                }
                assertThat(RouteViews.merged(List.of(new View(true, one), new View(true, two))))
                        .as("step %d", step)
                        .containsExactlyElementsOf(truth.values());
            }
        });
    }

    private List<RemoteNode> merged(boolean connectedA, boolean connectedB) {
        return List.copyOf(RouteViews.merged(List.of(new View(connectedA, a), new View(connectedB, b))));
    }

    private static RemoteNode node(int number, int version) {
        return new RemoteNode(
                new NodeName("node-" + number),
                List.of(new UnderlayEnd(IpAddress.parse("192.0.2." + (10 + version)), 24)),
                Optional.empty(),
                List.of(IpPrefix.parse("10.1." + number + ".0/26")));
    }
}

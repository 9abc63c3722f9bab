package io.podwire.node.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.NodeName;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class RoutePlanTest {
    private static final List<UnderlayEnd> OWN = List.of(end("192.0.2.1"));
    private static final Set<IpFamily> V4 = Set.of(IpFamily.V4);
    private static final RemoteNode.Vtep VTEP =
            new RemoteNode.Vtep(MacAddress.parse("02:00:00:00:00:09"), IpAddress.parse("10.1.2.1"));
    private static final IpPrefix BLOCK = IpPrefix.parse("10.1.2.0/26");
    private static final IpPrefix OTHER = IpPrefix.parse("10.1.9.0/26");

    @Test
    void whoSharesTheSubnetIsReachedDirectlyEvenWithAVtep() {
        RoutePlan plan = RoutePlan.plan(OWN, V4, List.of(node("192.0.2.7", Optional.of(VTEP), BLOCK, OTHER)));
        assertThat(plan.direct())
                .containsExactly(
                        new RoutePlan.Direct(BLOCK, IpAddress.parse("192.0.2.7")),
                        new RoutePlan.Direct(OTHER, IpAddress.parse("192.0.2.7")));
        assertThat(plan.tunnelled()).isEmpty();
    }

    @Test
    void whoDoesNotIsReachedThroughItsVtep() {
        RoutePlan plan = RoutePlan.plan(OWN, V4, List.of(node("192.0.2.200", Optional.of(VTEP), BLOCK)));
        assertThat(plan.direct()).as("192.0.2.200 is outside of /25").isEmpty();
        assertThat(plan.tunnelled())
                .containsExactly(
                        new RoutePlan.Tunnelled(BLOCK, VTEP.address(), VTEP.mac(), IpAddress.parse("192.0.2.200")));
    }

    @Test
    void whoCannotBeReachedIsLeftOut() {
        assertThat(RoutePlan.plan(OWN, V4, List.of(node("198.51.100.1", Optional.empty(), BLOCK))))
                .isEqualTo(new RoutePlan(List.of(), List.of()));
        assertThat(RoutePlan.plan(OWN, V4, List.of(node("192.0.2.7", Optional.of(VTEP)))))
                .as("a node that owns nothing")
                .isEqualTo(new RoutePlan(List.of(), List.of()));
    }

    @Test
    void listsAreCopied() {
        List<IpPrefix> prefixes = new ArrayList<>(List.of(BLOCK));
        RemoteNode node = new RemoteNode(new NodeName("n"), List.of(end("192.0.2.7")), Optional.empty(), prefixes);
        prefixes.clear();
        assertThat(node.prefixes()).containsExactly(BLOCK);
    }

    private static UnderlayEnd end(String address) {
        return new UnderlayEnd(IpAddress.parse(address), 25);
    }

    private static RemoteNode node(String underlay, Optional<RemoteNode.Vtep> vtep, IpPrefix... prefixes) {
        return new RemoteNode(new NodeName("other"), List.of(end(underlay)), vtep, List.of(prefixes));
    }
}

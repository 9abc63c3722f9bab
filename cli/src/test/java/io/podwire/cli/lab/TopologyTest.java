package io.podwire.cli.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class TopologyTest {
    @Test
    void threeNodesAreOnTwoSubnets() {
        assertThat(Topology.of(3).nodes())
                .as("two beside the services, one behind the router")
                .containsExactly(
                        new Topology.Node(1, "node1", Topology.Subnet.A, "192.0.2.11"),
                        new Topology.Node(2, "node2", Topology.Subnet.A, "192.0.2.12"),
                        new Topology.Node(3, "node3", Topology.Subnet.B, "192.0.2.141"));
    }

    @Test
    void anyLabHasDistinctAddressesInsideItsSubnets() {
        for (int count = 1; count <= Topology.MAX_NODES; count++) {
            Topology topology = Topology.of(count);
            assertThat(topology.nodes()).as("count").hasSize(count);
            assertThat(Stream.concat(
                            topology.nodes().stream().map(Topology.Node::address),
                            Stream.of(
                                    Topology.CONTROL_ADDRESS,
                                    Topology.LAB_ADDRESS,
                                    Topology.Subnet.A.gateway(),
                                    Topology.Subnet.B.gateway())))
                    .as("addresses of a lab of %d", count)
                    .doesNotHaveDuplicates();
            for (Topology.Node node : topology.nodes()) {
                IpPrefix subnet =
                        IpPrefix.parse(node.subnet() == Topology.Subnet.A ? "192.0.2.0/25" : "192.0.2.128/25");
                assertThat(subnet.contains(IpAddress.parse(node.address())))
                        .as("%s in %s", node, subnet)
                        .isTrue();
                assertThat(node.address())
                        .as("no broadcast address")
                        .doesNotEndWith(".127")
                        .doesNotEndWith(".255");
            }
        }
    }

    @Test
    void aLabHasAtLeastOneNodeAndABound() {
        for (int wrong : new int[] {-1, 0, Topology.MAX_NODES + 1}) {
            assertThatThrownBy(() -> Topology.of(wrong))
                    .as("%d nodes", wrong)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(String.valueOf(wrong));
        }
    }
}

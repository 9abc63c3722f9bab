package io.podwire.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.policy.compile.EndpointPolicy;
import io.podwire.policy.compile.ExpectedPod;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.model.Direction;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a node enforces before policy-service heard of an endpoint is what it is told afterwards. */
class ExpectedPodPropertyTest {
    private static final NodeName NODE = new NodeName("node-0");
    private static final IpAddress FRESH = IpAddress.parse("203.0.113.7");

    @ParameterizedTest
    @EnumSource
    void anExpectedPodIsJudgedAsItsEndpointWillBe(UndeclaredPods undeclared) {
        PolicyCompiler compiler = new PolicyCompiler(undeclared);
        Seeds.forEach(ExpectedPodPropertyTest.class, 300, random -> {
            ClusterSnapshot snapshot =
                    withoutAddresses(RandomCluster.withTiers(random).snapshot());
            NodeProgram program = compiler.compile(snapshot, NODE);
            program.expected().values().forEach(pod -> assertAnticipates(compiler, snapshot, program, pod));
        });
    }

    /** Nothing is attached yet, and no block holds what will be: which pods one holds, addresses alone tell. */
    private static ClusterSnapshot withoutAddresses(ClusterSnapshot snapshot) {
        List<Change> changes = new ArrayList<>();
        snapshot.nodes().keySet().forEach(node -> changes.add(new Change.NodeSet(node, Map.of())));
        snapshot.pods()
                .values()
                .forEach(pod -> changes.add(new Change.PodSet(new Pod(
                        pod.key(),
                        pod.uid(),
                        pod.labels(),
                        pod.node(),
                        Set.of(),
                        pod.hostNetwork(),
                        pod.terminated(),
                        pod.namedPorts()))));
        snapshot.policies().values().stream()
                .filter(policy -> Stream.of(Direction.values())
                        .flatMap(direction -> policy.rules(direction).stream())
                        .flatMap(rule -> rule.peers().stream())
                        .anyMatch(peer ->
                                peer instanceof Peer.Block block && block.cidr().contains(FRESH)))
                .forEach(policy -> changes.add(new Change.PolicyGone(policy.key())));
        snapshot.clusterPolicies().values().stream()
                .filter(policy -> policy.egress().stream()
                        .flatMap(rule -> rule.peers().stream())
                        .anyMatch(peer -> peer instanceof Peer.Networks networks
                                && networks.cidrs().stream().anyMatch(cidr -> cidr.contains(FRESH))))
                .forEach(policy -> changes.add(new Change.ClusterPolicyGone(policy.name())));
        return new ClusterDelta(changes).applyTo(snapshot);
    }

    private static void assertAnticipates(
            PolicyCompiler compiler, ClusterSnapshot snapshot, NodeProgram before, ExpectedPod pod) {
        PodKey key = pod.pod().name().isEmpty() ? new PodKey(pod.pod().namespace(), "undeclared") : pod.pod();
        Endpoint endpoint = new Endpoint("new/eth0", key, pod.uid(), Set.of(FRESH));
        NodeProgram after = compiler.compile(
                ClusterDelta.of(new Change.EndpointSet(NODE, endpoint)).applyTo(snapshot), NODE);
        EndpointPolicy told = after.endpoints().get("new/eth0");
        assertThat(told.ingress()).as("ingress of %s", pod.pod()).isEqualTo(pod.ingress());
        assertThat(told.egress()).as("egress of %s", pod.pod()).isEqualTo(pod.egress());
        List<String> holding = after.addressSets().values().stream()
                .filter(set -> set.cidrs().contains(IpPrefix.ofHost(FRESH)))
                .map(set -> set.id())
                .toList();
        assertThat(holding).as("sets of %s", pod.pod()).isEqualTo(pod.addressSets());
        assertThat(before.addressSets().keySet()).containsAll(pod.addressSets());
    }

    @Test
    void aNodeExpectsItsOwnPodsThatAreAliveAndOnThePodNetwork() {
        Seeds.forEach(ExpectedPodPropertyTest.class, 50, random -> {
            ClusterSnapshot snapshot = RandomCluster.withTiers(random).snapshot();
            assertThat(new PolicyCompiler(UndeclaredPods.WAIT)
                            .compile(snapshot, NODE)
                            .expected()
                            .keySet())
                    .containsExactlyElementsOf(snapshot.pods().values().stream()
                            .filter(pod -> pod.node().equals(NODE.value()) && !pod.hostNetwork() && !pod.terminated())
                            .map(pod -> pod.key())
                            .toList());
        });
    }
}

package io.podwire.e2e.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.NodeAddress;
import io.fabric8.kubernetes.api.model.Pod;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.NodeName;
import io.podwire.common.net.PodAddresses;
import io.podwire.common.service.ProgramHash;
import io.podwire.common.testing.Seeds;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.LocalEndpoint;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.PacketTracer;
import io.podwire.node.plan.PacketTracer.Flow;
import io.podwire.node.plan.PacketTracer.Side;
import io.podwire.node.plan.PodName;
import io.podwire.node.plan.RulesetInput;
import io.podwire.node.plan.RulesetPlan;
import io.podwire.node.upstream.ReceivedProgram;
import io.podwire.policy.PolicyOracle.Party;
import io.podwire.policy.RandomCluster;
import io.podwire.policy.TieredOracle;
import io.podwire.policy.compile.IncrementalCompiler;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.publish.ProgramMapping;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import io.podwire.proto.policy.v1.Program;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * From manifests to rulesets: what a packet meets in the rulesets of both nodes, walked rule by rule, is what the
 * documentation says. On the way are the compiler, its wire format, and what node-shim makes of it.
 */
final class RenderedPolicyPropertyTest {
    private static final int CLUSTERS = 500;
    private static final int PACKETS = 40;

    /** A node's ruleset, and the addresses that are its pods'. */
    private record Node(PacketTracer tracer, Map<IpAddress, LocalEndpoint> pods) {}

    @Test
    void rulesetsAgreeWithTheDocumentation() {
        int[] passed = new int[2];
        Seeds.forEach(RenderedPolicyPropertyTest.class, CLUSTERS, random -> {
            // Every second cluster has ClusterNetworkPolicies, too.
            RandomCluster cluster = random.nextBoolean() ? RandomCluster.withTiers(random) : new RandomCluster(random);
            TieredOracle oracle = TieredOracle.of(cluster);
            List<Program> programs = programs(cluster.snapshot());
            List<Node> nodes = nodes(cluster.snapshot(), programs);
            List<Node> older = nodes(
                    cluster.snapshot(),
                    programs.stream()
                            .map(RenderedPolicyPropertyTest::withoutTiers)
                            .toList());
            for (int i = 0; i < PACKETS; i++) {
                boolean six = random.nextBoolean();
                Party from = party(cluster, six, random);
                Party to = party(cluster, six, random);
                if (from.pod() != null && from.pod().equals(to.pod())) {
                    continue; // never leaves the pod
                }
                String protocol = List.of("TCP", "UDP", "SCTP").get(random.nextInt(3));
                int port = List.of(53, 79, 80, 8080, 9000).get(random.nextInt(5));
                boolean want = allows(oracle, from, to, protocol, port);
                passed[want ? 1 : 0]++;
                String what = "%s -> %s %s %d under %s and %s"
                        .formatted(from, to, protocol, port, cluster.clusterPolicies, cluster.policies);
                IpAddress source = IpAddress.parse(from.ip());
                IpAddress destination = IpAddress.parse(to.ip());
                assertThat(passes(nodes, source, destination, protocol, port))
                        .as(what)
                        .isEqualTo(want);
                if (!want) {
                    assertThat(passes(older, source, destination, protocol, port))
                            .as("by nodes whose node-shim is a release older: %s", what)
                            .isFalse();
                }
            }
        });
        assertThat(passed[0]).as("packets that are denied").isGreaterThan(CLUSTERS);
        assertThat(passed[1]).as("packets that are allowed").isGreaterThan(CLUSTERS);
    }

    private static boolean allows(TieredOracle oracle, Party from, Party to, String protocol, int port) {
        boolean out = from.pod() == null
                || RandomCluster.onSilentNode(from.pod())
                || oracle.egressAllows(from, to, protocol, port);
        boolean in = to.pod() == null
                || RandomCluster.onSilentNode(to.pod())
                || oracle.ingressAllows(from, to, protocol, port);
        return out && in;
    }

    private static Party party(RandomCluster cluster, boolean six, RandomGenerator random) {
        List<Party> parties = new ArrayList<>();
        parties.add(new Party(six ? "2001:db8:1::7" : "192.168.1.7", null));
        cluster.nodes.stream()
                .flatMap(node -> node.getStatus().getAddresses().stream())
                .map(NodeAddress::getAddress)
                .filter(ip -> six ? ip.indexOf(':') >= 0 : ip.indexOf('.') >= 0)
                .forEach(ip -> parties.add(new Party(ip, null)));
        for (Pod pod : cluster.pods) {
            if (!RandomCluster.terminated(pod)) {
                RandomCluster.ips(pod).stream()
                        .filter(ip -> (ip.indexOf(':') >= 0) == six)
                        .forEach(ip -> parties.add(new Party(ip, RandomCluster.onHostNetwork(pod) ? null : pod)));
            }
        }
        return parties.get(random.nextInt(parties.size()));
    }

    /** Each node's own program, compiled as it is in production. */
    private static List<Program> programs(ClusterSnapshot snapshot) {
        IncrementalCompiler compiler = new PolicyCompiler(UndeclaredPods.WAIT).incremental();
        compiler.apply(ClusterDelta.ofObjects(ClusterSnapshot.EMPTY, snapshot));
        snapshot.nodes()
                .forEach((node, endpoints) -> compiler.apply(ClusterDelta.of(new Change.NodeSet(node, endpoints))));
        return snapshot.nodes().keySet().stream()
                .map(node -> ProgramMapping.toProto(compiler.program(node), 1))
                .toList();
    }

    private static List<Node> nodes(ClusterSnapshot snapshot, List<Program> programs) {
        List<NodeName> names = List.copyOf(snapshot.nodes().keySet());
        return IntStream.range(0, names.size())
                .mapToObj(i -> node(snapshot, names.get(i), received(programs.get(i))))
                .toList();
    }

    /** What a node-shim reads that does not know the field. */
    private static Program withoutTiers(Program program) {
        Program.Builder out = program.toBuilder();
        out.getEndpointsBuilderList().forEach(endpoint -> {
            endpoint.getIngressBuilder().clearTiers();
            endpoint.getEgressBuilder().clearTiers();
        });
        return out.build();
    }

    private static NodeProgram received(Program sent) {
        NodeProgram received = ReceivedProgram.of(sent);
        assertThat(ReceivedProgram.hash(received))
                .as("hash that the node tells when it connects again")
                .isEqualTo(ProgramHash.of(sent));
        return received;
    }

    private static Node node(ClusterSnapshot snapshot, NodeName name, NodeProgram program) {
        List<LocalEndpoint> endpoints = new ArrayList<>();
        Map<IpAddress, LocalEndpoint> pods = new HashMap<>();
        snapshot.nodes().get(name).values().forEach(endpoint -> {
            int slash = endpoint.key().lastIndexOf('/');
            LocalEndpoint local = new LocalEndpoint(
                    new EndpointKey(
                            endpoint.key().substring(0, slash), endpoint.key().substring(slash + 1)),
                    new PodName(endpoint.pod().namespace(), endpoint.pod().name()),
                    endpoint.podUid(),
                    "pw" + endpoints.size(),
                    MacAddress.locallyAdministered(endpoints.size()),
                    new PodAddresses(endpoint.addresses().stream().sorted().toList()));
            endpoints.add(local);
            endpoint.addresses().forEach(address -> pods.put(address, local));
        });
        RulesetInput input =
                new RulesetInput("pw0", EnumSet.allOf(IpFamily.class), endpoints, Optional.of(program), 4789);
        return new Node(new PacketTracer(RulesetPlan.plan(input)), pods);
    }

    /** Both directions of the flow, on every node that it passes. */
    private static boolean passes(List<Node> nodes, IpAddress from, IpAddress to, String protocol, int port) {
        return nodes.stream()
                .filter(node -> node.pods().containsKey(from) || node.pods().containsKey(to))
                .allMatch(node -> node.tracer()
                        .passes(new Flow(
                                side(node, from), from, side(node, to), to, protocol.toLowerCase(Locale.ROOT), port)));
    }

    private static Side side(Node node, IpAddress address) {
        return node.pods().containsKey(address) ? Side.POD : Side.ELSEWHERE;
    }
}

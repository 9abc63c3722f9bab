package io.podwire.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.policy.compile.DirectionPolicy;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.Pod;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Which pods there are and which addresses they have; and the shape of programs. */
class PolicyCompilerTest {
    private static final NodeName NODE_A = new NodeName("node-a");
    private static final String FROM_B =
            "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {pod: b}}}]}]}";

    private static NodeProgram compile(World world) {
        return compile(world.snapshot(), UndeclaredPods.WAIT);
    }

    private static NodeProgram compile(ClusterSnapshot snapshot, UndeclaredPods undeclared) {
        return new PolicyCompiler(undeclared).compile(snapshot, NODE_A);
    }

    private static Set<String> members(NodeProgram program) {
        return program.addressSets().values().stream()
                .flatMap(set -> set.cidrs().stream())
                .map(Object::toString)
                .collect(Collectors.toSet());
    }

    private static Pod changed(
            String uid, String node, Set<String> addresses, boolean hostNetwork, boolean terminated) {
        Pod pod = World.pod("x/b", Map.of());
        return new Pod(
                pod.key(),
                uid,
                pod.labels(),
                node,
                addresses.stream().map(IpAddress::parse).collect(Collectors.toSet()),
                hostNetwork,
                terminated,
                pod.namedPorts());
    }

    private static World world(Change... changes) {
        return new World().policy("x/p", FROM_B).with(changes);
    }

    @Test
    void endpointAddressesWinOverTheStatus() {
        World world = world(new Change.PodSet(changed("", "node-b", Set.of("10.9.9.9"), false, false)));
        assertThat(members(compile(world))).containsExactly("10.0.1.2/32");
    }

    @Test
    void statusAddressesCountWhileTheNodeIsSilent() {
        World world = world(new Change.PodSet(changed("", "node-q", Set.of("10.9.9.9", "fd00::9"), false, false)));
        ClusterSnapshot gone = ClusterDelta.of(new Change.EndpointGone(new NodeName("node-b"), "cid-x/b/eth0"))
                .applyTo(world.snapshot());
        assertThat(members(compile(gone, UndeclaredPods.WAIT)))
                .as("both families of the status")
                .containsExactlyInAnyOrder("10.9.9.9/32", "fd00::9/128");
        ClusterSnapshot speaking = ClusterDelta.of(new Change.NodeSet(new NodeName("node-q"), Map.of()))
                .applyTo(gone);
        assertThat(members(compile(speaking, UndeclaredPods.WAIT)))
                .as("the node does not name it")
                .isEmpty();
    }

    @Test
    void statusCannotClaimAnAddressThatAnEndpointHas() {
        World world = world(new Change.PodSet(changed("", "node-q", Set.of("10.0.3.3"), false, false)));
        ClusterSnapshot gone = ClusterDelta.of(new Change.EndpointGone(new NodeName("node-b"), "cid-x/b/eth0"))
                .applyTo(world.snapshot());
        assertThat(members(compile(gone, UndeclaredPods.WAIT))).as("z/c has it").isEmpty();
    }

    @Test
    void terminatedAndHostNetworkPodsLeaveTheSets() {
        assertThat(members(compile(world(new Change.PodSet(changed("", "node-b", Set.of(), false, true))))))
                .as("terminated")
                .isEmpty();
        assertThat(members(compile(world(new Change.PodSet(changed("", "node-b", Set.of("10.9.9.9"), true, false))))))
                .as("host network")
                .isEmpty();
    }

    @Test
    void twoSandboxesOfOnePodBothCount() {
        Endpoint older = new Endpoint("old/eth0", World.key("x/b"), "", Set.of(IpAddress.parse("10.0.1.77")));
        World world = world(new Change.EndpointSet(new NodeName("node-b"), older));
        assertThat(members(compile(world))).containsExactlyInAnyOrder("10.0.1.2/32", "10.0.1.77/32");
    }

    @Test
    void anEndpointOfAnotherUidIsNotThatPods() {
        Endpoint older = new Endpoint("old/eth0", World.key("x/b"), "uid-1", Set.of(IpAddress.parse("10.0.1.77")));
        World world = world(
                new Change.EndpointSet(new NodeName("node-b"), older),
                new Change.PodSet(changed("uid-2", "node-b", Set.of(), false, false)));
        assertThat(members(compile(world))).containsExactly("10.0.1.2/32");
    }

    @Test
    void anUndeclaredPodWaitsOrIsJudgedWithoutLabels() {
        Endpoint bare = new Endpoint("bare/eth0", World.key("x/q"), "", Set.of(IpAddress.parse("10.0.1.99")));
        World world = new World()
                .policy("x/all", "{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}")
                .policy("x/labelled", "{podSelector: {matchLabels: {pod: q}}, policyTypes: [Egress]}")
                .with(new Change.EndpointSet(NODE_A, bare));
        NodeProgram waits = compile(world.snapshot(), UndeclaredPods.WAIT);
        assertThat(waits.endpoints()).as("not covered").doesNotContainKey("bare/eth0");
        assertThat(members(waits)).as("no peer either").doesNotContain("10.0.1.99/32");
        NodeProgram judged = compile(world.snapshot(), UndeclaredPods.DEFAULT);
        assertThat(judged.endpoints().get("bare/eth0").ingress().isolatedBy()).containsExactly("x/all");
        assertThat(judged.endpoints().get("bare/eth0").egress().isolated()).isFalse();
        assertThat(members(judged)).contains("10.0.1.99/32");
    }

    @Test
    void aNamespaceNobodyDeclaredIsSelectedOnlyWhereUndeclaredPodsAreJudged() {
        World world = new World()
                .policy(
                        "x/p",
                        "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchExpressions:"
                                + " [{key: team, operator: DoesNotExist}]}}]}]}")
                .with(new Change.NamespaceGone("z"));
        assertThat(members(compile(world.snapshot(), UndeclaredPods.WAIT)))
                .as("z is unknown")
                .hasSize(6);
        assertThat(members(compile(world.snapshot(), UndeclaredPods.DEFAULT))).hasSize(9);
    }

    @Test
    void policiesShareTheSetOfOneDefinition() {
        World world = new World().policy("x/p1", FROM_B).policy("x/p2", FROM_B);
        NodeProgram program = compile(world);
        assertThat(program.addressSets()).hasSize(1);
        assertThat(program.addressSets().firstKey()).matches("[a-z0-9-]{1,64}");
        assertThat(compile(new World().policy("x/other", FROM_B)).addressSets().firstKey())
                .as("the id depends on the definition alone")
                .isEqualTo(program.addressSets().firstKey());
    }

    @Test
    void aBlockIsTheDisjointDifference() {
        World world = new World()
                .policy(
                        "x/p",
                        "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.1.0.7/24,"
                                + " except: [10.1.0.64/26, 10.1.0.96/27, 10.1.0.255/32]}}]}]}");
        assertThat(compile(world).addressSets().firstEntry().getValue().cidrs().stream()
                        .map(Object::toString)
                        .toList())
                .isEqualTo(List.of(
                        "10.1.0.0/26",
                        "10.1.0.128/26",
                        "10.1.0.192/27",
                        "10.1.0.224/28",
                        "10.1.0.240/29",
                        "10.1.0.248/30",
                        "10.1.0.252/31",
                        "10.1.0.254/32"));
    }

    @Test
    void anIpv6BlockIsTheDisjointDifference() {
        World world = new World()
                .policy(
                        "x/p",
                        "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 'fd00::7/64',"
                                + " except: ['fd00:0:0:0:8000::/66', 'fd00::/67']}}]}]}");
        assertThat(cidrs(compile(world)))
                .containsExactly("fd00::2000:0:0:0/67", "fd00::4000:0:0:0/66", "fd00::c000:0:0:0/66");
    }

    @Test
    void aBlockCannotExceptTheOtherFamily() {
        World world = new World()
                .policy(
                        "x/p",
                        "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: '::/0', except: [10.0.0.0/8]}}]}]}");
        assertThat(world.snapshot().policies().firstEntry().getValue().invalid())
                .contains("spec.ingress[0].from[0]", "except 10.0.0.0/8", "::/0");
        assertThat(compile(world).endpoints().get("cid-x/a/eth0").ingress())
                .as("it isolates and allows nothing")
                .isEqualTo(new DirectionPolicy(true, List.of(), List.of("x/p")));
    }

    @Test
    void aDualStackPodIsInSetsByBothAddresses() {
        Endpoint both = new Endpoint(
                "cid-x/b/eth0", World.key("x/b"), "", Set.of(IpAddress.parse("10.0.1.2"), IpAddress.parse("fd00::2")));
        World world = world(new Change.EndpointSet(new NodeName("node-b"), both));
        assertThat(cidrs(compile(world))).as("IPv4 first").containsExactly("10.0.1.2/32", "fd00::2/128");
    }

    @Test
    void aNamedPortOfABlockIsThatOfThePodsAddressesInIt() {
        Endpoint both = new Endpoint(
                "cid-x/b/eth0", World.key("x/b"), "", Set.of(IpAddress.parse("10.0.1.2"), IpAddress.parse("fd00::2")));
        World world = new World()
                .policy(
                        "x/p",
                        "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 'fd00::/64'}}],"
                                + " ports: [{port: serve-80-tcp}]}]}")
                .with(new Change.EndpointSet(new NodeName("node-b"), both));
        assertThat(cidrs(compile(world))).as("and not the one outside").containsExactly("fd00::2/128");
    }

    private static List<String> cidrs(NodeProgram program) {
        return program.addressSets().firstEntry().getValue().cidrs().stream()
                .map(Object::toString)
                .toList();
    }

    @Test
    void equalSnapshotsGiveEqualPrograms() {
        assertThat(compile(world())).isEqualTo(compile(world()));
    }
}

package io.podwire.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.policy.compile.IncrementalCompiler;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.ProgramDelta;
import io.podwire.policy.compile.ProgramDiff;
import io.podwire.policy.compile.SetDeltas;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import io.podwire.policy.snapshot.LateSnapshot;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whatever changed in whatever order, the programs are those of the snapshot that it led to. */
class IncrementalCompilerPropertyTest {
    private static final int SEQUENCES = 150;
    private static final int STEPS = 40;
    private static final List<NodeName> NODES =
            Stream.of("node-0", "node-1", "node-2").map(NodeName::new).toList();

    @ParameterizedTest
    @EnumSource
    void programsAreThoseOfTheSnapshot(UndeclaredPods undeclared) {
        PolicyCompiler compiler = new PolicyCompiler(undeclared);
        Seeds.forEach(IncrementalCompilerPropertyTest.class, SEQUENCES, random -> {
            IncrementalCompiler incremental = compiler.incremental();
            // Objects of the same names that differ in all else, so that changes change much.
            List<ClusterSnapshot> worlds = IntStream.range(0, 3)
                    .mapToObj(_ -> RandomCluster.withTiers(random).snapshot())
                    .toList();
            ClusterSnapshot snapshot = ClusterSnapshot.EMPTY;
            List<ClusterDelta> history = new ArrayList<>();
            for (int step = 0; step < STEPS; step++) {
                List<Change> changes = IntStream.range(0, random.nextInt(4) == 0 ? 10 : 1)
                        .mapToObj(_ -> change(worlds.get(random.nextInt(worlds.size())), random))
                        .toList();
                ClusterDelta delta = new ClusterDelta(changes);
                history.add(delta);
                snapshot = delta.applyTo(snapshot);
                incremental.apply(delta);
                // Some nodes are not asked about for a while.
                for (NodeName node : NODES) {
                    if (random.nextInt(3) > 0) {
                        assertThat(incremental.program(node))
                                .as("program of %s after %s", node, history)
                                .isEqualTo(compiler.compile(snapshot, node));
                    }
                }
            }
        });
    }

    @ParameterizedTest
    @EnumSource
    void changesLeadFromTheProgramsOfBeforeToThoseOfNow(UndeclaredPods undeclared) {
        PolicyCompiler compiler = new PolicyCompiler(undeclared);
        Seeds.forEach(IncrementalCompilerPropertyTest.class, SEQUENCES, random -> {
            IncrementalCompiler incremental = compiler.incremental();
            List<ClusterSnapshot> worlds = IntStream.range(0, 3)
                    .mapToObj(_ -> new RandomCluster(random).snapshot())
                    .toList();
            ClusterSnapshot snapshot = ClusterSnapshot.EMPTY;
            LateSnapshot late = new LateSnapshot();
            Map<NodeName, NodeProgram> taken = new TreeMap<>();
            List<ClusterDelta> history = new ArrayList<>();
            for (int step = 0; step < STEPS; step++) {
                ClusterDelta delta = new ClusterDelta(IntStream.range(0, random.nextInt(4) == 0 ? 10 : 1)
                        .mapToObj(_ -> change(worlds.get(random.nextInt(worlds.size())), random))
                        .toList());
                history.add(delta);
                ClusterSnapshot next = delta.applyTo(snapshot);
                boolean news = incremental.apply(delta);
                assertThat(news || next.equals(snapshot))
                        .as("what changes the snapshot is news: %s", delta)
                        .isTrue();
                if (news) {
                    late.add(delta);
                }
                snapshot = next;
                assertThat(late.get()).as("snapshot made late").isEqualTo(snapshot);
                Set<NodeName> concerned = incremental.concerned();
                for (NodeName node : NODES) {
                    NodeProgram specified = compiler.compile(snapshot, node);
                    if (taken.containsKey(node) && !concerned.contains(node)) {
                        assertThat(specified)
                                .as("%s, which is not concerned, after %s", node, history)
                                .isEqualTo(taken.get(node));
                    }
                    switch (random.nextInt(3)) {
                        case 0 -> {}
                        // Answers need it meanwhile, which takes nothing from those who follow the changes.
                        case 1 -> incremental.program(node);
                        default -> {
                            NodeProgram before = taken.getOrDefault(node, NodeProgram.EMPTY);
                            ProgramDelta changes = incremental.changes(node).delta(new SetDeltas());
                            assertThat(changes.applyTo(before))
                                    .as("program of %s after %s", node, history)
                                    .isEqualTo(specified);
                            assertThat(changes)
                                    .as("no more than what differs for %s after %s", node, history)
                                    .isEqualTo(ProgramDiff.between(before, specified));
                            assertThat(incremental.concerned()).doesNotContain(node);
                            taken.put(node, specified);
                        }
                    }
                }
            }
        });
    }

    @ParameterizedTest
    @EnumSource
    void nothingIsKeptOfWhatIsGone(UndeclaredPods undeclared) {
        Seeds.forEach(IncrementalCompilerPropertyTest.class, 50, random -> {
            IncrementalCompiler incremental = new PolicyCompiler(undeclared).incremental();
            ClusterSnapshot world = RandomCluster.withTiers(random).snapshot();
            incremental.apply(ClusterDelta.ofObjects(ClusterSnapshot.EMPTY, world));
            world.nodes()
                    .forEach((node, endpoints) ->
                            incremental.apply(ClusterDelta.of(new Change.NodeSet(node, endpoints))));
            NODES.forEach(incremental::program);
            incremental.apply(ClusterDelta.ofObjects(world, ClusterSnapshot.EMPTY));
            world.nodes()
                    .keySet()
                    .forEach(node -> incremental.apply(ClusterDelta.of(new Change.NodeSet(node, Map.of()))));
            NODES.forEach(node -> assertThat(incremental.program(node)).isEqualTo(NodeProgram.EMPTY));
            assertThat(incremental.kinds()).as("kinds").isZero();
            assertThat(incremental.peers()).as("peers").isZero();
        });
    }

    private static Change change(ClusterSnapshot world, RandomGenerator random) {
        while (true) {
            NodeName node = NODES.get(random.nextInt(2));
            List<Endpoint> endpoints = world.nodes().values().stream()
                    .flatMap(of -> of.values().stream())
                    .toList();
            switch (random.nextInt(16)) {
                case 0, 1, 2 -> {
                    if (!world.pods().isEmpty()) {
                        return new Change.PodSet(one(world.pods().values(), random));
                    }
                }
                case 3 -> {
                    if (!world.pods().isEmpty()) {
                        return new Change.PodGone(one(world.pods().keySet(), random));
                    }
                }
                case 4 -> {
                    return new Change.NamespaceSet(one(world.namespaces().values(), random));
                }
                case 5 -> {
                    return new Change.NamespaceGone(one(world.namespaces().keySet(), random));
                }
                case 6, 7 -> {
                    if (!world.policies().isEmpty()) {
                        return new Change.PolicySet(one(world.policies().values(), random));
                    }
                }
                case 8 -> {
                    if (!world.policies().isEmpty()) {
                        return new Change.PolicyGone(one(world.policies().keySet(), random));
                    }
                }
                case 12, 13 -> {
                    if (!world.clusterPolicies().isEmpty()) {
                        return new Change.ClusterPolicySet(
                                one(world.clusterPolicies().values(), random));
                    }
                }
                case 14 -> {
                    if (!world.clusterPolicies().isEmpty()) {
                        return new Change.ClusterPolicyGone(
                                one(world.clusterPolicies().keySet(), random));
                    }
                }
                case 15 -> {
                    if (!world.clusterNodes().isEmpty()) {
                        return random.nextBoolean()
                                ? new Change.ClusterNodeSet(
                                        one(world.clusterNodes().values(), random))
                                : new Change.ClusterNodeGone(
                                        one(world.clusterNodes().keySet(), random));
                    }
                }
                case 9 -> {
                    Map<String, Endpoint> some = new TreeMap<>();
                    endpoints.stream()
                            .filter(_ -> random.nextBoolean())
                            .forEach(endpoint -> some.put(endpoint.key(), endpoint));
                    return new Change.NodeSet(node, some);
                }
                case 10 -> {
                    if (!endpoints.isEmpty()) {
                        return new Change.EndpointSet(node, one(endpoints, random));
                    }
                }
                default -> {
                    if (!endpoints.isEmpty()) {
                        return new Change.EndpointGone(
                                node, one(endpoints, random).key());
                    }
                }
            }
        }
    }

    private static <T> T one(Collection<T> of, RandomGenerator random) {
        return List.copyOf(of).get(random.nextInt(of.size()));
    }

    @Test
    void whatDidNotChangeIsTheSameObject() {
        World world = new World()
                .policy("x/p", "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {pod: b}}}]}]}")
                .policy("y/p", "{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}");
        IncrementalCompiler incremental = new PolicyCompiler(UndeclaredPods.WAIT).incremental();
        incremental.apply(ClusterDelta.ofObjects(ClusterSnapshot.EMPTY, world.snapshot()));
        world.snapshot()
                .nodes()
                .forEach((node, endpoints) -> incremental.apply(ClusterDelta.of(new Change.NodeSet(node, endpoints))));
        NodeName nodeA = World.node("x/a");
        NodeProgram before = incremental.program(nodeA);
        assertThat(incremental.program(nodeA)).as("nothing happened").isSameAs(before);

        incremental.apply(ClusterDelta.of(new Change.PolicySet(
                Yaml.policy("z/other", "{podSelector: {matchLabels: {pod: b}}, policyTypes: [Ingress]}"))));
        assertThat(incremental.program(nodeA))
                .as("a policy that selects none of its pods")
                .isSameAs(before);

        incremental.apply(ClusterDelta.of(new Change.EndpointGone(World.node("x/b"), "cid-x/b/eth0")));
        NodeProgram after = incremental.program(nodeA);
        assertThat(after.endpoints()).as("a pod elsewhere went").isSameAs(before.endpoints());
        assertThat(after.expected()).isSameAs(before.expected());
        assertThat(after.addressSets()).isNotEqualTo(before.addressSets());
    }
}

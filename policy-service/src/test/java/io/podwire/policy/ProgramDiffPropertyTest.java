package io.podwire.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.ProgramChange;
import io.podwire.policy.compile.ProgramDelta;
import io.podwire.policy.compile.ProgramDiff;
import io.podwire.policy.compile.SetDeltas;
import io.podwire.policy.compile.TierRule;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.publish.ProgramMapping;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ProgramDiffPropertyTest {
    private static final NodeName NODE = new NodeName("node-0");
    private final PolicyCompiler compiler = new PolicyCompiler(UndeclaredPods.WAIT);

    @Test
    void aDifferenceLeadsToItsTargetAlsoThroughTheWire() {
        Seeds.forEach(ProgramDiffPropertyTest.class, 200, random -> {
            NodeProgram from = compiler.compile(RandomCluster.withTiers(random).snapshot(), NODE);
            NodeProgram to = compiler.compile(RandomCluster.withTiers(random).snapshot(), NODE);
            ProgramDelta delta = ProgramDiff.between(from, to);
            assertThat(delta.applyTo(from)).as("delta").isEqualTo(to);
            assertThat(ProgramDiff.between(to, to))
                    .as("no difference")
                    .isEqualTo(ProgramDiff.between(NodeProgram.EMPTY, NodeProgram.EMPTY));
            assertThat(ProgramMapping.fromProto(ProgramMapping.toProto(delta)))
                    .as("delta")
                    .isEqualTo(delta);
            assertThat(ProgramMapping.fromProto(ProgramMapping.toProto(to, 7)))
                    .as("program")
                    .isEqualTo(to);
        });
    }

    @Test
    void changesOneAfterTheOtherAreOneChange() {
        Seeds.forEach(ProgramDiffPropertyTest.class, 200, random -> {
            SetDeltas sets = new SetDeltas();
            List<NodeProgram> programs = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                // Some come twice: what changed and changed back is no change.
                programs.add(
                        i > 1 && random.nextBoolean()
                                ? programs.get(random.nextInt(i))
                                : compiler.compile(new RandomCluster(random).snapshot(), NODE));
            }
            ProgramChange all = ProgramChange.NONE;
            for (int i = 1; i < programs.size(); i++) {
                all = all.then(changed(programs.get(i - 1), programs.get(i)));
                assertThat(all).as("changes up to the %s.", i).isEqualTo(changed(programs.getFirst(), programs.get(i)));
                assertThat(all.delta(sets).applyTo(programs.getFirst())).isEqualTo(programs.get(i));
                assertThat(all.isEmpty()).isEqualTo(programs.get(i).equals(programs.getFirst()));
            }
        });
    }

    /** By a look at both. */
    private static ProgramChange changed(NodeProgram from, NodeProgram to) {
        return new ProgramChange(less(from, to), less(to, from));
    }

    private static NodeProgram less(NodeProgram program, NodeProgram other) {
        return new NodeProgram(
                less(program.endpoints(), other.endpoints()),
                less(program.addressSets(), other.addressSets()),
                less(program.expected(), other.expected()));
    }

    private static <K extends Comparable<K>, V> SortedMap<K, V> less(SortedMap<K, V> map, SortedMap<K, V> other) {
        SortedMap<K, V> out = new TreeMap<>(map);
        out.entrySet().removeAll(other.entrySet());
        return out;
    }

    @Test
    void aProgramHasExactlyTheSetsThatItsRulesName() {
        Seeds.forEach(ProgramDiffPropertyTest.class, 200, random -> {
            NodeProgram program =
                    compiler.compile(RandomCluster.withTiers(random).snapshot(), NODE);
            assertThat(program.addressSets().keySet())
                    .containsExactlyInAnyOrderElementsOf(program.endpoints().values().stream()
                            .flatMap(e -> Stream.of(e.ingress(), e.egress()))
                            .flatMap(direction -> Stream.concat(
                                    direction.rules().stream(),
                                    direction.tiers().stream().map(TierRule::rule)))
                            .flatMap(rule -> rule.addressSets().stream())
                            .collect(Collectors.toSet()));
        });
    }

    @Test
    void theDifferenceOfSnapshotsLeadsToTheSecondAndTwiceIsOnce() {
        Seeds.forEach(ProgramDiffPropertyTest.class, 200, random -> {
            ClusterSnapshot from = RandomCluster.withTiers(random).snapshot();
            ClusterSnapshot to = RandomCluster.withTiers(random).snapshot();
            ClusterDelta delta = ClusterDelta.ofObjects(from, to);
            ClusterSnapshot reached = delta.applyTo(from);
            assertThat(reached)
                    .isEqualTo(new ClusterSnapshot(
                            to.pods(),
                            to.namespaces(),
                            to.policies(),
                            to.clusterPolicies(),
                            to.clusterNodes(),
                            to.services(),
                            to.slices(),
                            from.nodes()));
            assertThat(delta.applyTo(reached)).as("twice").isEqualTo(reached);
        });
    }
}

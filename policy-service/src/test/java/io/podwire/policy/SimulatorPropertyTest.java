package io.podwire.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.testing.Seeds;
import io.podwire.policy.answer.End.Place;
import io.podwire.policy.answer.Ends;
import io.podwire.policy.answer.Simulation;
import io.podwire.policy.answer.Simulation.Flip;
import io.podwire.policy.answer.Simulator;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import io.podwire.policy.watch.ClusterPolicyMapping;
import io.podwire.policy.watch.KubernetesMapping;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** A simulation names what the compiler would let pass otherwise: all of it, and nothing else. */
class SimulatorPropertyTest {
    private static final List<Integer> PORTS = List.of(0, 1, 52, 53, 54, 78, 79, 80, 81, 8080, 8081, 9000, 65535);
    private static final Set<IpAddress> OUTSIDE =
            Set.of(IpAddress.parse("192.168.1.7"), IpAddress.parse("2001:db8:1::7"));

    private final PolicyCompiler compiler = new PolicyCompiler(UndeclaredPods.WAIT);

    @Test
    void flipsAreWhatTheCompilerWouldLetPassOtherwise() {
        int[] flipped = new int[2];
        Seeds.forEach(SimulatorPropertyTest.class, 60, random -> {
            ClusterSnapshot snapshot = RandomCluster.withTiers(random).snapshot();
            ClusterDelta candidate = candidate(snapshot, random);
            Simulation simulation =
                    Simulator.simulate(compiler, snapshot, candidate, OUTSIDE, Integer.MAX_VALUE - 1, () -> false);
            Tracer now = new Tracer(snapshot, compiler);
            Tracer then = new Tracer(candidate.applyTo(snapshot), compiler);
            Set<String> want = new TreeSet<>();
            Ends ends = new Ends(snapshot);
            List<IpAddress> addresses = new ArrayList<>(OUTSIDE);
            ends.all().forEach(end -> addresses.add(end.address()));
            for (IpAddress from : addresses) {
                for (IpAddress to : addresses) {
                    if (from.family() != to.family() || ownNode(ends, from, to)) {
                        continue;
                    }
                    for (Protocol protocol : Protocol.values()) {
                        for (int port : PORTS) {
                            boolean after = then.allowed(from, to, protocol, port);
                            if (now.allowed(from, to, protocol, port) != after) {
                                want.add(flip(from, to, protocol, port, after));
                                flipped[after ? 1 : 0]++;
                            }
                        }
                    }
                }
            }
            assertThat(said(simulation)).as("flips of %s", candidate).isEqualTo(want);
            assertThat(simulation.more()).as("more").isFalse();
        });
        assertThat(Math.min(flipped[0], flipped[1]))
                .as("closed and opened: enough to mean something")
                .isGreaterThan(1000);
    }

    @Test
    void noMoreFlipsAreNamedThanAskedFor() {
        World world = new World();
        ClusterDelta deny = ClusterDelta.of(
                new Change.PolicySet(Yaml.policy("x/deny", "{podSelector: {}, policyTypes: [Ingress]}")));
        Simulation all = Simulator.simulate(compiler, world.snapshot(), deny, Set.of(), 24, () -> false);
        assertThat(all.flips()).as("to each of 3 pods from 8 others").hasSize(24);
        assertThat(all.more()).as("more than 24").isFalse();
        Simulation some = Simulator.simulate(compiler, world.snapshot(), deny, Set.of(), 23, () -> false);
        assertThat(some.flips()).as("the first 23").isEqualTo(all.flips().subList(0, 23));
        assertThat(some.more()).as("more than 23").isTrue();
        Simulation unwanted = Simulator.simulate(compiler, world.snapshot(), deny, Set.of(), 24, () -> true);
        assertThat(unwanted.flips()).as("when nobody waits").isEmpty();
    }

    /** Some policies of another cluster, and some of this one's that go. */
    private static ClusterDelta candidate(ClusterSnapshot snapshot, RandomGenerator random) {
        List<Change> changes = new ArrayList<>();
        RandomCluster other = RandomCluster.withTiers(random);
        other.policies.forEach(policy -> changes.add(new Change.PolicySet(KubernetesMapping.policy(policy))));
        other.clusterPolicies.stream()
                .filter(_ -> random.nextInt(3) == 0)
                .forEach(policy -> changes.add(new Change.ClusterPolicySet(ClusterPolicyMapping.policy(policy))));
        snapshot.clusterPolicies().keySet().stream()
                .filter(_ -> random.nextInt(3) == 0)
                .forEach(name -> changes.add(new Change.ClusterPolicyGone(name)));
        snapshot.policies().keySet().stream()
                .filter(_ -> random.nextInt(3) == 0)
                .forEach(key -> changes.add(new Change.PolicyGone(key)));
        return new ClusterDelta(changes);
    }

    private static boolean ownNode(Ends ends, IpAddress from, IpAddress to) {
        return ends.at(from).place() instanceof Place.HostNetwork(var _, String host)
                && ends.at(to).place() instanceof Place.Attached(var _, var node, var _)
                && node.value().equals(host);
    }

    private static Set<String> said(Simulation simulation) {
        Set<String> said = new TreeSet<>();
        for (Flip flip : simulation.flips()) {
            for (Protocol protocol : Protocol.values()) {
                for (int port : PORTS) {
                    if (flip.ports().stream().anyMatch(range -> range.covers(protocol, port))) {
                        said.add(flip(
                                flip.source().address(), flip.destination().address(), protocol, port, flip.allowed()));
                    }
                }
            }
        }
        return said;
    }

    private static String flip(IpAddress from, IpAddress to, Protocol protocol, int port, boolean allowed) {
        return from + " -> " + to + " " + protocol + " " + port + (allowed ? " opens" : " closes");
    }
}

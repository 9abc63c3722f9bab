package io.podwire.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyBuilder;
import io.podwire.common.net.IpAddress;
import io.podwire.common.testing.Seeds;
import io.podwire.policy.PolicyOracle.Party;
import io.podwire.policy.answer.End;
import io.podwire.policy.answer.End.Place;
import io.podwire.policy.answer.Ends;
import io.podwire.policy.answer.Explanation;
import io.podwire.policy.answer.Judge;
import io.podwire.policy.answer.Ruling;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Explanations agree with the documentation and with the compiler, and the rule they name is one that allows. */
class JudgePropertyTest {
    private static final int CLUSTERS = 300;
    private static final int PACKETS = 60;
    private static final List<Integer> PORTS = List.of(53, 79, 80, 8080, 9000);
    private static final List<Protocol> PROTOCOLS = List.of(Protocol.values());

    private final PolicyCompiler compiler = new PolicyCompiler(UndeclaredPods.WAIT);

    @Test
    void explanationsAgreeWithTheDocumentationAndTheCompiler() {
        Map<Class<? extends Ruling>, Integer> seen = new HashMap<>();
        Seeds.forEach(JudgePropertyTest.class, CLUSTERS, random -> {
            RandomCluster cluster = new RandomCluster(random);
            ClusterSnapshot snapshot = cluster.snapshot();
            PolicyOracle oracle = new PolicyOracle(cluster.namespaces, cluster.policies, cluster.malformed);
            Tracer tracer = new Tracer(snapshot, compiler);
            Judge judge = new Judge(node -> compiler.compile(snapshot, node));
            Ends ends = new Ends(snapshot);
            List<End> all = new ArrayList<>(ends.all());
            // The oracle knows no pods that have ended.
            all.removeIf(
                    end -> pod(cluster, end).filter(RandomCluster::terminated).isPresent());
            List.of("2001:db8:1::7", "192.168.1.7", "192.168.2.7").forEach(ip -> all.add(ends.at(IpAddress.parse(ip))));
            List<Ends.Pair> pairs = Ends.pairs(all, all);
            for (int i = 0; i < PACKETS; i++) {
                Ends.Pair pair = pairs.get(random.nextInt(pairs.size()));
                Protocol protocol = PROTOCOLS.get(random.nextInt(3));
                int port = PORTS.get(random.nextInt(PORTS.size()));
                Explanation explained = judge.explain(pair.source(), pair.destination(), protocol, port);
                seen.merge(explained.egress().getClass(), 1, Integer::sum);
                seen.merge(explained.ingress().getClass(), 1, Integer::sum);
                Party from = party(cluster, pair.source());
                Party to = party(cluster, pair.destination());
                if (explained.ingress() instanceof Ruling.OwnNode) {
                    assertThat(cluster.pods)
                            .as("host-network pods of the node of %s", pair.destination())
                            .anyMatch(pod -> RandomCluster.onHostNetwork(pod)
                                    && RandomCluster.ips(pod).contains(from.ip())
                                    && pod.getSpec()
                                            .getNodeName()
                                            .equals(to.pod().getSpec().getNodeName()));
                    continue;
                }
                String what = "%s -> %s %s %d under %s".formatted(from, to, protocol, port, cluster.policies);
                boolean compiled = tracer.allowed(
                        pair.source().address(), pair.destination().address(), protocol, port);
                assertThat(explained.allowed()).as(what).isEqualTo(compiled);
                if (explained.egress() instanceof Ruling.WithinPod) {
                    assertThat(from).as(what).isEqualTo(to);
                } else {
                    check(what, oracle, explained.egress(), from, to, true, protocol, port);
                    check(what, oracle, explained.ingress(), from, to, false, protocol, port);
                }
            }
        });
        assertThat(seen.keySet())
                .as("kinds of rulings that came up")
                .contains(
                        Ruling.NotJudged.class,
                        Ruling.WithinPod.class,
                        Ruling.OwnNode.class,
                        Ruling.NotIsolated.class,
                        Ruling.Allowed.class,
                        Ruling.Isolated.class);
    }

    @Test
    void explanationsOfTiersAgreeWithTheDocumentation() {
        int[] byTier = new int[2];
        Seeds.forEach(TieredOracle.class, CLUSTERS, random -> {
            RandomCluster cluster = RandomCluster.withTiers(random);
            ClusterSnapshot snapshot = cluster.snapshot();
            TieredOracle oracle = TieredOracle.of(cluster);
            Judge judge = new Judge(node -> compiler.compile(snapshot, node));
            Ends ends = new Ends(snapshot);
            List<End> all = new ArrayList<>(ends.all());
            all.removeIf(
                    end -> pod(cluster, end).filter(RandomCluster::terminated).isPresent());
            List.of("2001:db8:9::1", "192.168.9.1", "192.168.2.7").forEach(ip -> all.add(ends.at(IpAddress.parse(ip))));
            List<Ends.Pair> pairs = Ends.pairs(all, all);
            for (int i = 0; i < PACKETS; i++) {
                Ends.Pair pair = pairs.get(random.nextInt(pairs.size()));
                Protocol protocol = PROTOCOLS.get(random.nextInt(3));
                int port = PORTS.get(random.nextInt(PORTS.size()));
                Explanation explained = judge.explain(pair.source(), pair.destination(), protocol, port);
                Party from = party(cluster, pair.source());
                Party to = party(cluster, pair.destination());
                String what = "%s -> %s %s %d under %s and %s"
                        .formatted(from, to, protocol, port, cluster.clusterPolicies, cluster.policies);
                if (explained.egress() instanceof Ruling.WithinPod) {
                    continue;
                }
                if (!(explained.egress() instanceof Ruling.NotJudged)) {
                    assertThat(explained.egress().passes())
                            .as("egress: %s", what)
                            .isEqualTo(oracle.egressAllows(from, to, protocol.name(), port));
                }
                if (!(explained.ingress() instanceof Ruling.NotJudged)
                        && !(explained.ingress() instanceof Ruling.OwnNode)) {
                    assertThat(explained.ingress().passes())
                            .as("ingress: %s", what)
                            .isEqualTo(oracle.ingressAllows(from, to, protocol.name(), port));
                }
                named(cluster, "egress", explained.egress(), byTier, what);
                named(cluster, "ingress", explained.ingress(), byTier, what);
            }
        });
        assertThat(Math.min(byTier[0], byTier[1]))
                .as("rules of tiers that deny and that accept")
                .isGreaterThan(CLUSTERS);
    }

    /** A rule of a tier that an explanation names does what it says; one that is compiled closed denies. */
    private static void named(RandomCluster cluster, String direction, Ruling ruling, int[] byTier, String what) {
        if (ruling
                instanceof
                Ruling.ByTier(var _, var _, int priority, boolean passes, var policy, int index, var _, var _)) {
            byTier[passes ? 1 : 0]++;
            Map<?, ?> spec = (Map<?, ?>) cluster.clusterPolicies.stream()
                    .filter(one -> one.getMetadata().getName().equals(policy))
                    .findFirst()
                    .orElseThrow()
                    .getAdditionalProperties()
                    .get("spec");
            Map<?, ?> rule = (Map<?, ?>) ((List<?>) spec.get(direction)).get(index);
            assertThat(spec.get("priority")).as("priority: %s", what).isEqualTo(priority);
            assertThat(String.valueOf(rule.get("action")))
                    .as("action of %s[%d] of %s: %s", direction, index, policy, what)
                    .isIn(passes ? List.of("Accept") : List.of("Deny", "Pass"));
        }
    }

    private static void check(
            String what,
            PolicyOracle oracle,
            Ruling ruling,
            Party from,
            Party to,
            boolean egress,
            Protocol protocol,
            int port) {
        PolicyOracle none = new PolicyOracle(oracle.namespaces(), List.of(), oracle.malformed());
        switch (ruling) {
            case Ruling.NotIsolated _ ->
                // No policy that allows nothing and selects the pod for that direction: emptied, all still allow.
                assertThat(allows(emptied(oracle), from, to, egress, protocol, port))
                        .as("not isolated: %s", what)
                        .isTrue();
            case Ruling.Allowed(var _, String policy, int index, var _) -> {
                NetworkPolicy named = named(oracle, policy);
                NetworkPolicy alone = only(named, egress, index);
                var just = new PolicyOracle(oracle.namespaces(), List.of(alone), oracle.malformed());
                assertThat(allows(emptied(just), from, to, egress, protocol, port))
                        .as("%s isolates: %s", policy, what)
                        .isFalse();
                assertThat(allows(just, from, to, egress, protocol, port))
                        .as("rule %d of %s allows: %s", index, policy, what)
                        .isTrue();
            }
            case Ruling.Isolated(var _, List<String> policies) -> {
                assertThat(allows(oracle, from, to, egress, protocol, port))
                        .as("denied: %s", what)
                        .isFalse();
                assertThat(policies)
                        .as("what isolates: %s", what)
                        .containsExactlyElementsOf(oracle.policies().stream()
                                .filter(policy -> !allows(
                                        emptied(new PolicyOracle(
                                                oracle.namespaces(), List.of(policy), oracle.malformed())),
                                        from,
                                        to,
                                        egress,
                                        protocol,
                                        port))
                                .map(JudgePropertyTest::key)
                                .sorted()
                                .toList());
            }
            case Ruling.NotJudged _ -> {
                Pod pod = egress ? from.pod() : to.pod();
                assertThat(pod == null || RandomCluster.onSilentNode(pod))
                        .as("no node judges: %s", what)
                        .isTrue();
            }
            case Ruling.WithinPod _, Ruling.OwnNode _, Ruling.NotCovered _, Ruling.ByTier _ ->
                throw new AssertionError(ruling + ": " + what);
        }
        assertThat(allows(none, from, to, egress, protocol, port))
                .as("without policies")
                .isTrue();
    }

    private static boolean allows(
            PolicyOracle oracle, Party from, Party to, boolean egress, Protocol protocol, int port) {
        return egress
                ? oracle.egressAllows(from, to, protocol.name(), port)
                : oracle.ingressAllows(from, to, protocol.name(), port);
    }

    /** The same policies for the same directions, without any rule. */
    private static PolicyOracle emptied(PolicyOracle oracle) {
        return new PolicyOracle(
                oracle.namespaces(),
                oracle.policies().stream()
                        .map(policy -> new NetworkPolicyBuilder(policy)
                                .editSpec()
                                .withPolicyTypes(types(policy))
                                .withIngress(List.of())
                                .withEgress(List.of())
                                .endSpec()
                                .build())
                        .toList(),
                oracle.malformed());
    }

    private static List<String> types(NetworkPolicy policy) {
        if (!policy.getSpec().getPolicyTypes().isEmpty()) {
            return policy.getSpec().getPolicyTypes();
        }
        return policy.getSpec().getEgress().isEmpty() ? List.of("Ingress") : List.of("Ingress", "Egress");
    }

    private static NetworkPolicy named(PolicyOracle oracle, String key) {
        return oracle.policies().stream()
                .filter(policy -> key(policy).equals(key))
                .findFirst()
                .orElseThrow();
    }

    private static String key(NetworkPolicy policy) {
        return policy.getMetadata().getNamespace() + "/" + policy.getMetadata().getName();
    }

    private static NetworkPolicy only(NetworkPolicy policy, boolean egress, int index) {
        NetworkPolicy alone = new NetworkPolicyBuilder(policy)
                .editSpec()
                .withPolicyTypes(types(policy))
                .endSpec()
                .build();
        if (egress) {
            alone.getSpec().setEgress(List.of(alone.getSpec().getEgress().get(index)));
        } else {
            alone.getSpec().setIngress(List.of(alone.getSpec().getIngress().get(index)));
        }
        return alone;
    }

    /** As the oracle sees it: a pod of the host's network is an address. */
    private static Party party(RandomCluster cluster, End end) {
        return new Party(end.address().toString(), pod(cluster, end).orElse(null));
    }

    private static Optional<Pod> pod(RandomCluster cluster, End end) {
        Optional<PodKey> key = switch (end.place()) {
            case Place.Attached(PodKey pod, var _, var _) -> Optional.of(pod);
            case Place.Silent(PodKey pod, var _) -> Optional.of(pod);
            case Place.HostNetwork _, Place.Outside _ -> Optional.empty();
        };
        return key.flatMap(k -> cluster.pods.stream()
                .filter(p -> p.getMetadata().getNamespace().equals(k.namespace())
                        && p.getMetadata().getName().equals(k.name()))
                .findFirst());
    }
}

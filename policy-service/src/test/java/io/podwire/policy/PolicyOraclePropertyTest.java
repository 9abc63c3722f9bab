package io.podwire.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.NodeAddress;
import io.fabric8.kubernetes.api.model.Pod;
import io.podwire.common.net.IpAddress;
import io.podwire.common.testing.Seeds;
import io.podwire.policy.PolicyOracle.Party;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.model.Protocol;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** The compiler's programs pass what the documentation says may pass. */
class PolicyOraclePropertyTest {
    private static final int CLUSTERS = 500;
    private static final int PACKETS = 40;

    @Test
    void programsAgreeWithTheDocumentation() {
        int[] passed = new int[2];
        Seeds.forEach(PolicyOraclePropertyTest.class, CLUSTERS, random -> {
            RandomCluster cluster = new RandomCluster(random);
            PolicyOracle oracle = new PolicyOracle(cluster.namespaces, cluster.policies, cluster.malformed);
            Tracer tracer = new Tracer(cluster.snapshot(), new PolicyCompiler(UndeclaredPods.WAIT));
            for (int i = 0; i < PACKETS; i++) {
                // A packet has one family, and a pod of the other one is no party of it.
                boolean six = random.nextBoolean();
                Party from = party(cluster, six, random);
                Party to = party(cluster, six, random);
                String protocol = List.of("TCP", "UDP", "SCTP").get(random.nextInt(3));
                int port = List.of(53, 79, 80, 8080, 9000).get(random.nextInt(5));
                boolean want = allows(oracle::egressAllows, oracle::ingressAllows, from, to, protocol, port);
                passed[want ? 1 : 0]++;
                assertThat(tracer.allowed(
                                IpAddress.parse(from.ip()), IpAddress.parse(to.ip()), Protocol.valueOf(protocol), port))
                        .as("%s -> %s %s %d under %s", from, to, protocol, port, cluster.policies)
                        .isEqualTo(want);
            }
        });
        assertThat(passed[0])
                .as("packets that are denied: enough to mean something")
                .isGreaterThan(CLUSTERS);
        assertThat(passed[1]).as("packets that are allowed").isGreaterThan(CLUSTERS);
    }

    @Test
    void programsWithTiersAgreeWithTheDocumentationAndNeverOpenWithoutThem() {
        int[] passed = new int[2];
        int[] passedWithoutTiers = new int[2];
        Seeds.forEach(TieredOracle.class, CLUSTERS, random -> {
            RandomCluster cluster = RandomCluster.withTiers(random);
            TieredOracle oracle = TieredOracle.of(cluster);
            Tracer tracer = new Tracer(cluster.snapshot(), new PolicyCompiler(UndeclaredPods.WAIT));
            Tracer older = new Tracer(cluster.snapshot(), new PolicyCompiler(UndeclaredPods.WAIT), false);
            for (int i = 0; i < PACKETS; i++) {
                boolean six = random.nextBoolean();
                Party from = party(cluster, six, random);
                Party to = party(cluster, six, random);
                String protocol = List.of("TCP", "UDP", "SCTP").get(random.nextInt(3));
                int port = List.of(53, 79, 80, 8080, 9000).get(random.nextInt(5));
                boolean want = allows(oracle::egressAllows, oracle::ingressAllows, from, to, protocol, port);
                passed[want ? 1 : 0]++;
                String what = "%s -> %s %s %d under %s and %s"
                        .formatted(from, to, protocol, port, cluster.clusterPolicies, cluster.policies);
                IpAddress source = IpAddress.parse(from.ip());
                IpAddress destination = IpAddress.parse(to.ip());
                assertThat(tracer.allowed(source, destination, Protocol.valueOf(protocol), port))
                        .as(what)
                        .isEqualTo(want);
                boolean withoutTiers = older.allowed(source, destination, Protocol.valueOf(protocol), port);
                passedWithoutTiers[withoutTiers ? 1 : 0]++;
                assertThat(withoutTiers && !want)
                        .as("a node that knows no tiers opens what they deny: %s", what)
                        .isFalse();
            }
        });
        assertThat(Math.min(passed[0], passed[1])).as("denied and allowed").isGreaterThan(CLUSTERS);
        assertThat(passedWithoutTiers[1])
                .as("allowed by a node that knows no tiers: enough to mean something")
                .isGreaterThan(CLUSTERS);
    }

    /** What an oracle says of one side. */
    private interface Side {
        boolean allows(Party from, Party to, String protocol, int port);
    }

    /** Both sides, each where its node enforces; a pod always reaches itself. */
    private static boolean allows(Side egress, Side ingress, Party from, Party to, String protocol, int port) {
        if (from.pod() != null && from.pod().equals(to.pod())) {
            return true;
        }
        boolean out =
                from.pod() == null || RandomCluster.onSilentNode(from.pod()) || egress.allows(from, to, protocol, port);
        boolean in =
                to.pod() == null || RandomCluster.onSilentNode(to.pod()) || ingress.allows(from, to, protocol, port);
        return out && in;
    }

    /** A living pod, or an address that policies see as no pod's: outside, or a host-network pod's. */
    private static Party party(RandomCluster cluster, boolean six, RandomGenerator random) {
        List<Party> parties = new ArrayList<>();
        (six ? List.of("2001:db8:1::7", "2001:db8:2::7") : List.of("192.168.1.7", "192.168.2.7"))
                .forEach(ip -> parties.add(new Party(ip, null)));
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
}

package io.podwire.e2e.bench;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.plan.AddressSetDelta;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EndpointPolicy;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.NodeProgramDelta;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What policies cost in the kernel: a packet's way past 10, 1,000 and 10,000 of them beside the same policies as chains of
 * iptables, and the writing of what changes.
 */
final class PacketBench {
    private static final int ROUNDS = Integer.getInteger("policy.packet.rounds", 100);
    /** Policies that select the measured pods, where most are others'. */
    private static final int FEW = 10;

    private static final List<Integer> SIZES = List.of(10, 1_000, 10_000);

    private final Map<String, PolicedNode> nodes = new LinkedHashMap<>();
    private final Map<String, Samples> samples = new TreeMap<>();

    private record Samples(List<Double> transactions, List<Double> gigabits) {
        double micros() {
            return median(transactions);
        }

        double gigabit() {
            return median(gigabits);
        }
    }

    void run() throws Exception {
        try {
            nodes.put("bare", PolicedNode.bare("bp-bare"));
            for (int size : SIZES) {
                add(size, FEW);
            }
            // All of them select the measured pods.
            add(100, 100);
            add(1_000, 1_000);
            measure();
            print();
            // The kernel and libnftables know 10,000 sets of one table slowly.
            deltas(1_000, 100);
            deltas(10_000, 20);
        } finally {
            for (PolicedNode node : nodes.values()) {
                node.close();
            }
        }
    }

    private static String name(String kind, int size, int measured) {
        return kind + "-" + size + "-" + measured;
    }

    private void add(int size, int measured) throws Exception {
        NodePolicies policies = new NodePolicies(size, measured);
        String id = size + "-" + measured;
        PolicedNode ours = PolicedNode.ours("bp-o" + id, policies.program(1, 0, NodePolicies.PORT));
        nodes.put(name("ours", size, measured), ours);
        PolicedNode rule = PolicedNode.iptables("bp-r" + id, policies.chainForEachRule());
        nodes.put(name("rule", size, measured), rule);
        nodes.put(name("pod", size, measured), PolicedNode.iptables("bp-p" + id, policies.chainForEachPod()));
        if (measured == FEW) {
            line("nft.all." + size + "-policies", ours.loadMillis(), rule.loadMillis(), "ms", "iptables-restore", 1);
        }
    }

    /** In turn, and each round begins with another. */
    private void measure() {
        List<String> order = new ArrayList<>(nodes.keySet());
        order.forEach(name -> samples.put(name, new Samples(new ArrayList<>(), new ArrayList<>())));
        for (int round = -5; round < ROUNDS; round++) {
            Collections.rotate(order, 1);
            for (String name : order) {
                double micros = nodes.get(name).requestAndAnswer();
                double gigabits = nodes.get(name).throughput();
                if (round >= 0) {
                    samples.get(name).transactions().add(micros);
                    samples.get(name).gigabits().add(gigabits);
                }
            }
        }
    }

    private void print() {
        for (int size : SIZES) {
            beside(size + "-policies", size, FEW);
        }
        beside("100-of-one-pod", 100, 100);
        beside("1000-of-one-pod", 1_000, 1_000);
        Samples bare = samples.get("bare");
        Samples few = samples.get(name("ours", 10, FEW));
        line("packet.rr.10-policies.of-none", few.micros(), bare.micros(), "us", "no-rules", ROUNDS);
        line("packet.throughput.10-policies.of-none", few.gigabit(), bare.gigabit(), "Gbit/s", "no-rules", ROUNDS);
        for (int size : SIZES.subList(1, SIZES.size())) {
            Samples many = samples.get(name("ours", size, FEW));
            line("packet.rr." + size + "-of-10", many.micros(), few.micros(), "us", "ours-at-10", ROUNDS);
            line("packet.throughput." + size + "-of-10", many.gigabit(), few.gigabit(), "Gbit/s", "ours-at-10", ROUNDS);
        }
    }

    private void beside(String figure, int size, int measured) {
        Samples ours = samples.get(name("ours", size, measured));
        Samples rule = samples.get(name("rule", size, measured));
        Samples pod = samples.get(name("pod", size, measured));
        String byRule = "iptables-chain-per-rule";
        String byPod = "iptables-as-kube-router";
        line("packet.rr." + figure, ours.micros(), rule.micros(), "us", byRule, ROUNDS);
        line("packet.rr." + figure + ".by-pod", ours.micros(), pod.micros(), "us", byPod, ROUNDS);
        line("packet.throughput." + figure, ours.gigabit(), rule.gigabit(), "Gbit/s", byRule, ROUNDS);
        line("packet.throughput." + figure + ".by-pod", ours.gigabit(), pod.gigabit(), "Gbit/s", byPod, ROUNDS);
    }

    /** One member of a set, and all rules of one pod, by node-shim's own way: plan, difference, transaction. */
    private void deltas(int size, int changes) {
        NodePolicies policies = new NodePolicies(size, FEW);
        PolicedNode node = nodes.get(name("ours", size, FEW));
        NodeProgram program = policies.program(2, 0, NodePolicies.PORT);
        node.rules().program(program).join();
        IpPrefix host = IpPrefix.ofHost(IpAddress.parse("10.99.200.1"));
        List<Double> members = new ArrayList<>();
        for (int i = 0; i < 2 * changes; i++) {
            boolean comes = i % 2 == 0;
            AddressSetDelta delta = new AddressSetDelta(
                    NodePolicies.HOSTS, "pods", comes ? Set.of(host) : Set.of(), comes ? Set.of() : Set.of(host));
            long revision = program.revision() + 1;
            long from = System.nanoTime();
            program = program.with(new NodeProgramDelta(
                    revision,
                    new TreeMap<>(),
                    Set.of(),
                    new TreeMap<>(Map.of(NodePolicies.HOSTS, delta)),
                    Set.of(),
                    new TreeMap<>(),
                    Set.of()));
            node.rules().program(program).join();
            members.add((System.nanoTime() - from) / 1e6);
        }
        print("nft.member." + size + "-policies", members.subList(changes, 2 * changes));
        List<Double> changed = new ArrayList<>();
        for (int i = 0; i < changes; i++) {
            NodeProgram next = policies.program(program.revision() + 1, 50, 8000 + i);
            NodeProgramDelta delta = new NodeProgramDelta(
                    next.revision(),
                    differing(program, next),
                    Set.of(),
                    new TreeMap<>(),
                    Set.of(),
                    new TreeMap<>(),
                    Set.of());
            long from = System.nanoTime();
            program = program.with(delta);
            node.rules().program(program).join();
            changed.add((System.nanoTime() - from) / 1e6);
        }
        print("nft.rules-of-a-pod." + size + "-policies", changed);
    }

    private static SortedMap<EndpointKey, EndpointPolicy> differing(NodeProgram before, NodeProgram now) {
        TreeMap<EndpointKey, EndpointPolicy> out = new TreeMap<>(now.endpoints());
        out.entrySet().removeAll(before.endpoints().entrySet());
        return out;
    }

    private static void print(String figure, List<Double> millis) {
        List<Double> sorted = millis.stream().sorted().toList();
        int p99 = (int) Math.ceil(0.99 * sorted.size()) - 1;
        System.out.printf(Locale.ROOT, "bench policy.%s.p50 ours=%.2fms%n", figure, median(millis));
        System.out.printf(Locale.ROOT, "bench policy.%s.p99 ours=%.2fms%n", figure, sorted.get(p99));
    }

    private static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        return sorted.get(sorted.size() / 2);
    }

    private static void line(String figure, double ours, double peer, String unit, String peerIs, int runs) {
        Figures.line("policy." + figure, ours, peer, unit, peerIs, runs, 0);
    }
}

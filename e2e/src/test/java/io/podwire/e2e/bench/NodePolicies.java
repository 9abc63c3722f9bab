package io.podwire.e2e.bench;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.plan.AddressSet;
import io.podwire.node.plan.DirectionPolicy;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EndpointPolicy;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.plan.LocalEndpoint;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.PodName;
import io.podwire.node.plan.PolicyRule;
import io.podwire.node.plan.PortRange;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * Policies of one node with 100 pods. Each lets one block of addresses in at one port, and out to. Two pods are measured:
 * so many policies select both, evenly spread among all, and the last of them is the one that lets the two talk. Each of
 * the others selects one of the other pods. So a list that is walked is walked to its end.
 *
 * @param policies how many
 * @param measured how many of them select the measured pods; divides {@code policies}
 */
record NodePolicies(int policies, int measured) {
    static final int PODS = 100;
    static final int PORT = 5001;
    /** The two that talk. */
    static final int TALKING = 2;

    /** Hosts of a cluster's pods, of a set that a rule of the first policy names. */
    static final String HOSTS = "hosts";

    private static final int HOST_COUNT = 500;

    static IpAddress address(int pod) {
        return IpAddress.parse("10.77.0." + (pod + 2));
    }

    static MacAddress mac(int pod) {
        return MacAddress.locallyAdministered(0x7700 + pod);
    }

    static String hostIfname(int pod) {
        return "pwbench" + pod;
    }

    private static EndpointKey key(int pod) {
        return new EndpointKey("bench-" + pod, "eth0");
    }

    static List<LocalEndpoint> endpoints() {
        return IntStream.range(0, PODS)
                .mapToObj(pod -> new LocalEndpoint(
                        key(pod),
                        new PodName("bench", "pod-" + pod),
                        "",
                        hostIfname(pod),
                        mac(pod),
                        PodAddresses.of(address(pod))))
                .toList();
    }

    private boolean selectsMeasured(int policy) {
        int apart = policies / measured;
        return policy % apart == apart - 1;
    }

    private List<Integer> selected(int policy) {
        return selectsMeasured(policy)
                ? IntStream.range(0, TALKING).boxed().toList()
                : List.of(TALKING + policy % (PODS - TALKING));
    }

    private String block(int policy) {
        return policy == policies - 1 ? "10.77.0.0/24" : "100." + (64 + policy / 256) + "." + policy % 256 + ".0/24";
    }

    /** What the node is to enforce, with another port in the policies of one pod. */
    NodeProgram program(long revision, int otherPod, int otherPort) {
        SortedMap<String, AddressSet> sets = new TreeMap<>();
        List<List<PolicyRule>> ingress = new ArrayList<>();
        List<List<PolicyRule>> egress = new ArrayList<>();
        List<List<String>> names = new ArrayList<>();
        for (int pod = 0; pod < PODS; pod++) {
            ingress.add(new ArrayList<>());
            egress.add(new ArrayList<>());
            names.add(new ArrayList<>());
        }
        List<IpPrefix> hosts = IntStream.range(0, HOST_COUNT)
                .mapToObj(host -> IpPrefix.ofHost(IpAddress.ofV4(0x0a630000 + host)))
                .toList();
        sets.put(HOSTS, new AddressSet(HOSTS, "pods", hosts));
        for (int policy = 0; policy < policies; policy++) {
            String name = "bench/policy-" + policy;
            String set = "block-" + policy;
            sets.put(set, new AddressSet(set, block(policy), List.of(IpPrefix.parse(block(policy)))));
            for (int pod : selected(policy)) {
                int port = pod == otherPod ? otherPort : PORT;
                List<String> peers = policy == 0 && pod >= TALKING ? List.of(set, HOSTS) : List.of(set);
                ingress.get(pod)
                        .add(new PolicyRule(
                                name, 0, false, peers, false, List.of(new PortRange(IpProtocol.TCP, port, port))));
                egress.get(pod).add(new PolicyRule(name, 0, false, peers, true, List.of()));
                names.get(pod).add(name);
            }
        }
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        for (int pod = 0; pod < PODS; pod++) {
            boolean isolated = !names.get(pod).isEmpty();
            endpoints.put(
                    key(pod),
                    new EndpointPolicy(
                            new DirectionPolicy(isolated, ingress.get(pod), names.get(pod)),
                            new DirectionPolicy(isolated, egress.get(pod), names.get(pod))));
        }
        return new NodeProgram(revision, endpoints, sets);
    }

    /**
     * The same for iptables-restore, as a plain plugin has it: a chain for each rule, and in FORWARD a jump to it for each
     * pod that it selects. Every packet is judged, as ours are; that the ports of answers are not looked at is in its
     * favour.
     */
    String chainForEachRule() {
        StringBuilder chains = new StringBuilder("*filter\n:FORWARD ACCEPT [0:0]\n");
        StringBuilder jumps = new StringBuilder();
        StringBuilder rules = new StringBuilder();
        for (int policy = 0; policy < policies; policy++) {
            String in = "IN-" + policy;
            String out = "OUT-" + policy;
            chains.append(':').append(in).append(" - [0:0]\n:").append(out).append(" - [0:0]\n");
            for (int pod : selected(policy)) {
                jumps.append("-A FORWARD -d ")
                        .append(address(pod))
                        .append("/32 -j ")
                        .append(in)
                        .append('\n');
                jumps.append("-A FORWARD -s ")
                        .append(address(pod))
                        .append("/32 -j ")
                        .append(out)
                        .append('\n');
            }
            rules.append("-A ").append(in).append(" -s ").append(block(policy)).append(" -p tcp -j ACCEPT\n");
            rules.append("-A ").append(out).append(" -d ").append(block(policy)).append(" -p tcp -j ACCEPT\n");
        }
        return chains.append(jumps)
                .append("-A FORWARD -j DROP\n")
                .append(rules)
                .append("COMMIT\n")
                .toString();
    }

    /**
     * The same as kube-router has it: a chain for each pod, to which FORWARD jumps by its address, and in it first that
     * established flows pass, then a jump to each policy's chain.
     */
    String chainForEachPod() {
        StringBuilder chains = new StringBuilder("*filter\n:FORWARD ACCEPT [0:0]\n");
        StringBuilder jumps = new StringBuilder();
        StringBuilder rules = new StringBuilder();
        for (int pod = 0; pod < PODS; pod++) {
            String chain = "POD-" + pod;
            chains.append(':').append(chain).append(" - [0:0]\n");
            // The measured ones last: a list of pods is walked to its end, too.
            String both = "-A FORWARD -d " + address(pod) + "/32 -j " + chain + "\n-A FORWARD -s " + address(pod)
                    + "/32 -j " + chain + "\n";
            if (pod < TALKING) {
                jumps.append(both);
            } else {
                jumps.insert(0, both);
            }
            rules.append("-A ").append(chain).append(" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n");
        }
        for (int policy = 0; policy < policies; policy++) {
            String chain = "POLICY-" + policy;
            chains.append(':').append(chain).append(" - [0:0]\n");
            for (int pod : selected(policy)) {
                rules.append("-A POD-").append(pod).append(" -j ").append(chain).append('\n');
            }
            rules.append("-A ")
                    .append(chain)
                    .append(" -s ")
                    .append(block(policy))
                    .append(" -p tcp --dport ");
            rules.append(PORT).append(" -j ACCEPT\n");
        }
        for (int pod = 0; pod < PODS; pod++) {
            rules.append("-A POD-").append(pod).append(" -j DROP\n");
        }
        return chains.append(jumps).append(rules).append("COMMIT\n").toString();
    }
}

package io.podwire.node.plan;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.ffm.TestNetns;
import io.podwire.node.netlink.NftRules;
import io.podwire.node.netlink.NftTables;
import io.podwire.node.nft.backend.KernelNft;
import io.podwire.node.witness.KernelWitness;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A node in a namespace with pods in theirs, wired as bridge mode wires them, and one machine
 * elsewhere. Everything ends with {@link #close}: the agents with their stdin, the namespaces with them.
 */
final class PodLab implements AutoCloseable {
    /** The node; it answers pods by its gateway address, and by IPv6, where that has a scope, by another. */
    static final Host NODE = new Host(PacketTracer.Side.NODE, "169.254.1.1", "fd00:9::1");

    static final Host ELSEWHERE = new Host(PacketTracer.Side.ELSEWHERE, "192.168.9.2", "fd00:9::2");
    static final String BRIDGE_MAC = "02:00:00:00:fe:fe";

    private static final ObjectMapper JSON = new ObjectMapper();

    private final TestNetns node = new TestNetns();
    private final Map<Host, Agent> agents = new LinkedHashMap<>();
    private final KernelNft nft;
    private final NftRules rules;
    private final NftTables tables;
    private final Set<IpFamily> families;

    /** Someone who can be called. */
    record Host(PacketTracer.Side side, String v4, String v6) {
        static Host of(LocalEndpoint pod) {
            return new Host(PacketTracer.Side.POD, text(pod, IpFamily.V4), text(pod, IpFamily.V6));
        }

        private static String text(LocalEndpoint pod, IpFamily family) {
            return pod.addresses().of(family).map(IpAddress::toString).orElse("none");
        }

        String address(IpFamily family) {
            return switch (family) {
                case V4 -> v4;
                case V6 -> v6;
            };
        }
    }

    /** Someone in a namespace. */
    record Agent(Process process, BufferedWriter requests, BufferedReader replies) {
        void ask(Map<String, ?> request) throws IOException {
            requests.write(JSON.writeValueAsString(request));
            requests.newLine();
            requests.flush();
        }

        JsonNode reply() throws IOException {
            String line = replies.readLine();
            if (line == null) {
                throw new IOException("the agent is gone");
            }
            return JSON.readTree(line);
        }

        JsonNode tell(Map<String, ?> request) throws IOException {
            ask(request);
            return reply();
        }
    }

    /** Pods 1 to {@code pods} of {@link RandomInputs#endpoint(int, Set)}. */
    PodLab(int pods, Set<IpFamily> families) throws Exception {
        this.families = families;
        nft = node.call(KernelNft::open);
        rules = node.call(NftRules::open);
        tables = node.call(NftTables::open);
        node.sh("""
                ip link set lo up
                echo 1 > /proc/sys/net/ipv4/ip_forward
                echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
                # Else one ICMP error a second to each address, and tests ask for several.
                echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
                echo 0 > /proc/sys/net/ipv6/icmp/ratelimit
                echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables
                echo 0 > /proc/sys/net/bridge/bridge-nf-call-ip6tables
                for i in all default; do echo 0 > /proc/sys/net/ipv4/conf/$i/send_redirects; done
                ip link add pw0 address %s type bridge
                ip link set pw0 addrgenmode none
                ip addr add %s/32 dev pw0
                ip addr add fe80::1/128 dev pw0 nodad
                ip link set pw0 up
                """.formatted(BRIDGE_MAC, NODE.v4()));
        agents.put(NODE, start("python3"));
        for (int i = 1; i <= pods; i++) {
            addPod(RandomInputs.endpoint(i, families));
        }
        Agent elsewhere = start("unshare", "--net", "python3");
        agents.put(ELSEWHERE, elsewhere);
        node.sh("""
                while [ "$(readlink /proc/%1$d/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
                ip link add eth0 type veth peer name eth0 netns %1$d
                ip addr add 192.168.9.1/24 dev eth0
                ip addr add %3$s/64 dev eth0 nodad
                ip link set eth0 up
                nsenter -t %1$d -n sh -ec '
                  echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
                  echo 0 > /proc/sys/net/ipv6/icmp/ratelimit
                  ip link set lo up; ip link set eth0 up; ip addr add %2$s/24 dev eth0
                  ip addr add %4$s/64 dev eth0 nodad
                  ip route add default via 192.168.9.1
                  ip route add default via %3$s'
                """.formatted(elsewhere.process().pid(), ELSEWHERE.v4(), NODE.v6(), ELSEWHERE.v6()));
        for (Agent agent : agents.values()) {
            agent.reply(); // "ready"
        }
    }

    private void addPod(LocalEndpoint endpoint) throws Exception {
        Agent pod = start("unshare", "--net", "python3");
        agents.put(Host.of(endpoint), pod);
        node.sh("""
                while [ "$(readlink /proc/%1$d/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
                ip link add %2$s type veth peer name eth0 address %3$s netns %1$d
                ip link set %2$s master pw0 up
                bridge link set dev %2$s isolated on learning off flood off mcast_flood off
                bridge fdb replace %3$s dev %2$s master static
                # No frame of the pod's kernel itself: what tests count, they sent.
                nsenter -t %1$d -n sh -ec '
                  echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
                  echo 0 > /proc/sys/net/ipv6/icmp/ratelimit
                  echo %4$d > /proc/sys/net/ipv6/conf/all/disable_ipv6
                  ip link set eth0 addrgenmode none
                  ip link set lo up; ip link set eth0 up'
                """.formatted(
                pod.process().pid(), endpoint.hostIfname(), endpoint.mac(), families.contains(IpFamily.V6) ? 0 : 1));
        for (IpAddress address : endpoint.addresses().list()) {
            node.sh("""
                    nsenter -t %1$d -n sh -ec '
                      ip addr add %4$s/%5$d dev eth0 %7$s
                      ip neigh replace %6$s lladdr %8$s dev eth0 nud permanent
                      ip route add default via %6$s dev eth0 onlink'
                    ip route add %4$s/%5$d dev pw0
                    ip neigh replace %4$s lladdr %3$s dev pw0 nud permanent
                    """.formatted(
                            pod.process().pid(),
                            endpoint.hostIfname(),
                            endpoint.mac(),
                            address,
                            address.family().bits(),
                            address.family() == IpFamily.V4 ? NODE.v4() : "fe80::1",
                            address.family() == IpFamily.V4 ? "" : "nodad",
                            BRIDGE_MAC));
        }
    }

    private Agent start(String... command) throws Exception {
        String script =
                Path.of(PodLab.class.getResource("/netns/agent.py").toURI()).toString();
        String[] all = Arrays.copyOf(command, command.length + 1);
        all[command.length] = script;
        Process process = node.start(new ProcessBuilder(all).redirectError(ProcessBuilder.Redirect.INHERIT));
        return new Agent(
                process, process.outputWriter(StandardCharsets.UTF_8), process.inputReader(StandardCharsets.UTF_8));
    }

    /** The node's nftables. */
    KernelNft nft() {
        return nft;
    }

    /** Says what the node's kernel has for these endpoints. */
    KernelWitness witness(List<LocalEndpoint> endpoints) {
        return new KernelWitness(
                rules,
                tables,
                () -> endpoints,
                address -> Set.of(NODE.v4(), NODE.v6()).contains(address.toString()),
                "pw0",
                () -> 1);
    }

    /** Everyone. */
    Map<Host, Agent> agents() {
        return agents;
    }

    /** Runs a script on the node. */
    String sh(String script) throws Exception {
        return node.sh(script);
    }

    @Override
    public void close() {
        for (Agent agent : agents.values()) {
            agent.process().destroy();
            agent.process().onExit().join();
        }
        nft.close();
        rules.close();
        tables.close();
        node.close();
    }
}

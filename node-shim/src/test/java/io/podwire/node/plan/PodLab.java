package io.podwire.node.plan;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.podwire.node.ffm.TestNetns;
import io.podwire.node.nft.backend.KernelNft;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/**
 * A node in a namespace with pods in theirs, wired as bridge mode wires them, and one machine
 * elsewhere. Everything ends with {@link #close}: the agents with their stdin, the namespaces with them.
 */
final class PodLab implements AutoCloseable {
    static final String NODE = "169.254.1.1";
    static final String ELSEWHERE = "192.168.9.2";
    static final String BRIDGE_MAC = "02:00:00:00:fe:fe";

    private static final ObjectMapper JSON = new ObjectMapper();

    private final TestNetns node = new TestNetns();
    private final Map<String, Agent> agents = new TreeMap<>();
    private final KernelNft nft;

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

    PodLab(int pods) throws Exception {
        nft = node.call(KernelNft::open);
        node.sh("""
                ip link set lo up
                echo 1 > /proc/sys/net/ipv4/ip_forward
                echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables
                for i in all default; do echo 0 > /proc/sys/net/ipv4/conf/$i/send_redirects; done
                ip link add pw0 address %s type bridge
                ip addr add %s/32 dev pw0
                ip link set pw0 up
                """.formatted(BRIDGE_MAC, NODE));
        agents.put(NODE, start("python3"));
        for (int i = 1; i <= pods; i++) {
            addPod(RandomInputs.endpoint(i));
        }
        Agent elsewhere = start("unshare", "--net", "python3");
        agents.put(ELSEWHERE, elsewhere);
        node.sh("""
                ip link add eth0 type veth peer name eth0 netns %1$d
                ip addr add 192.168.9.1/24 dev eth0
                ip link set eth0 up
                nsenter -t %1$d -n sh -ec '
                  ip link set lo up; ip link set eth0 up; ip addr add %2$s/24 dev eth0
                  ip route add default via 192.168.9.1'
                """.formatted(elsewhere.process().pid(), ELSEWHERE));
        for (Agent agent : agents.values()) {
            agent.reply(); // "ready"
        }
    }

    private void addPod(LocalEndpoint endpoint) throws Exception {
        Agent pod = start("unshare", "--net", "python3");
        agents.put(endpoint.addresses().first().toString(), pod);
        node.sh("""
                while [ "$(readlink /proc/%1$d/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
                ip link add %2$s type veth peer name eth0 address %3$s netns %1$d
                ip link set %2$s master pw0 up
                bridge link set dev %2$s isolated on learning off flood off mcast_flood off
                bridge fdb replace %3$s dev %2$s master static
                # No frame of the pod's kernel itself: what tests count, they sent.
                nsenter -t %1$d -n sh -ec '
                  echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
                  ip link set lo up; ip link set eth0 up; ip addr add %4$s/32 dev eth0
                  ip route add 169.254.1.1 dev eth0 scope link; ip route add default via 169.254.1.1 dev eth0
                  ip neigh replace 169.254.1.1 lladdr %5$s dev eth0 nud permanent'
                ip route add %4$s/32 dev pw0
                ip neigh replace %4$s lladdr %3$s dev pw0 nud permanent
                """.formatted(
                        pod.process().pid(),
                        endpoint.hostIfname(),
                        endpoint.mac(),
                        endpoint.addresses().first(),
                        BRIDGE_MAC));
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

    /** Everyone by address, the node itself as its gateway address. */
    Map<String, Agent> agents() {
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
        node.close();
    }
}

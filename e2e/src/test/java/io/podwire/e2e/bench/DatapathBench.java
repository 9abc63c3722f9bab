package io.podwire.e2e.bench;

import io.podwire.e2e.datapath.TwoSubnets;
import io.podwire.e2e.mesh.Daemon;
import io.podwire.e2e.mesh.Shell;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Throughput and round trips of one TCP connection from pod to pod: on one node beside two containers on a plain Linux
 * bridge, and between nodes of one subnet and of two beside nodes of the same network that were set up by hand with a plain
 * bridge, routes and a plain VXLAN device. What is compared is measured in turns, and has the same MTU. The machines' links
 * work as network cards do; VXLAN is measured once more where they do not join what they receive. Between nodes then
 * once more beside the same by hand with connection tracking and translation of addresses switched on, as kube-proxy and
 * whoever looks at a connection's state has them. {@code -Ddatapath.only=vxlan} measures one of same-node, direct, vxlan,
 * vxlan-no-gro.
 */
final class DatapathBench {
    private static final int PORT = 5201;
    private static final int ROUNDS = Integer.getInteger("datapath.rounds", 11);
    private static final String ONLY = System.getProperty("datapath.only", "");
    private static final int SEND_MILLIS = 700;
    private static final int ECHOES = 3000;
    private static final int MTU = 1450;

    private final Path home = Path.of(System.getenv("PODWIRE_HOME"));
    private final Path flow;
    private final List<Daemon> servers = new ArrayList<>();
    private final List<String> namespaces = new ArrayList<>();

    /** One end to another: from a namespace to an address. */
    private record Way(String from, String to) {}

    /**
     * A bench.
     *
     * @param source of the program that sends
     * @param folder for what it is compiled to
     */
    DatapathBench(Path source, Path folder) throws IOException, InterruptedException {
        flow = folder.toAbsolutePath().resolve("flow");
        Process gcc = new ProcessBuilder("gcc", "-O2", "-pthread", "-o", flow.toString(), source.toString())
                .inheritIO()
                .start();
        if (gcc.waitFor() != 0) {
            throw new IOException("gcc cannot compile " + source);
        }
    }

    void run() throws IOException {
        try (TwoSubnets net = new TwoSubnets(home)) {
            net.start();
            var _ = net.node(1).pod("b-client");
            TwoSubnets.PodAt near = net.node(1).pod("b-near");
            TwoSubnets.PodAt direct = net.node(2).pod("b-direct");
            TwoSubnets.PodAt far = net.node(3).pod("b-far");
            for (TwoSubnets.PodAt pod : List.of(near, direct, far)) {
                serve(pod.pod().name());
            }
            byHand();
            Way vxlan = new Way("b-client", far.four());
            Way plainVxlan = new Way("h1-pod", "10.62.3.2");
            compare("vxlan-no-gro", vxlan, plainVxlan, "plain-vxlan");
            for (String machine : List.of("d-node1", "d-node2", "d-node3", "h1", "h2", "h3")) {
                TwoSubnets.likeANetworkCard(machine);
            }
            compare("same-node", new Way("b-client", near.four()), new Way("h1-pod", "10.62.1.3"), "plain-bridge");
            compare("direct", new Way("b-client", direct.four()), new Way("h1-pod", "10.62.2.2"), "bridge-and-routes");
            compare("vxlan", vxlan, plainVxlan, "plain-vxlan");
            track();
            compare(
                    "direct",
                    new Way("b-client", direct.four()),
                    new Way("h1-pod", "10.62.2.2"),
                    "routes-and-conntrack");
            compare("vxlan", vxlan, plainVxlan, "vxlan-and-conntrack");
        } finally {
            servers.forEach(Daemon::close);
            namespaces.forEach(name -> {
                var _ = Shell.attempt("ip", "netns", "delete", name);
            });
        }
    }

    /** Three nodes of the same network, without Podwire. */
    private void byHand() {
        String[] addresses = {"198.18.0.21", "198.18.0.22", "198.18.1.23"};
        for (int i = 1; i <= 3; i++) {
            String node = "h" + i;
            namespaces.add(node);
            Shell.output("ip", "netns", "add", node);
            TwoSubnets.machine(
                    node, i < 3 ? "bra" : "brb", addresses[i - 1], "2001:db8:" + (i < 3 ? "a" : "b") + "::2" + i);
            Shell.output("nsenter", "--net=/run/netns/" + node, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward");
            TwoSubnets.ip(node, "link add br0 type bridge");
            TwoSubnets.ip(node, "addr add 10.62." + i + ".1/24 dev br0");
            TwoSubnets.ip(node, "link set br0 mtu " + MTU + " up");
            container(node, "h" + i + "-pod", i, 2);
        }
        container("h1", "h1-near", 1, 3);
        TwoSubnets.ip("h1", "route add 10.62.2.0/24 via " + addresses[1]);
        TwoSubnets.ip("h2", "route add 10.62.1.0/24 via " + addresses[0]);
        for (int i : new int[] {1, 3}) {
            String node = "h" + i;
            TwoSubnets.ip(
                    node,
                    "link add vx0 type vxlan id 99 dev eth0 local " + addresses[i - 1] + " remote " + addresses[3 - i]
                            + " dstport 4790 nolearning");
            TwoSubnets.ip(node, "addr add 10.63.0." + i + "/24 dev vx0");
            TwoSubnets.ip(node, "link set vx0 up");
            TwoSubnets.ip(node, "route add 10.62." + (4 - i) + ".0/24 via 10.63.0." + (4 - i));
        }
        for (String server : List.of("h1-near", "h2-pod", "h3-pod")) {
            serve(server);
        }
    }

    /** Without a rule that could match: what is measured is that the kernel follows connections. */
    private static void track() {
        String rules = """
                table inet tracked {
                  chain forward { type filter hook forward priority filter; ct state invalid drop; }
                  chain prerouting { type nat hook prerouting priority dstnat; }
                  chain postrouting { type nat hook postrouting priority srcnat; }
                }
                """;
        for (String node : List.of("h1", "h2", "h3")) {
            Shell.output("nsenter", "--net=/run/netns/" + node, "nft", rules);
        }
    }

    private void container(String node, String name, int subnet, int number) {
        namespaces.add(name);
        Shell.output("ip", "netns", "add", name);
        TwoSubnets.ip(
                node, "link add " + name + " mtu " + MTU + " type veth peer name eth0 mtu " + MTU + " netns " + name);
        TwoSubnets.ip(node, "link set " + name + " master br0 up");
        TwoSubnets.ip(name, "addr add 10.62." + subnet + "." + number + "/24 dev eth0");
        TwoSubnets.ip(name, "link set eth0 up");
        TwoSubnets.ip(name, "route add default via 10.62." + subnet + ".1");
    }

    private void serve(String netns) {
        Daemon server = new Daemon(
                "flow",
                flow.resolveSibling("flow.log"),
                List.of("nsenter", "--net=/run/netns/" + netns, "--"),
                List.of(flow.toString(), "serve", Integer.toString(PORT)));
        server.start(List.of());
        servers.add(server);
    }

    private void compare(String name, Way ours, Way peer, String peerIs) {
        if (!ONLY.isEmpty() && !ONLY.equals(name)) {
            return;
        }
        Figures throughput = new Figures();
        Figures median = new Figures();
        Figures tail = new Figures();
        for (int round = 0; round <= ROUNDS; round++) {
            boolean oursFirst = round % 2 == 0;
            Way first = oursFirst ? ours : peer;
            Way second = oursFirst ? peer : ours;
            double[] sentFirst = measure("send", first, SEND_MILLIS);
            double[] sentSecond = measure("send", second, SEND_MILLIS);
            double[] echoFirst = measure("echo", first, ECHOES);
            double[] echoSecond = measure("echo", second, ECHOES);
            if (round == 0) { // routes, neighbours and caches
                continue;
            }
            throughput.add((oursFirst ? sentFirst : sentSecond)[0], (oursFirst ? sentSecond : sentFirst)[0]);
            median.add((oursFirst ? echoFirst : echoSecond)[0], (oursFirst ? echoSecond : echoFirst)[0]);
            tail.add((oursFirst ? echoFirst : echoSecond)[1], (oursFirst ? echoSecond : echoFirst)[1]);
        }
        throughput.print("datapath." + name + ".throughput", 50, "MB/s", peerIs, 0);
        median.print("datapath." + name + ".round-trip.p50", 50, "us", peerIs, 0);
        tail.print("datapath." + name + ".round-trip.p99", 50, "us", peerIs, 0);
    }

    private double[] measure(String what, Way way, int amount) {
        String[] said = Shell.output(
                        "nsenter",
                        "--net=/run/netns/" + way.from(),
                        flow.toString(),
                        what,
                        way.to(),
                        Integer.toString(PORT),
                        Integer.toString(amount))
                .strip()
                .split(" ", -1);
        double[] numbers = new double[said.length];
        for (int i = 0; i < said.length; i++) {
            numbers[i] = Double.parseDouble(said[i]);
        }
        return numbers;
    }
}

package io.podwire.e2e.datapath;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.podwire.cli.lab.Await;
import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Daemon;
import io.podwire.e2e.mesh.NodeApi;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.node.v1.NodeStatus;
import io.podwire.proto.node.v1.Upstream;
import io.podwire.proto.route.v1.ListRoutesRequest;
import io.podwire.proto.route.v1.RouteEntry;
import io.podwire.proto.route.v1.RoutesGrpc;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Two subnets of both families behind a router, with the control services and the nodes 1 and 2 on the first one and node
 * 3 on the second, and a machine outside that the router knows and that knows no pod. Everything is in namespaces of its
 * own.
 */
public final class TwoSubnets implements AutoCloseable {
    /** The machine outside. */
    static final String OUTSIDE = "198.51.100.9";

    static final String OUTSIDE_6 = "2001:db8:c::9";
    /** The same machine, where it is to see pods' own addresses. */
    static final String PARTNER = "203.0.113.9";

    static final String POOL = "10.60.0.0/16";
    static final String POOL_6 = "fd00:60::/64";

    private static final String ROUTER = "d-router";
    private static final String CONTROL = "d-control";
    private static final String OUT = "d-out";
    private static final String LAB = "d-lab";
    private static final String CONTROL_ADDRESS = "198.18.0.10";
    private static final Duration READY = Duration.ofSeconds(90);

    private final Path home;
    private final Path folder = Files.createDirectories(Path.of("/run/podwire-datapath"));
    private final List<Node> nodes = new ArrayList<>();
    private final Daemon ipam;
    private final List<Daemon> reflectors;

    /**
     * Makes the network and starts the control services.
     *
     * @param home the distribution: bin, lib, libexec
     */
    public TwoSubnets(Path home) throws IOException {
        this.home = home.toAbsolutePath().normalize();
        Shell.ipBatch(List.of("netns add " + ROUTER, "netns add " + CONTROL, "netns add " + OUT));
        for (String line : List.of(
                "link set lo up",
                "link add bra type bridge",
                "link add brb type bridge",
                "addr add 198.18.0.1/24 dev bra",
                "addr add 198.18.1.1/24 dev brb",
                "addr add 2001:db8:a::1/64 dev bra nodad",
                "addr add 2001:db8:b::1/64 dev brb nodad",
                "link set bra up",
                "link set brb up",
                "link add out type veth peer name eth0 netns " + OUT,
                "addr add 198.51.100.1/24 dev out",
                "addr add 2001:db8:c::1/64 dev out nodad",
                "link set out up",
                "route add " + PARTNER + "/32 via " + OUTSIDE)) {
            ip(ROUTER, line);
        }
        bridgesPassPackets(ROUTER);
        sysctl(ROUTER, "net/ipv4/ip_forward", "1");
        sysctl(ROUTER, "net/ipv6/conf/all/forwarding", "1");
        for (String line : List.of(
                "link set lo up",
                "addr add " + OUTSIDE + "/24 dev eth0",
                "addr add " + OUTSIDE_6 + "/64 dev eth0 nodad",
                "addr add " + PARTNER + "/32 dev lo",
                "link set eth0 up",
                "route add default via 198.51.100.1",
                "-6 route add default via 2001:db8:c::1")) {
            ip(OUT, line);
        }
        machine(CONTROL, "bra", CONTROL_ADDRESS, "2001:db8:a::10");
        // The tests' own place.
        Shell.ipBatch(List.of(
                "link add " + LAB + " type veth peer name lab netns " + ROUTER,
                "addr add 198.18.0.2/24 dev " + LAB,
                "link set " + LAB + " up"));
        ip(ROUTER, "link set lab master bra up");
        ipam = control(
                "ipam-service",
                7471,
                "--store",
                "mvstore",
                "--mvstore-file",
                folder.resolve("ipam.mv").toString(),
                "--pool",
                "four=" + POOL + "/26",
                "--pool",
                "six=" + POOL_6 + "/122");
        reflectors = List.of(control("route-reflector", 7473), control("route-reflector", 7474));
        ipam.start(List.of());
        reflectors.forEach(reflector -> reflector.start(List.of()));
        nodes.add(new Node(1, "bra", "198.18.0.11", "2001:db8:a::11"));
        nodes.add(new Node(2, "bra", "198.18.0.12", "2001:db8:a::12"));
        nodes.add(new Node(3, "brb", "198.18.1.13", "2001:db8:b::13"));
    }

    private Daemon control(String name, int port, String... options) {
        List<String> command = new ArrayList<>(List.of(
                home.resolve("bin").resolve(name).toString(),
                "--listen",
                CONTROL_ADDRESS + ":" + port,
                "--http-listen",
                "127.0.0.1:" + (port + 1000)));
        command.addAll(List.of(options));
        return new Daemon(
                name, folder.resolve(name + "-" + port + ".log"), List.of("ip", "netns", "exec", CONTROL), command);
    }

    /**
     * Connects a namespace with the network.
     *
     * @param bridge of the router: bra for the first subnet, brb for the second
     * @param address of that subnet
     * @param address6 likewise
     */
    public static void machine(String name, String bridge, String address, String address6) {
        boolean first = bridge.equals("bra");
        bridgesPassPackets(name);
        ip(ROUTER, "link add " + name + " type veth peer name eth0 netns " + name);
        ip(ROUTER, "link set " + name + " master " + bridge + " up");
        ip(name, "link set lo up");
        ip(name, "addr add " + address + "/24 dev eth0");
        ip(name, "addr add " + address6 + "/64 dev eth0 nodad");
        ip(name, "link set eth0 up");
        ip(name, "route add default via " + (first ? "198.18.0.1" : "198.18.1.1"));
        ip(name, "-6 route add default via " + (first ? "2001:db8:a::1" : "2001:db8:b::1"));
    }

    /**
     * Has a machine's link to the network work as a network card: it receives packets of the length that the network
     * takes, one by one, and joins those of a stream to one (GRO) before its kernel sees them. By itself a veth's end
     * neither cuts nor joins.
     */
    public static void likeANetworkCard(String machine) {
        offload(ROUTER, machine, "tso", "off", "tx-udp_tnl-segmentation", "off", "tx-udp_tnl-csum-segmentation", "off");
        offload(machine, "eth0", "gro", "on");
    }

    private static void offload(String netns, String device, String... features) {
        List<String> command =
                new ArrayList<>(List.of("nsenter", "--net=/run/netns/" + netns, "ethtool", "-K", device));
        command.addAll(List.of(features));
        Shell.output(command.toArray(String[]::new));
    }

    /** Runs one command of iproute2 in a namespace. */
    public static String ip(String netns, String line) {
        return Shell.output(("ip -n " + netns + " " + line).split(" "));
    }

    /** Where br_netfilter is loaded, bridges of a new namespace show frames to the hooks of routed packets. */
    private static void bridgesPassPackets(String netns) {
        Shell.output(
                "nsenter",
                "--net=/run/netns/" + netns,
                "sh",
                "-c",
                "for f in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do [ ! -e $f ] || echo 0 >$f; done");
    }

    private static void sysctl(String netns, String key, String value) {
        Shell.output("nsenter", "--net=/run/netns/" + netns, "sh", "-c", "echo " + value + " >/proc/sys/" + key);
    }

    /** A node, 1 to 3. */
    public Node node(int number) {
        return nodes.get(number - 1);
    }

    /** The reflectors' processes. */
    Daemon reflector(int number) {
        return reflectors.get(number - 1);
    }

    /** Starts every node-shim, ending the one that runs, and waits until each is ready and has reached all services. */
    public void start(String... options) {
        nodes.forEach(node -> {
            node.shim.stop();
            node.shim.start(List.of(options));
        });
        nodes.forEach(Node::awaitReady);
    }

    /** The network's routers learn, or forget, which node has which blocks, as BGP would tell them. */
    void routersKnowBlocks(boolean know) {
        String verb = know ? "add " : "del ";
        for (Node node : nodes) {
            for (String block : blocksOf(node.name)) {
                boolean six = block.contains(":");
                ip(
                        ROUTER,
                        (six ? "-6 " : "") + "route " + verb + block + " via " + (six ? node.address6 : node.address));
            }
        }
    }

    private List<String> blocksOf(String node) {
        return call(
                7471,
                channel -> BlocksGrpc.newBlockingStub(channel)
                        .withDeadlineAfter(10, TimeUnit.SECONDS)
                        .listBlocks(ListBlocksRequest.newBuilder().setNode(node).build())
                        .getBlocksList()
                        .stream()
                        .map(Block::getCidr)
                        .toList());
    }

    /** What a reflector has been told. */
    List<RouteEntry> routesOf(int reflector) {
        return call(
                7472 + reflector,
                channel -> RoutesGrpc.newBlockingStub(channel)
                        .withDeadlineAfter(10, TimeUnit.SECONDS)
                        .listRoutes(ListRoutesRequest.getDefaultInstance())
                        .getRoutesList());
    }

    /** Calls a control service. */
    private static <T> T call(int port, Function<ManagedChannel, T> call) {
        ManagedChannel channel = Grpc.newChannelBuilder(
                        CONTROL_ADDRESS + ":" + port, InsecureChannelCredentials.create())
                .build();
        try {
            return call.apply(channel);
        } finally {
            channel.shutdownNow();
        }
    }

    /** Counts packets that the machine outside receives, by their sources. */
    void countOutside(String destination, String... sources) {
        StringBuilder rules = new StringBuilder("table inet seen { chain in { type filter hook input priority 0;\n");
        for (String source : sources) {
            rules.append((source.contains(":") ? "ip6" : "ip") + " saddr " + source + " "
                    + (destination.contains(":") ? "ip6" : "ip") + " daddr " + destination + " counter\n");
        }
        Shell.output(
                "nsenter",
                "--net=/run/netns/" + OUT,
                "nft",
                "add table inet seen; delete table inet seen; " + rules + "}\n}");
    }

    /** Of each of these sources, whether a packet has come. */
    String seenOutside() {
        return Shell.output("nsenter", "--net=/run/netns/" + OUT, "nft", "list", "table", "inet", "seen");
    }

    /** How many packets to an address the router has forwarded since this was asked first. */
    static long routed(String destination) {
        String family = destination.contains(":") ? "ip6" : "ip";
        String listed = Shell.attempt("nsenter", "--net=/run/netns/" + ROUTER, "nft", "list", "table", "inet", "seen")
                .stdout();
        if (!listed.contains(destination)) {
            Shell.output(
                    "nsenter",
                    "--net=/run/netns/" + ROUTER,
                    "nft",
                    "add table inet seen; add chain inet seen pass { type filter hook prerouting priority 0; }; add rule"
                            + " inet seen pass " + family + " daddr " + destination + " counter");
            return 0;
        }
        String after = listed.substring(listed.indexOf("daddr " + destination + " counter packets ")
                + ("daddr " + destination + " counter packets ").length());
        return Long.parseLong(after.substring(0, after.indexOf(' ')));
    }

    @Override
    public void close() {
        nodes.forEach(Node::close);
        reflectors.forEach(Daemon::close);
        ipam.close();
        var _ = Shell.attempt("ip", "link", "delete", LAB);
        for (String name : List.of(CONTROL, OUT, ROUTER)) {
            var _ = Shell.attempt("ip", "netns", "delete", name);
        }
        try (var files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder())
                    .forEach(file -> file.toFile().delete());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A node with a pod. */
    public final class Node implements AutoCloseable {
        private final String name;
        private final String address;
        private final String address6;
        private final Daemon shim;
        private final NodeApi api;
        private final CniRuntime runtime;
        private final List<TestPod> pods = new ArrayList<>();

        Node(int number, String bridge, String address, String address6) throws IOException {
            this.name = "d-node" + number;
            this.address = address;
            this.address6 = address6;
            Shell.ipBatch(List.of("netns add " + name));
            machine(name, bridge, address, address6);
            Path own = Files.createDirectories(folder.resolve(name));
            Path socket = own.resolve("shim/cni.sock");
            Path spool = own.resolve("state/spool");
            shim = new Daemon(
                    name,
                    own.resolve("log"),
                    List.of("nsenter", "--net=/run/netns/" + name, "--"),
                    List.of(
                            home.resolve("bin/node-shim").toString(),
                            "--node-name",
                            name,
                            "--listen",
                            "unix:" + socket,
                            "--http-listen",
                            "127.0.0.1:7480",
                            "--state-dir",
                            own.resolve("state").toString(),
                            "--spool-dir",
                            spool.toString(),
                            "--ipam-service",
                            CONTROL_ADDRESS + ":7471",
                            "--route-reflector",
                            CONTROL_ADDRESS + ":7473," + CONTROL_ADDRESS + ":7474",
                            "--ip-families",
                            "ipv4,ipv6",
                            "--cool-down",
                            "PT0S"));
            api = new NodeApi(socket);
            runtime = new CniRuntime(
                    CniNetwork.parse(
                            "{\"cniVersion\":\"1.0.0\",\"name\":\"podwire\",\"plugins\":[{\"type\":\"podwire\","
                                    + "\"socket\":\"" + socket + "\",\"spool\":\"" + spool + "\",\"capabilities\":"
                                    + "{\"io.kubernetes.cri.pod-annotations\":true}}]}"),
                    home.resolve("libexec"),
                    List.of("nsenter", "--net=/run/netns/" + name, "--"));
        }

        /** node-shim's process. */
        Daemon shim() {
            return shim;
        }

        private void awaitReady() {
            boolean ready = Await.eventually(READY, () -> {
                shim.assertAlive();
                return api.status().filter(TwoSubnets::settled).isPresent();
            });
            if (!ready) {
                throw new IllegalStateException(name + " is not ready: " + api.status() + "\n" + shim.logTail());
            }
        }

        /** Attaches a pod. */
        public PodAt pod(String pod) {
            return pod(TestPod.make(pod), TestPod::eth0);
        }

        PodAt pod(TestPod pod, Function<TestPod, CniAttachment> attachment) {
            pods.add(pod);
            CniRuntime.Outcome added = runtime.add(attachment.apply(pod));
            if (!added.ok()) {
                throw new IllegalStateException("ADD on " + name + ": " + added.text() + "\n" + shim.logTail());
            }
            List<String> addresses = new ArrayList<>();
            added.json()
                    .path("ips")
                    .forEach(each -> addresses.add(each.path("address").asText().replaceAll("/.*", "")));
            return new PodAt(pod, addresses.get(0), addresses.size() > 1 ? addresses.get(1) : "");
        }

        /** Packets that have left by its VXLAN device; -1 where it has none. */
        long tunnelled() {
            Shell.Ended said = Shell.attempt("nsenter", "--net=/run/netns/" + name, "cat", "/proc/net/dev");
            return said.stdout()
                    .lines()
                    .map(String::strip)
                    .filter(line -> line.startsWith("pwvx:"))
                    .mapToLong(line -> Long.parseLong(line.substring(5).strip().split(" +", -1)[9]))
                    .findFirst()
                    .orElse(-1);
        }

        /** Packets that have taken the fast path, by its metrics page. */
        long shortCuts() {
            return Shell.output(
                            "nsenter",
                            "--net=/run/netns/" + name,
                            "busybox",
                            "wget",
                            "-qO-",
                            "http://127.0.0.1:7480/metrics")
                    .lines()
                    .filter(line -> line.startsWith("podwire_fastpath_packets_total "))
                    .mapToLong(line -> (long) Double.parseDouble(line.substring(line.indexOf(' ') + 1)))
                    .sum();
        }

        /** Routes of Podwire to other nodes. */
        String routes() {
            return ip(name, "route show proto 112") + ip(name, "-6 route show proto 112");
        }

        /** Gives it another IPv4 address on its subnet in place of the one it has. */
        void move(String from, String to) {
            ip(name, "addr del " + from + "/24 dev eth0");
            ip(name, "addr add " + to + "/24 dev eth0");
            ip(name, "route replace default via 198.18.0.1");
        }

        @Override
        public void close() {
            api.close();
            shim.close();
            pods.forEach(TestPod::close);
            var _ = Shell.attempt("ip", "netns", "delete", name);
        }
    }

    private static boolean settled(NodeStatus status) {
        return status.getReady() && status.getUpstreamsList().stream().allMatch(Upstream::getConnected);
    }

    /**
     * A pod.
     *
     * @param four its IPv4 address
     * @param six its IPv6 address
     */
    public record PodAt(TestPod pod, String four, String six) {
        /** One packet of so many bytes in all that nobody may cut into pieces; what ping says of it. */
        Shell.Ended ping(String to, int bytes) {
            int headers = to.contains(":") ? 48 : 28;
            return Shell.attempt(
                    "nsenter",
                    "--net=" + pod.netns(),
                    "ping",
                    "-n",
                    "-c1",
                    "-W1",
                    "-M",
                    "do",
                    "-s",
                    Integer.toString(bytes - headers),
                    to);
        }

        /** MTU of its eth0 in bytes. */
        int mtu() {
            String said = Shell.output("nsenter", "--net=" + pod.netns(), "ip", "-o", "link", "show", "eth0");
            return Integer.parseInt(said.replaceAll("(?s).* mtu (\\d+) .*", "$1"));
        }
    }
}

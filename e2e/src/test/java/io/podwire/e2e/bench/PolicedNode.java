package io.podwire.e2e.bench;

import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpFamily;
import io.podwire.e2e.mesh.Shell;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.dataplane.RulesetReconciler;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.nft.backend.KernelNft;
import io.podwire.node.plan.Masquerade;
import io.podwire.node.plan.NodeProgram;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;

/**
 * A network namespace wired as a node, with two pods on its bridge and a connection between them. One thread has both
 * ends of it: what it writes has passed the node when the write returns, so a transaction is the kernel's work for a
 * packet there and one back, and nobody has to be woken. Unlike with netperf's TCP_RR, of which waking is most.
 */
final class PolicedNode implements AutoCloseable {
    private static final String GATEWAY = "169.254.1.1";
    private static final int CHUNK = 64 << 10;

    private final String name;
    private final Optional<EventLoop> loop;
    private final Optional<KernelNft> nft;
    private final Optional<RulesetReconciler> rules;
    private final long loadNanos;
    private final SocketChannel client;
    private final SocketChannel server;
    private final ByteBuffer one = ByteBuffer.allocateDirect(1);
    private final ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);

    private PolicedNode(
            String name,
            Optional<EventLoop> loop,
            Optional<KernelNft> nft,
            Optional<RulesetReconciler> rules,
            boolean judged,
            long loadNanos)
            throws Exception {
        this.name = name;
        this.loop = loop;
        this.nft = nft;
        this.rules = rules;
        this.loadNanos = loadNanos;
        try (ServerSocketChannel listener = listener()) {
            client = inPod(0, () -> SocketChannel.open(StandardProtocolFamily.INET));
            client.setOption(StandardSocketOptions.SO_RCVBUF, 4 * CHUNK);
            client.setOption(StandardSocketOptions.SO_SNDBUF, 4 * CHUNK);
            client.setOption(StandardSocketOptions.TCP_NODELAY, true);
            client.socket().connect(at(1), 5_000);
            server = listener.accept();
            server.setOption(StandardSocketOptions.TCP_NODELAY, true);
        }
        boolean pings = Shell.attempt(
                                "ip",
                                "netns",
                                "exec",
                                name + "-0",
                                "ping",
                                "-c1",
                                "-W0.3",
                                NodePolicies.address(1).toString())
                        .exitCode()
                == 0;
        if (pings == judged) {
            throw new IllegalStateException(name + (judged ? " lets pass what no policy allows" : " is not wired"));
        }
    }

    private ServerSocketChannel listener() throws Exception {
        ServerSocketChannel listener = inPod(1, () -> ServerSocketChannel.open(StandardProtocolFamily.INET));
        listener.setOption(StandardSocketOptions.SO_RCVBUF, 4 * CHUNK);
        listener.bind(at(1));
        return listener;
    }

    /** One without any rules. */
    static PolicedNode bare(String name) throws Exception {
        wire(name);
        return new PolicedNode(name, Optional.empty(), Optional.empty(), Optional.empty(), false, 0);
    }

    /** One with rules of iptables (iptables-nft, as Debian has it). */
    static PolicedNode iptables(String name, String rules) throws Exception {
        wire(name);
        long from = System.nanoTime();
        Shell.Ended end = Shell.run(
                List.of("ip", "netns", "exec", name, "iptables-nft-restore"),
                System.getenv(),
                rules.getBytes(StandardCharsets.US_ASCII));
        if (end.exitCode() != 0) {
            throw new IllegalStateException("iptables-nft-restore: " + end.stderr());
        }
        long took = System.nanoTime() - from;
        return new PolicedNode(name, Optional.empty(), Optional.empty(), Optional.empty(), true, took);
    }

    /** One that enforces a program, written by what node-shim writes it with. */
    static PolicedNode ours(String name, NodeProgram program) throws Exception {
        wire(name);
        KernelNft nft = nft(name);
        EventLoop loop = new EventLoop("rules-" + name);
        RulesetReconciler rules = new RulesetReconciler(nft, loop, EnumSet.of(IpFamily.V4), 4789, Masquerade.NONE);
        long from = System.nanoTime();
        rules.start(NodePolicies.endpoints(), Optional.of(program));
        long took = System.nanoTime() - from;
        return new PolicedNode(name, Optional.of(loop), Optional.of(nft), Optional.of(rules), true, took);
    }

    /** The kernel's nf_tables of a namespace. */
    static KernelNft nft(String netns) throws Exception {
        try (Netns ns = Netns.open(Path.of("/run/netns/" + netns))) {
            return NetnsThread.call(ns, KernelNft::open);
        }
    }

    private static void wire(String name) throws IOException {
        String mac = PodNames.BRIDGE_MAC.toString();
        Shell.ipBatch(List.of("netns add " + name, "netns add " + name + "-0", "netns add " + name + "-1"));
        ip(name, """
                link set lo up
                link add pw0 address %s type bridge mcast_snooping 0
                link set pw0 up
                addr add %s/32 dev pw0
                """.formatted(mac, GATEWAY));
        StringBuilder fdb = new StringBuilder();
        for (int pod = 0; pod < NodePolicies.TALKING; pod++) {
            ip(name, """
                    link add %1$s type veth peer name eth0 netns %2$s
                    link set %1$s master pw0
                    link set %1$s type bridge_slave isolated on learning off flood off mcast_flood off
                    link set %1$s up
                    route add %3$s dev pw0
                    neigh add %3$s lladdr %4$s dev pw0 nud permanent
                    """.formatted(
                    NodePolicies.hostIfname(pod), name + "-" + pod, NodePolicies.address(pod), NodePolicies.mac(pod)));
            ip(name + "-" + pod, """
                    link set lo up
                    link set eth0 address %1$s
                    link set eth0 up
                    addr add %2$s/32 dev eth0
                    route add %3$s dev eth0 scope link
                    route add default via %3$s
                    neigh add %3$s lladdr %4$s dev eth0 nud permanent
                    """.formatted(NodePolicies.mac(pod), NodePolicies.address(pod), GATEWAY, mac));
            fdb.append("fdb replace ").append(NodePolicies.mac(pod)).append(" dev ");
            fdb.append(NodePolicies.hostIfname(pod)).append(" master static\n");
        }
        batch("bridge", name, fdb.toString());
        for (Map.Entry<String, String> setting : Map.of(
                        "net/ipv4/ip_forward", "1",
                        "net/ipv4/conf/all/send_redirects", "0",
                        "net/ipv4/conf/pw0/send_redirects", "0",
                        "net/bridge/bridge-nf-call-iptables", "0")
                .entrySet()) {
            Shell.output(
                    "ip",
                    "netns",
                    "exec",
                    name,
                    "sh",
                    "-c",
                    "f=/proc/sys/" + setting.getKey() + "; [ ! -e $f ] || echo " + setting.getValue() + " >$f");
        }
    }

    private static void ip(String netns, String lines) throws IOException {
        batch("ip", netns, lines);
    }

    private static void batch(String program, String netns, String lines) throws IOException {
        Path file = Files.createTempFile("bench", ".batch");
        try {
            Files.writeString(file, lines);
            Shell.output(program, "-n", netns, "-batch", file.toString());
        } finally {
            Files.delete(file);
        }
    }

    private <T> T inPod(int pod, Callable<T> body) throws Exception {
        try (Netns ns = Netns.open(Path.of("/run/netns/" + name + "-" + pod))) {
            return NetnsThread.call(ns, body);
        }
    }

    private static InetSocketAddress at(int pod) throws IOException {
        return new InetSocketAddress(
                InetAddress.getByAddress(NodePolicies.address(pod).bytes()), NodePolicies.PORT);
    }

    /** How long its rules took to be written. */
    double loadMillis() {
        return loadNanos / 1e6;
    }

    RulesetReconciler rules() {
        return rules.orElseThrow();
    }

    /** Microseconds of one request and its answer, of one byte each. */
    double requestAndAnswer() {
        return nanosOfOne(15_000_000, 20, () -> {
                    pass(client, server, one);
                    pass(server, client, one);
                })
                / 1e3;
    }

    /** Gigabits a second, in writes of 64 KiB. */
    double throughput() {
        return 8.0 * CHUNK / nanosOfOne(5_000_000, 5, () -> pass(client, server, chunk));
    }

    /** Something that goes over the wire. */
    @FunctionalInterface
    private interface Exchange {
        void make() throws IOException;
    }

    /** The mean of as many as fit in a time, in batches between looks at the clock. */
    private static double nanosOfOne(long most, int batch, Exchange exchange) {
        try {
            long from = System.nanoTime();
            long took = 0;
            int times = 0;
            while (took < most) {
                for (int i = 0; i < batch; i++) {
                    exchange.make();
                }
                times += batch;
                took = System.nanoTime() - from;
            }
            return (double) took / times;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void pass(SocketChannel from, SocketChannel to, ByteBuffer bytes) throws IOException {
        bytes.clear();
        while (bytes.hasRemaining()) {
            int _ = from.write(bytes);
        }
        bytes.clear();
        while (bytes.hasRemaining()) {
            if (to.read(bytes) < 0) {
                throw new IOException("the connection ended");
            }
        }
    }

    @Override
    public void close() throws IOException {
        client.close();
        server.close();
        loop.ifPresent(EventLoop::close);
        nft.ifPresent(KernelNft::close);
        for (String netns : List.of(name, name + "-0", name + "-1")) {
            Shell.output("ip", "netns", "delete", netns);
        }
    }
}

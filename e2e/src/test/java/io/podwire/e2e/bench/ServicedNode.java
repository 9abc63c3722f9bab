package io.podwire.e2e.bench;

import io.podwire.common.net.IpAddress;
import io.podwire.e2e.mesh.Shell;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * A network namespace that stands for a node, with a client and a server in namespaces beside it. The server answers at
 * every address that an endpoint may have, so there can be as many as one likes. A client's connection is there when
 * connect(2) returns, and is reset at once: a new one again is a decision of the node's rules again.
 */
final class ServicedNode implements AutoCloseable {
    private static final String CLIENT = "10.200.0.2";
    private static final int WARM_UP = 500;

    private final String name;
    private final ServerSocketChannel server;

    /**
     * What clients saw.
     *
     * @param perSecond connections a second, one after the other
     * @param p50Micros of one: its first packet there and the answer back, and the socket's own work
     * @param p99Micros of one
     */
    record Connections(double perSecond, double p50Micros, double p99Micros) {}

    /** Makes the namespaces NAME, NAME-c and NAME-s. */
    ServicedNode(String name) throws Exception {
        this.name = name;
        Shell.ipBatch(List.of("netns add " + name, "netns add " + name + "-c", "netns add " + name + "-s"));
        ip(name, """
                link set lo up
                link add c type veth peer name eth0 netns %1$s-c
                link add s type veth peer name eth0 netns %1$s-s
                addr add 10.200.0.1/24 dev c
                addr add 10.201.0.1/24 dev s
                link set c up
                link set s up
                """.formatted(name));
        ip(name + "-c", """
                link set lo up
                addr add %s/24 dev eth0
                link set eth0 up
                route add default via 10.200.0.1
                """.formatted(CLIENT));
        ip(name + "-s", """
                link set lo up
                addr add 10.201.0.2/24 dev eth0
                link set eth0 up
                route add default via 10.201.0.1
                route add local %s dev lo
                """.formatted(BenchServices.ENDPOINTS));
        ip(name, "route add " + BenchServices.ENDPOINTS + " via 10.201.0.2\n");
        sysctl(name, "net/ipv4/ip_forward", "1");
        // A connection that was reset is remembered for ten seconds: a fast run would fill the table.
        sysctl(name, "net/netfilter/nf_conntrack_tcp_timeout_close", "1");
        sysctl(name + "-c", "net/ipv4/ip_local_port_range", "1024 65535");
        sysctl(name + "-s", "net/core/somaxconn", "65535");
        try (Netns ns = Netns.open(Path.of("/run/netns/" + name + "-s"))) {
            server = NetnsThread.call(
                    ns,
                    () -> ServerSocketChannel.open(StandardProtocolFamily.INET)
                            .bind(new InetSocketAddress(BenchServices.TARGET), 65_535));
        }
        Thread.ofPlatform().daemon().name("accept-" + name).start(this::accept);
    }

    /** Its namespace's name. */
    String name() {
        return name;
    }

    private void accept() {
        try {
            while (true) {
                server.accept().close();
            }
        } catch (IOException _) {
            // It was closed.
        }
    }

    private static void ip(String netns, String lines) throws IOException {
        Path file = Files.createTempFile("bench", ".batch");
        try {
            Files.writeString(file, lines);
            var _ = Shell.output("ip", "-n", netns, "-batch", file.toString());
        } finally {
            Files.delete(file);
        }
    }

    private static void sysctl(String netns, String key, String value) {
        var _ = Shell.output("ip", "netns", "exec", netns, "sh", "-c", "echo '" + value + "' >/proc/sys/" + key);
    }

    /** Connects for a time to these services in turn. */
    Connections connect(long millis, List<IpAddress> services) throws IOException {
        InetSocketAddress[] targets = new InetSocketAddress[services.size()];
        for (int i = 0; i < targets.length; i++) {
            targets[i] = new InetSocketAddress(
                    InetAddress.getByAddress(services.get(i).bytes()), BenchServices.PORT);
        }
        try (Netns ns = Netns.open(Path.of("/run/netns/" + name + "-c"))) {
            return NetnsThread.call(ns, () -> {
                for (int i = 0; i < WARM_UP; i++) {
                    long _ = connect(targets[i % targets.length]);
                }
                long[] nanos = new long[1 << 16];
                int count = 0;
                long from = System.nanoTime();
                long until = from + millis * 1_000_000;
                long now = from;
                while (now < until) {
                    if (count == nanos.length) {
                        nanos = Arrays.copyOf(nanos, 2 * count);
                    }
                    nanos[count] = connect(targets[count % targets.length]);
                    count++;
                    now = System.nanoTime();
                }
                long[] sorted = Arrays.copyOf(nanos, count);
                Arrays.sort(sorted);
                return new Connections(
                        count * 1e9 / (now - from), sorted[count / 2] / 1e3, sorted[(int) (count * 0.99)] / 1e3);
            });
        } catch (IOException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** One connection; ns of connect(2). */
    private static long connect(InetSocketAddress to) throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.INET)) {
            // Closing it resets it: no TIME_WAIT, which would use up the ports.
            channel.setOption(StandardSocketOptions.SO_LINGER, 0);
            long from = System.nanoTime();
            channel.connect(to);
            return System.nanoTime() - from;
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        for (String netns : List.of(name, name + "-c", name + "-s")) {
            var _ = Shell.output("ip", "netns", "delete", netns);
        }
    }
}

package io.podwire.e2e.bgp;

import static org.awaitility.Awaitility.await;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import io.podwire.e2e.mesh.Daemon;
import io.podwire.e2e.mesh.Shell;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.route.v1.Announcement;
import io.podwire.proto.route.v1.BgpGrpc;
import io.podwire.proto.route.v1.BgpPeer;
import io.podwire.proto.route.v1.ListBgpPeersRequest;
import io.podwire.proto.route.v1.NodeRoute;
import io.podwire.proto.route.v1.RouteUpdate;
import io.podwire.proto.route.v1.RoutesGrpc;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A network with a route reflector, and places for routers of others: each has a namespace on one bridge. */
final class BgpNet implements AutoCloseable {
    /** Where the reflector is. */
    static final String ADDRESS = "198.51.100.1";

    static final String ADDRESS6 = "2001:db8:64::1";
    static final int PORT = 1790;
    private static final String BRIDGE = "routers";
    private static final String GRPC = "127.0.0.1:17473";

    private final Path home = Path.of(System.getProperty("podwire.home", "../cli/target/podwire"))
            .toAbsolutePath()
            .normalize();
    private final Path folder = Path.of("/run/podwire-bgp");
    private final Daemon reflector;
    private final List<String> namespaces = new ArrayList<>();
    private final ManagedChannel channel;

    /** Starts a reflector with these peers, as its file has them. */
    BgpNet(String peers) throws IOException {
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("key"), "correct-horse\n");
        Files.writeString(
                folder.resolve("peers.yaml"),
                peers.replace("$KEY", folder.resolve("key").toString()));
        Shell.ipBatch(List.of(
                "link add name " + BRIDGE + " type bridge",
                "addr add " + ADDRESS + "/24 dev " + BRIDGE,
                "addr add " + ADDRESS6 + "/64 dev " + BRIDGE + " nodad",
                "link set " + BRIDGE + " up"));
        reflector = new Daemon(
                "route-reflector",
                folder.resolve("route-reflector.log"),
                List.of(),
                List.of(
                        home.resolve("bin/route-reflector").toString(),
                        "--listen=" + GRPC,
                        "--http-listen=127.0.0.1:17483",
                        "--bgp-asn=64512",
                        "--bgp-router-id=" + ADDRESS,
                        "--bgp-listen=[::]:" + PORT,
                        "--bgp-peers-file=" + folder.resolve("peers.yaml")));
        reflector.start(List.of());
        channel = Grpc.newChannelBuilder(GRPC, InsecureChannelCredentials.create())
                .build();
    }

    Daemon reflector() {
        return reflector;
    }

    Path folder() {
        return folder;
    }

    static String address(int number) {
        return "198.51.100." + number;
    }

    static String address6(int number) {
        return "2001:db8:64::" + number;
    }

    /** Makes a namespace whose eth0 has the addresses of that number. */
    void namespace(String name, int number) {
        Shell.ipBatch(List.of(
                "netns add " + name,
                "link add r-" + name + " type veth peer name eth0 netns " + name,
                "link set r-" + name + " master " + BRIDGE + " up"));
        Shell.output("ip", "-n", name, "link", "set", "lo", "up");
        Shell.output("ip", "-n", name, "link", "set", "eth0", "up");
        Shell.output("ip", "-n", name, "addr", "add", address(number) + "/24", "dev", "eth0");
        Shell.output("ip", "-n", name, "addr", "add", address6(number) + "/64", "dev", "eth0", "nodad");
        namespaces.add(name);
    }

    /** What the reflector says of a peer. */
    BgpPeer peer(String name) {
        return BgpGrpc.newBlockingStub(channel)
                .withDeadlineAfter(5, TimeUnit.SECONDS)
                .listBgpPeers(ListBgpPeersRequest.getDefaultInstance())
                .getPeersList()
                .stream()
                .filter(peer -> peer.getName().equals(name))
                .findFirst()
                .orElseThrow();
    }

    void awaitEstablished(String... peers) {
        for (String name : peers) {
            await("session of " + name)
                    .atMost(Duration.ofSeconds(60))
                    .failFast(reflector::assertAlive)
                    .ignoreExceptions()
                    .until(() -> peer(name).getState().equals("Established"));
        }
    }

    /** A node that announces prefixes until the stream given back ends. */
    StreamObserver<Announcement> node(String name, int number, String... prefixes) {
        StreamObserver<Announcement> stream = RoutesGrpc.newStub(channel)
                .withWaitForReady()
                .exchange(new StreamObserver<>() {
                    @Override
                    public void onNext(RouteUpdate update) {}

                    @Override
                    public void onError(Throwable failure) {}

                    @Override
                    public void onCompleted() {}
                });
        stream.onNext(announcement(name, number, prefixes));
        return stream;
    }

    static Announcement announcement(String name, int number, String... prefixes) {
        return Announcement.newBuilder()
                .setHandshake(Handshake.newBuilder().setProtocol(1).setRelease("test"))
                .setNode(NodeEpoch.newBuilder()
                        .setNode(name)
                        .setNodeUid("uid-" + name)
                        .setBootId("boot")
                        .setCounter(1))
                .setRoute(NodeRoute.newBuilder()
                        .setNode(name)
                        .setUnderlayAddress(address(number))
                        .setUnderlayLength(24)
                        .setUnderlayAddressIpv6(address6(number))
                        .setUnderlayLengthIpv6(64)
                        .addAllPrefixes(List.of(prefixes)))
                .build();
    }

    /** What {@code podwire} prints. */
    String podwire(String... words) {
        List<String> command =
                new ArrayList<>(List.of(home.resolve("bin/podwire").toString()));
        command.addAll(List.of(words));
        command.addAll(List.of("--server", GRPC));
        return Shell.output(command.toArray(String[]::new));
    }

    @Override
    public void close() {
        channel.shutdownNow();
        reflector.close();
        namespaces.forEach(name -> {
            var _ = Shell.attempt("ip", "link", "delete", "r-" + name);
            var _ = Shell.attempt("ip", "netns", "delete", name);
        });
        var _ = Shell.attempt("ip", "link", "delete", BRIDGE);
        try (var files = Files.walk(folder)) {
            files.sorted(java.util.Comparator.reverseOrder())
                    .forEach(file -> file.toFile().delete());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

package io.podwire.e2e.mesh;

import static org.awaitility.Awaitility.await;

import com.google.protobuf.FieldMask;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.podwire.proto.common.v1.IpFamily;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.AddressOwner;
import io.podwire.proto.ipam.v1.AddressWish;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.AllocateAddressesRequest;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.CreatePoolRequest;
import io.podwire.proto.ipam.v1.GetAddressRequest;
import io.podwire.proto.ipam.v1.GetPoolRequest;
import io.podwire.proto.ipam.v1.ListAddressesRequest;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.ipam.v1.Pool;
import io.podwire.proto.ipam.v1.PoolState;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import io.podwire.proto.ipam.v1.UnreserveAddressesRequest;
import io.podwire.proto.ipam.v1.UpdatePoolRequest;
import io.podwire.proto.ipam.v1.Workload;
import io.podwire.proto.policy.v1.AnswersGrpc;
import io.podwire.proto.policy.v1.GetProgramRequest;
import io.podwire.proto.policy.v1.GetRolloutRequest;
import io.podwire.proto.policy.v1.Program;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import io.podwire.proto.policy.v1.Rollout;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * The three control services as processes of the distribution, and an underlay for nodes: a bridge in
 * the tests' own network namespace. Made once for all test classes by {@link SharedMesh}.
 */
public final class Mesh implements AutoCloseable {
    /** The underlay. */
    public static final String BRIDGE = "underlay";

    /** Address of the control services, and the nodes' gateway: in the network of RFC 5737. */
    public static final String ADDRESS = "192.0.2.1";

    static final String IPAM = ADDRESS + ":7471";
    public static final String POLICY = ADDRESS + ":7472";
    /** Where route-reflector serves. */
    public static final String ROUTE = ADDRESS + ":7473";

    /** Where route-reflector waits for {@link #ROUTER} to speak BGP; another port than where other tests' reflectors do. */
    public static final int BGP_PORT = 1791;

    /** A router that a test may put on the underlay. */
    public static final String ROUTER = "192.0.2.200";

    /** Its AS; the reflector's is 64512. */
    public static final long ROUTER_ASN = 64513;

    /** Where addresses of Services lie that it is told of, besides pools for load balancers. */
    public static final String SERVICES = "203.0.113.0/24,2001:db8:113::/64";

    /** A pool of two blocks of eight addresses. */
    public static final String TINY_POOL = "tiny";

    /** Another such pool: a node that is taken away keeps its blocks, so one of these is used up by one test. */
    public static final String FEW_POOL = "few";

    private static final Duration READY = Duration.ofSeconds(90);
    private static final int SOON_SECONDS = 10;

    private final Path home;
    private final Path folder = Path.of("/run/podwire-e2e");
    private final Path manifests = folder.resolve("manifests");
    private final Path pools = folder.resolve("pools");
    private final Daemon ipam;
    private final Daemon policy;

    /** With the port of its readiness URL. */
    private final Map<Daemon, Integer> daemons;

    private final List<MeshNode> nodes = new ArrayList<>();

    Mesh() throws IOException {
        home = distribution();
        Files.createDirectories(manifests);
        Files.createDirectories(pools);
        Shell.ipBatch(List.of(
                "link add " + BRIDGE + " type bridge",
                "addr add " + ADDRESS + "/24 dev " + BRIDGE,
                "link set " + BRIDGE + " up"));
        ipam = service(
                "ipam-service",
                IPAM,
                7481,
                "--store",
                "mvstore",
                "--mvstore-file",
                folder.resolve("ipam.mv").toString(),
                "--audit-period",
                "PT30S",
                "--pool",
                "default=10.244.0.0/16/26",
                "--pool",
                TINY_POOL + "=10.245.0.0/28/29",
                "--pool",
                FEW_POOL + "=10.245.0.16/28/29",
                "--pool-dir",
                pools.toString());
        policy = service("policy-service", POLICY, 7482, "--manifests", manifests.toString());
        Daemon route = reflector(
                folder.resolve("route-reflector.log"),
                ROUTE,
                7483,
                IPAM,
                "--bgp-asn=64512",
                "--bgp-router-id=" + ADDRESS,
                "--bgp-listen=" + ADDRESS + ":" + BGP_PORT,
                "--bgp-services=pools," + SERVICES,
                "--bgp-peer=name=router,address=" + ROUTER + ",asn=" + ROUTER_ASN + ",passive=true,addPaths=8");
        daemons = Map.of(ipam, 7481, policy, 7482, route, 7483);
        daemons.keySet().forEach(daemon -> daemon.start(List.of()));
        daemons.forEach(Mesh::awaitReady);
    }

    /** A route-reflector that is not running yet, for nodes that have their blocks of this ipam-service. */
    public Daemon reflector(Path log, String listen, int httpPort, String ipamService, String... further) {
        List<String> command = new ArrayList<>(List.of(
                home.resolve("bin/route-reflector").toString(),
                "--listen=" + listen,
                "--http-listen=127.0.0.1:" + httpPort,
                "--ipam-service=" + ipamService,
                "--ownership-interval=1s"));
        command.addAll(List.of(further));
        return new Daemon("route-reflector", log, List.of(), command);
    }

    /** What {@code podwire bgp} prints of route-reflector. */
    public String bgp(String... words) {
        List<String> command =
                new ArrayList<>(List.of(home.resolve("bin/podwire").toString(), "bgp"));
        command.addAll(List.of(words));
        command.addAll(List.of("--server", ROUTE));
        return Shell.output(command.toArray(String[]::new));
    }

    private Daemon service(String name, String listen, int httpPort, String... options) {
        List<String> command = new ArrayList<>(List.of(
                home.resolve("bin").resolve(name).toString(),
                "--listen",
                listen,
                "--http-listen",
                "127.0.0.1:" + httpPort));
        command.addAll(List.of(options));
        return new Daemon(name, folder.resolve(name + ".log"), List.of(), command);
    }

    private static void awaitReady(Daemon daemon, int httpPort) {
        URI readyz = URI.create("http://127.0.0.1:" + httpPort + "/readyz");
        await(readyz + " answers 200")
                .atMost(READY)
                .pollInterval(Duration.ofMillis(20))
                .failFast(daemon::assertAlive)
                .until(() -> answersOk(readyz));
    }

    private static boolean answersOk(URI url) {
        try {
            HttpURLConnection connection = (HttpURLConnection) url.toURL().openConnection(java.net.Proxy.NO_PROXY);
            connection.setConnectTimeout(2000);
            connection.setReadTimeout(2000);
            return connection.getResponseCode() == HttpURLConnection.HTTP_OK;
        } catch (IOException _) {
            return false;
        }
    }

    /** Where {@code cli} has assembled the programs: bin, lib, libexec. */
    private static Path distribution() {
        Path home = Path.of(System.getProperty("podwire.home", "../cli/target/podwire"))
                .toAbsolutePath()
                .normalize();
        if (!Files.isExecutable(home.resolve("bin/node-shim"))
                || !Files.isExecutable(home.resolve("libexec/podwire"))) {
            throw new IllegalStateException("no distribution in " + home + ": package the cli module first, or name"
                    + " one by -Dpodwire.home=DIR");
        }
        return home;
    }

    static String nodeAddress(int number) {
        return "192.0.2." + (10 + number);
    }

    /** The distribution: bin, lib, libexec. */
    public Path home() {
        return home;
    }

    /** ipam-service's process. */
    public Daemon ipam() {
        return ipam;
    }

    /** policy-service's process. */
    public Daemon policy() {
        return policy;
    }

    /**
     * Another replica of policy-service, with the same objects, that serves. The caller closes it.
     *
     * @param port where nodes find it at {@link #ADDRESS}, with HTTP at the next one
     */
    public Daemon policyReplica(int port) {
        Daemon replica = service("policy-service", ADDRESS + ":" + port, port + 1, "--manifests", manifests.toString());
        replica.start(List.of());
        awaitReady(replica, port + 1);
        return replica;
    }

    /** Starts such a replica again. */
    public void startAgain(Daemon replica, int port) {
        replica.start(List.of());
        awaitReady(replica, port + 1);
    }

    /**
     * A number that a service tells on its metrics page.
     *
     * @param line of the page up to the number
     */
    public static double metric(int httpPort, String line) {
        try {
            HttpURLConnection connection = (HttpURLConnection) URI.create("http://127.0.0.1:" + httpPort + "/metrics")
                    .toURL()
                    .openConnection(java.net.Proxy.NO_PROXY);
            try (InputStream page = connection.getInputStream()) {
                return new String(page.readAllBytes(), StandardCharsets.UTF_8)
                        .lines()
                        .filter(one -> one.startsWith(line + " "))
                        .mapToDouble(one -> Double.parseDouble(one.substring(line.length() + 1)))
                        .sum();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The blocks that ipam-service says a node owns, CIDR text. */
    public List<String> blocksOf(String node) {
        ManagedChannel channel = Grpc.newChannelBuilder(IPAM, InsecureChannelCredentials.create())
                .build();
        try {
            return BlocksGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(SOON_SECONDS, TimeUnit.SECONDS)
                    .listBlocks(ListBlocksRequest.newBuilder().setNode(node).build())
                    .getBlocksList()
                    .stream()
                    .map(Block::getCidr)
                    .toList();
        } finally {
            channel.shutdownNow();
        }
    }

    /** What ipam-service says of a node's addresses; empty while nobody answers. */
    public List<Address> addressesOf(String node) {
        ManagedChannel channel = Grpc.newChannelBuilder(IPAM, InsecureChannelCredentials.create())
                .build();
        try {
            return AddressesGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(SOON_SECONDS, TimeUnit.SECONDS)
                    .listAddresses(
                            ListAddressesRequest.newBuilder().setNode(node).build())
                    .getAddressesList();
        } catch (StatusRuntimeException _) {
            return List.of();
        } finally {
            channel.shutdownNow();
        }
    }

    /** What ipam-service says of one address. */
    public Address address(String address) {
        return addresses(stub -> stub.getAddress(
                GetAddressRequest.newBuilder().setAddress(address).build()));
    }

    /** Ends the reservation of a workload's first replica. */
    public void unreserve(String namespace, String workload) {
        var _ = addresses(stub -> stub.unreserveAddresses(UnreserveAddressesRequest.newBuilder()
                .setFirst(Workload.newBuilder().setNamespace(namespace).setName(workload))
                .setCount(1)
                .build()));
    }

    private static <T> T addresses(Function<AddressesGrpc.AddressesBlockingStub, T> call) {
        ManagedChannel channel = Grpc.newChannelBuilder(IPAM, InsecureChannelCredentials.create())
                .build();
        try {
            return call.apply(AddressesGrpc.newBlockingStub(channel).withDeadlineAfter(SOON_SECONDS, TimeUnit.SECONDS));
        } finally {
            channel.shutdownNow();
        }
    }

    /**
     * Makes a pool that gives blocks to one node alone.
     *
     * @param node that gets its blocks
     */
    public void createPool(String name, String cidr, int blockLength, String node) {
        var _ = pools(stub -> stub.createPool(CreatePoolRequest.newBuilder()
                .setPool(Pool.newBuilder()
                        .setName(name)
                        .setCidr(cidr)
                        .setBlockLength(blockLength)
                        .putNodeSelector("podwire.io/node", node))
                .build()));
    }

    /** Gives a single address of a pool to a pod that is told to run on a node. */
    public String allocate(String pool, String node, String namespace, String pod) {
        ManagedChannel channel = Grpc.newChannelBuilder(IPAM, InsecureChannelCredentials.create())
                .build();
        try {
            return AddressesGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(SOON_SECONDS, TimeUnit.SECONDS)
                    .allocateAddresses(AllocateAddressesRequest.newBuilder()
                            .setOwner(AddressOwner.newBuilder()
                                    .setId(pod + "/eth0")
                                    .setNode(node)
                                    .setPod(PodRef.newBuilder()
                                            .setNamespace(namespace)
                                            .setName(pod)))
                            .addWishes(AddressWish.newBuilder()
                                    .setFamily(IpFamily.IP_FAMILY_IPV4)
                                    .setPool(pool))
                            .build())
                    .getAddresses(0)
                    .getAddress();
        } finally {
            channel.shutdownNow();
        }
    }

    /** Runs the operator's command for ipam-service. */
    public Shell.Ended podwire(String... arguments) {
        List<String> command =
                new ArrayList<>(List.of(home.resolve("bin/podwire").toString()));
        command.addAll(List.of(arguments));
        command.addAll(List.of("--server", IPAM));
        return Shell.attempt(command.toArray(String[]::new));
    }

    /** Runs the operator's {@code podwire policy}. */
    public Shell.Ended podwirePolicy(String... arguments) {
        return askPolicyService("policy", arguments);
    }

    /** Runs the operator's {@code podwire service}. */
    public Shell.Ended podwireService(String... arguments) {
        return askPolicyService("service", arguments);
    }

    private Shell.Ended askPolicyService(String group, String... arguments) {
        List<String> command =
                new ArrayList<>(List.of(home.resolve("bin/podwire").toString(), group));
        command.addAll(List.of(arguments));
        command.addAll(List.of("--server", POLICY));
        return Shell.attempt(command.toArray(String[]::new));
    }

    /** Asks policy-service what policies mean. */
    public void answers(Consumer<AnswersGrpc.AnswersBlockingStub> questions) {
        ManagedChannel channel = Grpc.newChannelBuilder(POLICY, InsecureChannelCredentials.create())
                .build();
        try {
            questions.accept(AnswersGrpc.newBlockingStub(channel));
        } finally {
            channel.shutdownNow();
        }
    }

    /** Changes a pool's state. */
    public void setPoolState(String name, PoolState state) {
        var _ = pools(stub -> stub.updatePool(UpdatePoolRequest.newBuilder()
                .setPool(Pool.newBuilder().setName(name).setState(state))
                .setUpdateMask(FieldMask.newBuilder().addPaths("state"))
                .build()));
    }

    /** A pool as it is now. */
    public Pool pool(String name) {
        return pools(
                stub -> stub.getPool(GetPoolRequest.newBuilder().setName(name).build()));
    }

    /** Names of the namespaces that ipam-service says a pool is for; none: there is no such pool, or it selects none. */
    public List<String> namespacesOf(String pool) {
        ManagedChannel channel = Grpc.newChannelBuilder(IPAM, InsecureChannelCredentials.create())
                .build();
        try {
            return BlocksGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(SOON_SECONDS, TimeUnit.SECONDS)
                    .listBlocks(ListBlocksRequest.getDefaultInstance())
                    .getPoolNamespacesList()
                    .stream()
                    .filter(of -> of.getPool().equals(pool))
                    .flatMap(of -> of.getNamespacesList().stream())
                    .toList();
        } finally {
            channel.shutdownNow();
        }
    }

    private static Pool pools(Function<PoolsGrpc.PoolsBlockingStub, Pool> call) {
        ManagedChannel channel = Grpc.newChannelBuilder(IPAM, InsecureChannelCredentials.create())
                .build();
        try {
            return call.apply(PoolsGrpc.newBlockingStub(channel).withDeadlineAfter(SOON_SECONDS, TimeUnit.SECONDS));
        } finally {
            channel.shutdownNow();
        }
    }

    /** policy-service's program for a node. */
    public Program programOf(String node) {
        ManagedChannel channel = Grpc.newChannelBuilder(POLICY, InsecureChannelCredentials.create())
                .build();
        try {
            return ProgramsGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(SOON_SECONDS, TimeUnit.SECONDS)
                    .getProgram(GetProgramRequest.newBuilder().setNode(node).build());
        } finally {
            channel.shutdownNow();
        }
    }

    /** Which connected node enforces what policy-service knows now. */
    public Rollout rollout() {
        ManagedChannel channel = Grpc.newChannelBuilder(POLICY, InsecureChannelCredentials.create())
                .build();
        try {
            return ProgramsGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(SOON_SECONDS, TimeUnit.SECONDS)
                    .getRollout(GetRolloutRequest.getDefaultInstance());
        } finally {
            channel.shutdownNow();
        }
    }

    /** Starts a service again, where it does not run, and waits until it serves. */
    public void startAgain(Daemon service) {
        if (!service.alive()) {
            service.start(List.of());
        }
        awaitReady(service, daemons.get(service));
    }

    /** A new node; its node-shim is not started. The caller closes it. */
    public MeshNode node(String name, String... options) throws IOException {
        MeshNode node = new MeshNode(home, folder.resolve(name), name, nodes.size() + 1, List.of(options));
        nodes.add(node);
        return node;
    }

    /** Writes or replaces one Kubernetes object by temporary file and rename. */
    public void apply(String name, String yaml) throws IOException {
        apply(manifests, name, yaml);
    }

    /** The same for ipam-service: IPPools and the namespaces they select. */
    public void applyPools(String name, String yaml) throws IOException {
        apply(pools, name, yaml);
    }

    private static void apply(Path to, String name, String yaml) throws IOException {
        Path temporary = Files.writeString(to.resolve("." + name + ".tmp"), yaml);
        Files.move(temporary, to.resolve(name + ".yaml"), StandardCopyOption.ATOMIC_MOVE);
    }

    /** Removes what {@link #applyPools} wrote. */
    public void removePools(String name) throws IOException {
        Files.deleteIfExists(pools.resolve(name + ".yaml"));
    }

    /** Removes one Kubernetes object. */
    public void remove(String name) throws IOException {
        Files.deleteIfExists(manifests.resolve(name + ".yaml"));
    }

    @Override
    public void close() {
        nodes.forEach(MeshNode::close);
        daemons.keySet().forEach(Daemon::close);
    }
}

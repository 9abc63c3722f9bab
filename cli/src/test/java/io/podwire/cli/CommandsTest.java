package io.podwire.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import com.google.protobuf.util.JsonFormat;
import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.AddressFinding;
import io.podwire.proto.ipam.v1.AddressFindingKind;
import io.podwire.proto.ipam.v1.AddressRepair;
import io.podwire.proto.ipam.v1.AddressState;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.AuditAddressesRequest;
import io.podwire.proto.ipam.v1.AuditAddressesResponse;
import io.podwire.proto.ipam.v1.AuditsGrpc;
import io.podwire.proto.ipam.v1.CreatePoolRequest;
import io.podwire.proto.ipam.v1.DeletePoolRequest;
import io.podwire.proto.ipam.v1.DeletePoolResponse;
import io.podwire.proto.ipam.v1.ListAddressesRequest;
import io.podwire.proto.ipam.v1.ListAddressesResponse;
import io.podwire.proto.ipam.v1.ListNamespaceUsagesRequest;
import io.podwire.proto.ipam.v1.ListNamespaceUsagesResponse;
import io.podwire.proto.ipam.v1.ListPoolsRequest;
import io.podwire.proto.ipam.v1.ListPoolsResponse;
import io.podwire.proto.ipam.v1.NamespaceUsage;
import io.podwire.proto.ipam.v1.NamespacesGrpc;
import io.podwire.proto.ipam.v1.Pool;
import io.podwire.proto.ipam.v1.PoolPurpose;
import io.podwire.proto.ipam.v1.PoolState;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import io.podwire.proto.ipam.v1.Reported;
import io.podwire.proto.ipam.v1.ServiceRef;
import io.podwire.proto.ipam.v1.UnjudgedNode;
import io.podwire.proto.ipam.v1.UpdatePoolRequest;
import io.podwire.proto.node.v1.AuditRequest;
import io.podwire.proto.node.v1.AuditResponse;
import io.podwire.proto.node.v1.Finding;
import io.podwire.proto.node.v1.GetNodeStatusRequest;
import io.podwire.proto.node.v1.NodeGrpc;
import io.podwire.proto.node.v1.NodeStatus;
import io.podwire.proto.policy.v1.GetRolloutRequest;
import io.podwire.proto.policy.v1.NodeRollout;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import io.podwire.proto.policy.v1.Rollout;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class CommandsTest {
    private record Ended(int code, String out, String err) {}

    @Test
    void everyPageOfAListIsShown() throws Exception {
        try (Serving pools = new Serving(new TwoPages())) {
            Ended table = run("ipam", "pools", "--server", pools.target());
            assertThat(table).as("table").isEqualTo(new Ended(0, """
                    NAME  CIDR              BLOCK  STATE     OWNED  RESERVED  TOTAL  FULL IN  PURPOSE        SOURCE
                    a     10.0.0.0/16       /26    active    3      0         1024   2d3h     pods           grpc
                    b     10.244.0.0/16     /26    draining  0      0         0      -        load_balancer  manifest:b.yaml
                    six   fd00:10:244::/48  /122   active    1      2         2^74   now      pods           kubernetes
                    """, ""));
            Ended json = run("ipam", "pools", "-o", "json", "--server", pools.target());
            ListPoolsResponse.Builder read = ListPoolsResponse.newBuilder();
            JsonFormat.parser().merge(json.out(), read);
            assertThat(read.getPoolsList()).as("JSON").containsExactly(TwoPages.A, TwoPages.B, TwoPages.SIX);
            assertThat(read.getNextPageToken()).as("the last page's token").isEmpty();
        }
    }

    @Test
    void namespacesAreShownWithWhatIsLeftOfTheirQuota() throws Exception {
        try (Serving namespaces = new Serving(new SomeNamespaces())) {
            assertThat(run("ipam", "namespaces", "--server", namespaces.target()))
                    .isEqualTo(new Ended(0, """
                    NAMESPACE  USED  PODS  SINGLE  QUOTA  LEFT
                    open       7     7     0       -      -
                    shop       12    9     3       10     0
                    """, ""));
        }
    }

    private static final class SomeNamespaces extends NamespacesGrpc.NamespacesImplBase {
        @Override
        public void listNamespaceUsages(
                ListNamespaceUsagesRequest request, StreamObserver<ListNamespaceUsagesResponse> observer) {
            observer.onNext(ListNamespaceUsagesResponse.newBuilder()
                    .addUsages(NamespaceUsage.newBuilder().setNamespace("open").setPodAddresses(7))
                    .addUsages(NamespaceUsage.newBuilder()
                            .setNamespace("shop")
                            .setPodAddresses(9)
                            .setSingleAddresses(3)
                            .setQuota(10))
                    .build());
            observer.onCompleted();
        }
    }

    @Test
    void oneCommandSaysWhoHasAnAddress() throws Exception {
        Listed listed = new Listed();
        try (Serving addresses = new Serving(listed)) {
            Ended one = run("addresses", "10.1.0.7", "--server", addresses.target());
            assertThat(one).isEqualTo(new Ended(0, """
                    ADDRESS   STATE                               HOLDER                  NODE  POOL     BLOCK        SINCE                 REPORT
                    10.1.0.7  in_use                              default/web             n1    default  10.1.0.0/26  1970-01-01T00:00:05Z  now
                    10.1.0.7  in_use, not of a block of its node  container 0123456789ab  n2    default  10.1.0.0/26  1970-01-01T00:00:05Z  61 s old, node is away
                    """, ""));
            assertThat(listed.last.getAddress()).isEqualTo("10.1.0.7");
            assertThat(listed.last.getStatesList()).isEmpty();

            assertThat(run(
                                    "addresses",
                                    "--pool",
                                    "p",
                                    "--node",
                                    "n",
                                    "--namespace",
                                    "ns",
                                    "--pod",
                                    "ns/a",
                                    "--prefix",
                                    "10.0.0.0/8",
                                    "--state",
                                    "free,in_use",
                                    "--server",
                                    addresses.target())
                            .code())
                    .isZero();
            assertThat(listed.last)
                    .isEqualTo(ListAddressesRequest.newBuilder()
                            .setPool("p")
                            .setNode("n")
                            .setNamespace("ns")
                            .setPod("ns/a")
                            .setPrefix("10.0.0.0/8")
                            .addStates(AddressState.ADDRESS_STATE_FREE)
                            .addStates(AddressState.ADDRESS_STATE_IN_USE)
                            .build());

            listed.answer = ListAddressesResponse.getDefaultInstance();
            Ended nobody = run("addresses", "192.0.2.1", "--server", addresses.target());
            assertThat(nobody.code()).isEqualTo(1);
            assertThat(nobody.err()).contains("192.0.2.1 is in no pool, and no node");
        }
    }

    @Test
    void theServiceIsNamedWhoseLoadBalancerHasAnAddress() throws Exception {
        Listed listed = new Listed();
        listed.answer = ListAddressesResponse.newBuilder()
                .addAddresses(Address.newBuilder()
                        .setAddress("192.0.2.1")
                        .setState(AddressState.ADDRESS_STATE_IN_USE)
                        .setPool("lb")
                        .setBlock("192.0.2.0/26")
                        .setNode("podwire-ipam-service")
                        .setOwnerId("service/shop/web/4b7c/ipv4")
                        .setService(ServiceRef.newBuilder()
                                .setNamespace("shop")
                                .setName("web")
                                .setUid("4b7c")))
                .build();
        try (Serving addresses = new Serving(listed)) {
            assertThat(run("addresses", "192.0.2.1", "--server", addresses.target()))
                    .isEqualTo(new Ended(0, """
                            ADDRESS    STATE   HOLDER            NODE                  POOL  BLOCK         SINCE  REPORT
                            192.0.2.1  in_use  service shop/web  podwire-ipam-service  lb    192.0.2.0/26  -      -
                            """, ""));
        }
    }

    private static final class Listed extends AddressesGrpc.AddressesImplBase {
        private static final Address WEB = Address.newBuilder()
                .setAddress("10.1.0.7")
                .setState(AddressState.ADDRESS_STATE_IN_USE)
                .setPool("default")
                .setBlock("10.1.0.0/26")
                .setNode("n1")
                .setPod(PodRef.newBuilder().setNamespace("default").setName("web"))
                .setSince(Timestamp.newBuilder().setSeconds(5))
                .setReported(Reported.newBuilder().setConnected(true))
                .build();

        private volatile ListAddressesRequest last = ListAddressesRequest.getDefaultInstance();
        private volatile ListAddressesResponse answer = ListAddressesResponse.newBuilder()
                .addAddresses(WEB)
                .addAddresses(WEB.toBuilder()
                        .setNode("n2")
                        .clearPod()
                        .setContainerId("0123456789abcdef")
                        .setOutsideOwnBlock(true)
                        .setReported(Reported.newBuilder()
                                .setAge(Duration.newBuilder().setSeconds(61))))
                .build();

        @Override
        public void listAddresses(ListAddressesRequest request, StreamObserver<ListAddressesResponse> reply) {
            last = request;
            reply.onNext(answer);
            reply.onCompleted();
        }
    }

    @Test
    void anAuditShowsEachDifferenceAndFails() throws Exception {
        Audited audited = new Audited();
        try (Serving node = new Serving(audited)) {
            assertThat(run("audit", "--socket", node.target()))
                    .as("nothing differs")
                    .isEqualTo(new Ended(0, "OBJECT  NAME  PROBLEM\n", ""));
            audited.findings = AuditResponse.newBuilder()
                    .setChecked(7)
                    .addFindings(Finding.newBuilder()
                            .setObject("route")
                            .setName("10.1.0.5/32")
                            .setProblem("belongs to no attachment"))
                    .build();
            Ended differs = run("audit", "--socket", node.target());
            assertThat(differs.code()).as("exit code").isEqualTo(1);
            assertThat(differs.out()).as("table").isEqualTo("""
                    OBJECT  NAME         PROBLEM
                    route   10.1.0.5/32  belongs to no attachment
                    """);
            assertThat(differs.err()).as("summary").contains("differences: 1; attachments looked at: 7");
        }
    }

    @Test
    void anAuditOfTheClusterShowsFindingsInOneTableAndEndsWith3() throws Exception {
        ClusterAudited audited = new ClusterAudited();
        Audited other = new Audited();
        try (Serving ipam = new Serving(audited);
                Serving node = new Serving(other)) {
            assertThat(run("audit", "--cluster", "--server", ipam.target()))
                    .as("nothing is wrong")
                    .isEqualTo(new Ended(0, "KIND  OBJECT  POOL  NODE  OWNER  SEEN  PROBLEM  REPAIR\n", ""));
            assertThat(audited.last.getFix()).isFalse();

            audited.answer = ClusterAudited.SOME;
            other.findings = AuditResponse.newBuilder()
                    .addFindings(Finding.newBuilder()
                            .setObject("route")
                            .setName("10.1.0.5/32")
                            .setProblem("belongs to no attachment"))
                    .build();
            Ended dry =
                    run("audit", "--cluster", "--dry-run", "--server", ipam.target(), "--node-socket", node.target());
            assertThat(dry.code()).as("exit code").isEqualTo(3);
            assertThat(dry.out()).isEqualTo("""
                    KIND                OBJECT             POOL   NODE  OWNER     SEEN       PROBLEM                   REPAIR
                    allocated-not-used  10.2.0.1           fixed  n1    shop/web  for 300 s  nobody uses it            by --fix: release it
                    outside-pools       192.0.2.1          -      n2    vm-7      now        it is in no pool          none is safe: delete it there
                    node-differs        link               -      n8    -         for 300 s  it finds 2                none is safe: ask there
                    node-differs        route 10.1.0.5/32  -      n9    -         -          belongs to no attachment  none is safe: node-shim repairs drift by itself: what stays is for podwire audit on that node
                    """);
            assertThat(dry.err()).isEqualTo("""
                    podwire audit: node n3 is not judged: it is away
                    podwire audit: findings: 4; looked at: blocks 2, single addresses 5, bindings 7
                    """);

            audited.answer = ClusterAudited.FIXED;
            Ended fixed = run("audit", "--cluster", "--fix", "--server", ipam.target());
            assertThat(fixed.code()).as("all is repaired").isZero();
            assertThat(audited.last.getFix()).isTrue();
            assertThat(fixed.out()).contains("done: release it");
            assertThat(fixed.err()).contains("findings: 1, repaired: 1;");
            assertThat(run("audit", "--cluster", "-o", "json", "--server", ipam.target())
                            .out())
                    .contains("\"kind\": \"ADDRESS_FINDING_KIND_ALLOCATED_NOT_USED\"", "\"confirmed\": true");
        }
    }

    @Test
    void anAuditOfTheClusterSaysThatIpamServiceIsAway() throws Exception {
        Serving gone = new Serving(new ClusterAudited());
        gone.close();
        gone.server.awaitTermination();
        Ended away = run("audit", "--cluster", "--server", gone.target());
        assertThat(away.code()).as("not that of findings").isEqualTo(1);
        assertThat(away.err())
                .startsWith("podwire audit: auditing addresses from " + gone.target())
                .contains("Is it running there? --server names another address");
    }

    @Test
    void fixIsForTheClusterAlone() {
        for (String line : List.of("audit --fix", "audit --dry-run", "audit --node-socket unix:/x")) {
            Ended refused = run(line.split(" ", -1));
            assertThat(refused.code()).as(line).isEqualTo(2);
            assertThat(refused.err()).as(line).contains("are for --cluster");
        }
        assertThat(run("audit", "--cluster", "--fix", "--dry-run").code())
                .as("both")
                .isEqualTo(2);
    }

    private static final class ClusterAudited extends AuditsGrpc.AuditsImplBase {
        static final AddressFinding UNUSED = AddressFinding.newBuilder()
                .setKind(AddressFindingKind.ADDRESS_FINDING_KIND_ALLOCATED_NOT_USED)
                .setObject("10.2.0.1")
                .setPool("fixed")
                .setNode("n1")
                .setPod(PodRef.newBuilder().setNamespace("shop").setName("web"))
                .setOwnerId("c1/eth0")
                .setDetail("nobody uses it")
                .setSeenFor(Duration.newBuilder().setSeconds(300))
                .setConfirmed(true)
                .setAction("release it")
                .setRepair(AddressRepair.ADDRESS_REPAIR_PROPOSED)
                .build();
        static final AuditAddressesResponse SOME = AuditAddressesResponse.newBuilder()
                .addFindings(UNUSED)
                .addFindings(AddressFinding.newBuilder()
                        .setKind(AddressFindingKind.ADDRESS_FINDING_KIND_OUTSIDE_POOLS)
                        .setObject("192.0.2.1")
                        .setNode("n2")
                        .setOwnerId("vm-7")
                        .setDetail("it is in no pool")
                        .setSeenFor(Duration.getDefaultInstance())
                        .setAdvice("delete it there")
                        .setRepair(AddressRepair.ADDRESS_REPAIR_NONE))
                .addFindings(differs("n8"))
                .addFindings(differs("n9"))
                .addUnjudgedNodes(UnjudgedNode.newBuilder().setNode("n3").setReason("it is away"))
                .setCheckedBlocks(2)
                .setCheckedAddresses(5)
                .setCheckedBindings(7)
                .build();
        static final AuditAddressesResponse FIXED = AuditAddressesResponse.newBuilder()
                .addFindings(UNUSED.toBuilder().setRepair(AddressRepair.ADDRESS_REPAIR_DONE))
                .build();

        private static AddressFinding differs(String node) {
            return AddressFinding.newBuilder()
                    .setKind(AddressFindingKind.ADDRESS_FINDING_KIND_NODE_DIFFERS)
                    .setObject("link")
                    .setNode(node)
                    .setDetail("it finds 2")
                    .setSeenFor(Duration.newBuilder().setSeconds(300))
                    .setConfirmed(true)
                    .setAdvice("ask there")
                    .setRepair(AddressRepair.ADDRESS_REPAIR_NONE)
                    .build();
        }

        private volatile AuditAddressesResponse answer = AuditAddressesResponse.getDefaultInstance();
        private volatile AuditAddressesRequest last = AuditAddressesRequest.getDefaultInstance();

        @Override
        public void auditAddresses(AuditAddressesRequest request, StreamObserver<AuditAddressesResponse> reply) {
            last = request;
            reply.onNext(answer);
            reply.onCompleted();
        }
    }

    private static final class Audited extends NodeGrpc.NodeImplBase {
        private volatile AuditResponse findings = AuditResponse.getDefaultInstance();

        @Override
        public void getNodeStatus(GetNodeStatusRequest request, StreamObserver<NodeStatus> reply) {
            reply.onNext(NodeStatus.newBuilder()
                    .setNode(NodeEpoch.newBuilder().setNode("n9"))
                    .build());
            reply.onCompleted();
        }

        @Override
        public void audit(AuditRequest request, StreamObserver<AuditResponse> reply) {
            reply.onNext(findings);
            reply.onCompleted();
        }
    }

    @Test
    void updateSendsWhatIsNamedAndShowsThePool() throws Exception {
        Updatable updatable = new Updatable();
        try (Serving pools = new Serving(updatable)) {
            assertThat(run("ipam", "update-pool", "a", "--state", "draining", "--server", pools.target()))
                    .as("table")
                    .isEqualTo(new Ended(0, """
                            NAME  CIDR         BLOCK  STATE     OWNED  RESERVED  TOTAL  FULL IN  PURPOSE  SOURCE
                            a     10.0.0.0/16  /26    draining  3/7    0         1024   -        pods     grpc
                            """, ""));
            assertThat(updatable.last.getUpdateMask().getPathsList()).containsExactly("state");

            assertThat(run("ipam", "update-pool", "a", "--drain-pace", "10", "--server", pools.target())
                            .out())
                    .as("how far it is, and how fast it goes on")
                    .contains("draining, 310 addresses left, 10/min  3/7 ");
            assertThat(updatable.last.getUpdateMask().getPathsList()).containsExactly("drain_pace");

            assertThat(run(
                                    "ipam",
                                    "update-pool",
                                    "a",
                                    "--reserved",
                                    "10.0.0.0/28,10.0.1.0/32",
                                    "--node-selector",
                                    "zone=a,gpu=",
                                    "--cidr",
                                    "10.0.0.0/15",
                                    "--block-length",
                                    "27",
                                    "--server",
                                    pools.target())
                            .code())
                    .isZero();
            assertThat(updatable.last.getUpdateMask().getPathsList())
                    .containsExactlyInAnyOrder("reserved", "node_selector", "cidr", "block_length");
            assertThat(updatable.last.getPool())
                    .isEqualTo(Pool.newBuilder()
                            .setName("a")
                            .setCidr("10.0.0.0/15")
                            .setBlockLength(27)
                            .addReserved("10.0.0.0/28")
                            .addReserved("10.0.1.0/32")
                            .putNodeSelector("zone", "a")
                            .putNodeSelector("gpu", "")
                            .build());

            run("ipam", "update-pool", "a", "--reserved", "", "--node-selector", "", "--server", pools.target());
            assertThat(updatable.last.getUpdateMask().getPathsList())
                    .as("emptied")
                    .containsExactly("reserved", "node_selector");
            assertThat(updatable.last.getPool())
                    .isEqualTo(Pool.newBuilder().setName("a").build());
        }
    }

    @Test
    void poolIsCreatedTakenOverAndDeleted() throws Exception {
        Updatable updatable = new Updatable();
        try (Serving pools = new Serving(updatable)) {
            String[] more = {"--purpose=load_balancer", "--namespace-selector=team=a", "--cool-down=PT90.5S"};
            Ended created = run(Stream.concat(
                            Stream.of("ipam", "create-pool", "lb", "10.9.0.0/24", "--server", pools.target()),
                            Stream.of(more))
                    .toArray(String[]::new));
            assertThat(created.code()).isZero();
            assertThat(created.out()).contains("lb    10.9.0.0/24");
            Pool wanted = Pool.newBuilder()
                    .setName("lb")
                    .setCidr("10.9.0.0/24")
                    .setPurpose(PoolPurpose.POOL_PURPOSE_LOAD_BALANCER)
                    .putNamespaceSelector("team", "a")
                    .setCoolDown(Duration.newBuilder().setSeconds(90).setNanos(500_000_000))
                    .build();
            assertThat(updatable.created).isEqualTo(wanted);

            assertThat(run("ipam", "update-pool", "lb", "--take-over", "--cool-down=", "--server", pools.target())
                            .code())
                    .isZero();
            assertThat(updatable.last.getUpdateMask().getPathsList()).containsExactlyInAnyOrder("source", "cool_down");
            assertThat(updatable.last.getPool())
                    .isEqualTo(Pool.newBuilder().setName("lb").setSource("grpc").build());

            assertThat(run("ipam", "delete-pool", "lb", "--server", pools.target()))
                    .isEqualTo(new Ended(0, "DELETED\nlb\n", ""));
            assertThat(updatable.deleted).isEqualTo("lb");
            assertThat(run("ipam", "update-pool", "lb", "--cool-down=90s", "--server", pools.target())
                            .err())
                    .contains("--cool-down takes an ISO-8601 duration such as PT90S, got '90s'");
        }
    }

    @Test
    void updateOfNothingAndOfALabelWithoutValueAreRefusedHere() {
        assertThat(run("ipam", "update-pool", "a").err()).contains("nothing of pool a is to change: name --state");
        assertThat(run("ipam", "update-pool", "a", "--node-selector", "zone").err())
                .contains("--node-selector takes KEY=VALUE,..., got 'zone'");
    }

    @Test
    void rolloutTellsWhoWaitsAndWhoFailed() throws Exception {
        try (Serving programs = new Serving(new SomeRollout())) {
            assertThat(run("policy", "rollout", "--revision", "7", "--server", programs.target()))
                    .as("table")
                    .isEqualTo(new Ended(0, """
                            NODE   WANTED  ENFORCED  STATUS
                            node1  7       7         enforced
                            node2  7       5         waiting
                            node3  7       5         failed: no memory
                            """, ""));
        }
    }

    @Test
    void aFailedCallEndsWith1AndSaysWhatHelps() throws Exception {
        Serving gone = new Serving(new TwoPages());
        gone.close();
        gone.server.awaitTermination();
        assertThat(run("ipam", "pools", "--server", gone.target()))
                .as("nobody there")
                .satisfies(ended -> assertThat(ended.code()).as("code").isEqualTo(1))
                .satisfies(ended -> assertThat(ended.out()).as("stdout").isEmpty())
                .satisfies(ended -> assertThat(ended.err())
                        .as("stderr")
                        .startsWith("podwire ipam pools: listing pools from " + gone.target())
                        .contains("--server"));
        try (Serving programs = new Serving(new SomeRollout())) {
            assertThat(run("policy", "rollout", "--revision", "9", "--server", programs.target()))
                    .as("refused")
                    .satisfies(ended -> assertThat(ended.code()).as("code").isEqualTo(1))
                    .satisfies(ended -> assertThat(ended.err()).as("stderr").contains("revision 9 is in the future"));
        }
    }

    @Test
    void wrongUsageEndsWith2() {
        for (String line :
                new String[] {"", "ipam", "ipam pools --nonsense", "ipam pools -o xml", "lab demo --nodes"}) {
            assertThat(run(line.isEmpty() ? new String[0] : line.split(" ", -1)).code())
                    .as("podwire %s", line)
                    .isEqualTo(2);
        }
    }

    @Test
    void everyCommandHasHelp() {
        help(Main.commandLine(), new String[0]);
    }

    private static void help(CommandLine command, String[] path) {
        String[] line = java.util.Arrays.copyOf(path, path.length + 1);
        line[path.length] = "--help";
        Ended ended = run(line);
        assertThat(ended.code()).as("podwire %s", String.join(" ", line)).isZero();
        assertThat(ended.out()).as("podwire %s", String.join(" ", line)).startsWith("Usage: podwire");
        command.getSubcommands().forEach((name, sub) -> {
            String[] deeper = java.util.Arrays.copyOf(path, path.length + 1);
            deeper[path.length] = name;
            help(sub, deeper);
        });
    }

    private static Ended run(String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = Main.commandLine()
                .setOut(new PrintWriter(out))
                .setErr(new PrintWriter(err))
                .execute(args);
        return new Ended(code, out.toString(), err.toString());
    }

    /** A gRPC service on a free port of the loopback interface. */
    private static final class Serving implements AutoCloseable {
        private final Server server;
        private final int port;

        Serving(BindableService service) throws Exception {
            server = NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                    .addService(service)
                    .build()
                    .start();
            port = server.getPort();
        }

        String target() {
            return "127.0.0.1:" + port;
        }

        @Override
        public void close() {
            server.shutdownNow();
        }
    }

    private static final class TwoPages extends PoolsGrpc.PoolsImplBase {
        static final Pool A = Pool.newBuilder()
                .setName("a")
                .setCidr("10.0.0.0/16")
                .setBlockLength(26)
                .setOwnedBlocks(3)
                .setTotalBlocks(1024)
                .setExhaustedIn(Duration.newBuilder().setSeconds(51 * 3600 + 59))
                .setState(PoolState.POOL_STATE_ACTIVE)
                .setPurpose(PoolPurpose.POOL_PURPOSE_PODS)
                .setSource("grpc")
                .build();
        static final Pool B = Pool.newBuilder()
                .setName("b")
                .setCidr("10.244.0.0/16")
                .setBlockLength(26)
                .setState(PoolState.POOL_STATE_DRAINING)
                .setPurpose(PoolPurpose.POOL_PURPOSE_LOAD_BALANCER)
                .setSource("manifest:b.yaml")
                .build();
        static final Pool SIX = Pool.newBuilder()
                .setName("six")
                .setCidr("fd00:10:244::/48")
                .setBlockLength(122)
                .setOwnedBlocks(1)
                .setTotalBlocks(0xFFFF_FFFF)
                .setExhaustedIn(Duration.getDefaultInstance())
                .setState(PoolState.POOL_STATE_ACTIVE)
                .setReservedBlocks(2)
                .setPurpose(PoolPurpose.POOL_PURPOSE_PODS)
                .setSource("kubernetes")
                .build();

        @Override
        public void listPools(ListPoolsRequest request, StreamObserver<ListPoolsResponse> observer) {
            observer.onNext(
                    request.getPageToken().isEmpty()
                            ? ListPoolsResponse.newBuilder()
                                    .addPools(A)
                                    .setNextPageToken("2")
                                    .build()
                            : ListPoolsResponse.newBuilder()
                                    .addPools(B)
                                    .addPools(SIX)
                                    .build());
            observer.onCompleted();
        }
    }

    private static final class Updatable extends PoolsGrpc.PoolsImplBase {
        private volatile UpdatePoolRequest last = UpdatePoolRequest.getDefaultInstance();
        private volatile Pool created = Pool.getDefaultInstance();
        private volatile String deleted = "";

        @Override
        public void createPool(CreatePoolRequest request, StreamObserver<Pool> observer) {
            created = request.getPool();
            observer.onNext(created);
            observer.onCompleted();
        }

        @Override
        public void deletePool(DeletePoolRequest request, StreamObserver<DeletePoolResponse> observer) {
            deleted = request.getName();
            observer.onNext(DeletePoolResponse.getDefaultInstance());
            observer.onCompleted();
        }

        @Override
        public void updatePool(UpdatePoolRequest request, StreamObserver<Pool> observer) {
            last = request;
            observer.onNext(TwoPages.A.toBuilder()
                    .clearExhaustedIn()
                    .setState(PoolState.POOL_STATE_DRAINING)
                    .setDrainingFromBlocks(7)
                    .setDrainPace(request.getPool().getDrainPace())
                    .setAddressesLeft(request.getPool().getDrainPace() == 0 ? 0 : 310)
                    .build());
            observer.onCompleted();
        }
    }

    private static final class SomeRollout extends ProgramsGrpc.ProgramsImplBase {
        @Override
        public void getRollout(GetRolloutRequest request, StreamObserver<Rollout> observer) {
            if (request.getRevision() > 7) {
                observer.onError(Status.FAILED_PRECONDITION
                        .withDescription("revision " + request.getRevision() + " is in the future")
                        .asRuntimeException());
                return;
            }
            observer.onNext(Rollout.newBuilder()
                    .setRevision(7)
                    .addNodes(node("node1", 7, ""))
                    .addNodes(node("node2", 5, ""))
                    .addNodes(node("node3", 5, "no memory"))
                    .build());
            observer.onCompleted();
        }

        private static NodeRollout node(String name, long acked, String failure) {
            return NodeRollout.newBuilder()
                    .setNode(name)
                    .setTargetRevision(7)
                    .setAckedRevision(acked)
                    .setFailure(failure)
                    .build();
        }
    }
}

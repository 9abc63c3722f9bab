package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.address.NamespacePools;
import io.podwire.node.dataplane.FailPoints;
import io.podwire.node.dataplane.Finding;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.netlink.Conntrack;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.testing.NetnsSandbox.Space;
import io.podwire.node.testing.Peers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a configuration, a runtime and a pod's annotations may ask for, from the call to real packets and back. */
@Tag("netns")
@Timeout(120)
final class RequestFlowsNetnsTest {
    private static final String PORT = "\"runtimeConfig\":{\"portMappings\":[{\"HostPort\":8080,\"ContainerPort\":80,"
            + "\"Protocol\":\"tcp\",\"HostIP\":\"\"},{\"HostPort\":8080,\"ContainerPort\":81,\"Protocol\":\"udp\"}]}";
    private static final String SLOW = "\"runtimeConfig\":{\"bandwidth\":{\"IngressRate\":1000000,\"IngressBurst\":0,"
            + "\"EgressRate\":2000000,\"EgressBurst\":4294967295}}";
    private static final String INSIDE =
            "\"routes\":[{\"dst\":\"192.0.2.0/24\",\"mtu\":1300},{\"dst\":\"2001:db8::/32\",\"table\":100}],"
                    + "\"sysctl\":{\"net.core.somaxconn\":\"777\",\"net.ipv4.conf.IFNAME.rp_filter\":\"2\"}";
    private static final String IFB = PodNames.ifbName(new EndpointKey("c1", "eth0"));
    private static final String VETH = PodNames.hostIfname(new EndpointKey("c1", "eth0"));

    @TempDir
    Path folder;

    private final Peers peers = new Peers();
    private FlowNode node;
    private Space pod;

    @BeforeEach
    void prepare() throws Exception {
        node = new FlowNode(folder);
        pod = node.sandbox.add();
    }

    @AfterEach
    void stop() {
        peers.close();
        node.close();
    }

    // Host ports

    @Test
    void hostPortsLeadToThePodUntilItsDel() throws Exception {
        JsonNode result = node.added("c1", pod, PORT);
        peers.serve(pod, 80, 81);
        assertThat(Peers.ask(node.elsewhere, "tcp", FlowNode.NODE, 8080)).isEqualTo(FlowNode.ELSEWHERE);
        assertThat(Peers.ask(node.elsewhere, "tcp", FlowNode.NODE_6, 8080)).isEqualTo(FlowNode.ELSEWHERE_6);
        assertThat(Peers.ask(node.host, "tcp", "127.0.0.1", 8080))
                .as("from the node")
                .isEqualTo("169.254.1.1");
        assertThat(node.checked("c1", pod, result)).isEmpty();

        node.deleted("c1", pod);
        assertThat(Peers.ask(node.elsewhere, "tcp", FlowNode.NODE_6, 8080)).isEqualTo("refused");
        node.assertNothingLeft();
        node.added("c2", node.sandbox.add(), PORT);
    }

    @Test
    void checkSeesAHostPortThatIsGoneFromTheRules() throws Exception {
        JsonNode result = node.added("c1", pod, PORT);
        node.host.run("nft", "delete", "element", "inet", "podwire", "host-ports-4", "{ tcp . 8080 }");
        assertThat(node.checked("c1", pod, result)).contains("\"code\":103", "host-ports-4");
    }

    @Test
    void aPortThatAnotherPodHasIsRefusedBeforeAnythingIsDone() throws Exception {
        assertThat(node.call("ADD", "c1", pod, "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web", PORT)
                        .getExitCode())
                .isZero();
        int free = node.book.free(IpFamily.V4, node.time.monotonic());
        Space other = node.sandbox.add();
        JsonNode error = node.refused("c2", other, "", PORT);
        assertThat(error.path("code").asInt()).isEqualTo(7);
        assertThat(error.path("msg").asText()).isEqualTo("host port tcp 8080 is taken");
        assertThat(error.path("details").asText()).contains("pod shop/web (c1/eth0)");
        assertThat(node.book.free(IpFamily.V4, node.time.monotonic()))
                .as("addresses, none of which cools down")
                .isEqualTo(free);
        assertThat(other.ip("-br", "link")).doesNotContain("eth0");
        assertThat(node.audit()).isEmpty();

        node.start(FailPoints.none());
        assertThat(node.refused("c2", other, "", PORT).path("code").asInt())
                .as("after a restart")
                .isEqualTo(7);
        node.added("c3", other, PORT.replace("8080", "8081"));
    }

    @Test
    void ofManyAtOnceOneGetsThePort() throws Exception {
        List<Space> pods = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            pods.add(node.sandbox.add());
        }
        int got = 0;
        try (ExecutorService calls = Executors.newFixedThreadPool(pods.size())) {
            List<Future<Integer>> codes = new ArrayList<>();
            for (int i = 0; i < pods.size(); i++) {
                int n = i;
                codes.add(calls.submit(
                        () -> node.call("ADD", "c" + n, pods.get(n), "", PORT).getExitCode()));
            }
            for (Future<Integer> code : codes) {
                got += code.get() == 0 ? 1 : 0;
            }
        }
        assertThat(got).as("ADDs that succeeded").isOne();
        assertThat(node.node.attachments().all()).hasSize(1);
        assertThat(node.audit()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {FlowNode.NODE, FlowNode.NODE_6})
    void aUdpClientThatNeverPausesReachesEachNextPod(String address) throws Exception {
        String client = address.equals(FlowNode.NODE) ? FlowNode.ELSEWHERE : FlowNode.ELSEWHERE_6;
        node.host.run("nft", "add", "table", "inet", "quiet");
        node.host.run("nft", "add chain inet quiet out { type filter hook output priority 0; }");
        node.host.run("nft", "add rule inet quiet out icmp type destination-unreachable drop");
        node.host.run("nft", "add rule inet quiet out icmpv6 type destination-unreachable drop");
        assertThat(Peers.ask(node.elsewhere, "udp", address, 8080, 5555)).isEqualTo("nothing");
        node.added("c1", pod, PORT);
        peers.serve(pod, 80, 81);
        assertThat(Peers.ask(node.elsewhere, "udp", address, 8080, 5555))
                .as("its connection to nobody is forgotten")
                .isEqualTo(client);
        node.deleted("c1", pod);
        Space next = node.sandbox.add();
        node.added("c2", next, PORT);
        peers.serve(next, 80, 81);
        assertThat(Peers.ask(node.elsewhere, "udp", address, 8080, 5555))
                .as("its connection to the pod before is forgotten")
                .isEqualTo(client);
    }

    @Test
    void aDelForgetsThePodsConnectionsAndNoOthers() throws Exception {
        Space other = node.sandbox.add();
        JsonNode one = node.added("c1", pod, "");
        JsonNode two = node.added("c2", other, "");
        peers.serve(node.elsewhere, 7000);
        for (Space each : List.of(pod, other)) {
            Peers.ask(each, "udp", FlowNode.ELSEWHERE, 7000);
            Peers.ask(each, "udp", FlowNode.ELSEWHERE_6, 7000);
        }
        node.deleted("c1", pod);
        assertThat(connections(one)).as("of the pod that is gone").isZero();
        assertThat(connections(two)).as("of the other").isEqualTo(2);
    }

    private long connections(JsonNode result) {
        try (Conntrack conntrack = Conntrack.open(node.host.netns())) {
            return Stream.of(0, 1)
                    .map(index -> IpAddress.parse(address(result, index)))
                    .mapToLong(pod -> conntrack
                            .connections(
                                    pod.family(), c -> c.original().source().equals(pod))
                            .size())
                    .sum();
        }
    }

    // Addresses

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "''|\"runtimeConfig\":{\"ips\":[\"10.1.0.5/24\"]}|10.1.0.5/32",
                "''|\"runtimeConfig\":{\"ips\":[\"fd00:1::5\",\"10.1.0.5\"]}|10.1.0.5/32,fd00:1::5/128",
                "''|\"args\":{\"cni\":{\"ips\":[\"10.1.0.5\"]}}|10.1.0.5/32",
                "IP=fd00:1::5|\"x\":1|fd00:1::5/128",
                "''|\"runtimeConfig\":{\"io.kubernetes.cri.pod-annotations\":{\"podwire.io/ip\":\"10.1.0.5\"}}|10.1.0.5/32",
                "''|\"runtimeConfig\":{\"io.kubernetes.cri.pod-annotations\":{\"podwire.io/pool\":\"blue\"}}|10.2.0.0/32",
            })
    void thePodGetsTheAddressesThatItNamesAndOneOfEachOtherFamily(String args, String more, String wanted)
            throws Exception {
        assertThat(node.call("ADD", "c1", pod, args, more).getExitCode()).isZero();
        String addresses = pod.ip("-o", "addr", "show", "dev", "eth0");
        assertThat(addresses).contains(wanted.split(",", -1));
        assertThat(addresses.lines().filter(line -> line.contains("inet"))).hasSize(2);
        assertThat(node.audit()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "10.1.0.1|''|11|c1/eth0",
                "10.1.0.2|''|11|--cool-down",
                "10.9.0.1|''|11|ipam-service is away",
                "10.1.0.5|blue|7|pool default",
                "''|green|11|ipam-service knows no pool green",
            })
    void anAddressThatCannotBeHadIsRefusedAndTakesNothing(String ip, String pool, int code, String words)
            throws Exception {
        node.added("c1", pod, "\"runtimeConfig\":{\"ips\":[\"10.1.0.1\"]}");
        Space other = node.sandbox.add();
        node.added("c2", other, "\"runtimeConfig\":{\"ips\":[\"10.1.0.2\"]}");
        node.deleted("c2", other);
        int free = node.book.free(IpFamily.V6, node.time.monotonic());
        String annotations = "\"runtimeConfig\":{\"io.kubernetes.cri.pod-annotations\":{\"podwire.io/ip\":\"" + ip
                + "\",\"podwire.io/pool\":\"" + pool + "\"}}";
        JsonNode error = node.refused("c3", other, "", annotations);
        assertThat(error.path("code").asInt()).as("%s", error).isEqualTo(code);
        assertThat(error.toString()).contains(words);
        assertThat(node.book.heldBy(new EndpointKey("c3", "eth0"))).isEmpty();
        assertThat(node.book.free(IpFamily.V6, node.time.monotonic())).isEqualTo(free);
        assertThat(node.audit()).isEmpty();
    }

    @Test
    void thePodHasTheMacThatItAsksForAndNobodyElseGetsIt() throws Exception {
        String mac = "\"runtimeConfig\":{\"mac\":\"02:00:00:00:00:77\"}";
        JsonNode result = node.added("c1", pod, mac);
        assertThat(result.path("interfaces").path(1).path("mac").asText()).isEqualTo("02:00:00:00:00:77");
        assertThat(pod.ip("link", "show", "eth0")).contains("02:00:00:00:00:77");
        assertThat(node.host.run("ping", "-c1", "-W2", address(result, 0))).contains(" 0% packet loss");
        assertThat(node.host.run("ping", "-c1", "-W2", address(result, 1))).contains(" 0% packet loss");
        assertThat(node.checked("c1", pod, result)).isEmpty();
        Space other = node.sandbox.add();
        JsonNode error = node.refused("c2", other, "", mac);
        assertThat(error.path("code").asInt()).isEqualTo(7);
        assertThat(error.toString()).contains("02:00:00:00:00:77 is taken", "c1/eth0");
        assertThat(node.refused("c2", other, "MAC=" + PodNames.BRIDGE_MAC, "")
                        .path("msg")
                        .asText())
                .contains("is taken");
        node.deleted("c1", pod);
        node.added("c2", other, mac);
    }

    private static String address(JsonNode result, int index) {
        return result.path("ips").path(index).path("address").asText().split("/", -1)[0];
    }

    // Shaping

    @Test
    void packetsGoNoFasterThanAskedForEitherWay() throws Exception {
        JsonNode result = node.added("c1", pod, SLOW);
        assertThat(node.checked("c1", pod, result)).isEmpty();
        assertThat(node.audit()).isEmpty();
        for (int family = 0; family < 2; family++) {
            flood(pod, family == 0 ? FlowNode.NODE : FlowNode.NODE_6);
            assertThat(dropped(IFB)).as("of what the pod sends").isPositive();
            flood(node.host, address(result, family));
            assertThat(dropped(VETH)).as("of what the pod receives").isPositive();
            node.host.run("sh", "-c", "tc qdisc show dev " + IFB + " | grep -q 'rate 2Mbit'");
            node.host.run("sh", "-c", "tc qdisc show dev " + VETH + " | grep -q 'rate 1Mbit'");
        }
        node.deleted("c1", pod);
        node.assertNothingLeft();
    }

    /** Far more at once than any bucket of the tests takes. */
    private static void flood(Space from, String to) {
        from.run("python3", "-c", """
                import socket, sys
                s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
                for _ in range(1000):
                    try:
                        s.sendto(b'x' * 1200, (sys.argv[1], 9))
                    except OSError:
                        pass
                """, to);
    }

    private int dropped(String link) throws Exception {
        String shown = node.host.run("tc", "-s", "-j", "qdisc", "show", "dev", link);
        return NetworkConfig.JSON.readTree(shown).path(0).path("drops").asInt();
    }

    @ParameterizedTest
    @CsvSource({
        "tc qdisc del dev VETH root, qdisc VETH has no token bucket of 1000000 bit/s",
        "tc qdisc replace dev VETH root tbf rate 3mbit burst 32k latency 25ms, has no token bucket of 1000000",
        "tc qdisc del dev IFB root, qdisc IFB has no token bucket of 2000000 bit/s",
        "tc filter del dev VETH ingress, does not lead what comes in through IFB",
        "ip link del IFB, link IFB the ifb that limits what c1/eth0 sends is gone",
        "ip link set IFB down, is down",
    })
    void checkAndAuditSeeWhatIsLostOfShaping(String command, String words) throws Exception {
        JsonNode result = node.added("c1", pod, SLOW);
        node.host.run("sh", "-c", command.replace("VETH", VETH).replace("IFB", IFB));
        String said = words.replace("VETH", VETH).replace("IFB", IFB);
        assertThat(node.checked("c1", pod, result)).contains("\"code\":103", said);
        assertThat(node.audit()).isNotEmpty();
        node.deleted("c1", pod);
        node.assertNothingLeft();
    }

    @Test
    void auditSeesAnIfbThatNobodyOwns() throws Exception {
        node.added("c1", pod, SLOW);
        node.deleted("c1", pod);
        node.host.ip("link", "add", IFB, "type", "ifb");
        assertThat(node.audit()).extracting(Finding::name).containsExactly(IFB);
        node.host.ip("link", "set", IFB, "alias", "somebody else's");
        assertThat(node.audit()).as("of another program").isEmpty();
    }

    @Test
    void anIfbOfThatNameThatIsAnothersIsLeftAlone() throws Exception {
        node.host.ip("link", "add", IFB, "type", "ifb");
        node.host.ip("link", "set", IFB, "alias", "somebody else's");
        JsonNode error = node.refused("c1", pod, "", SLOW);
        assertThat(error.path("code").asInt()).isEqualTo(102);
        assertThat(node.host.ip("link", "show", IFB)).contains("somebody else's");
        assertThat(node.node.attachments().all()).isEmpty();
    }

    // Inside the pod

    @Test
    void routesAndSettingsAreInsideThePodAndChecked() throws Exception {
        JsonNode result = node.added("c1", pod, INSIDE);
        assertThat(result.path("routes").findValuesAsText("dst"))
                .containsExactly("0.0.0.0/0", "::/0", "192.0.2.0/24", "2001:db8::/32");
        assertThat(pod.ip("route")).contains("192.0.2.0/24 via 169.254.1.1", "mtu 1300");
        assertThat(pod.ip("-6", "route", "show", "table", "100")).contains("2001:db8::/32 via fe80::1");
        assertThat(pod.run("cat", "/proc/sys/net/core/somaxconn", "/proc/sys/net/ipv4/conf/eth0/rp_filter"))
                .isEqualTo("777\n2\n");
        assertThat(node.checked("c1", pod, result)).isEmpty();
        assertThat(node.added("c1", pod, INSIDE)).as("the same ADD again").isEqualTo(result);
        pod.ip("route", "del", "192.0.2.0/24");
        assertThat(node.checked("c1", pod, result)).contains("route 192.0.2.0/24 is gone");
        pod.run("sh", "-c", "echo 778 > /proc/sys/net/core/somaxconn");
        assertThat(node.checked("c1", pod, result)).contains("net/core/somaxconn");
        node.deleted("c1", pod);
        node.assertNothingLeft();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"sysctl\":{\"net.core.somaxconn\":\"many\"}|7|many",
                "\"sysctl\":{\"net.ipv4.tcp_such_a_thing\":\"1\"}|2|tcp_such_a_thing",
                "\"routes\":[{\"dst\":\"192.0.2.0/24\",\"mtu\":1300},{\"dst\":\"192.0.2.0/24\"}]|7|another priority",
                "\"routes\":[{\"dst\":\"192.0.2.0/24\",\"gw\":\"10.1.0.7\"}]|2|169.254.1.1",
                "\"mtu\":1279|7|IPv6",
            })
    void whatCannotBeMadeInsideFailsWithoutTrace(String more, int code, String words) throws Exception {
        JsonNode error = node.refused("c1", pod, "", more);
        assertThat(error.path("code").asInt()).as("%s", error).isEqualTo(code);
        assertThat(error.toString()).contains(words);
        assertThat(pod.ip("-br", "link")).doesNotContain("eth0");
        node.assertNothingLeft();
    }

    @Test
    void theRuntimesDnsWinsOverTheConfigurations() throws Exception {
        JsonNode result = node.added(
                "c1",
                pod,
                "\"dns\":{\"nameservers\":[\"192.0.2.1\"]},"
                        + "\"runtimeConfig\":{\"dns\":{\"Servers\":[\"192.0.2.53\"],\"Searches\":[],\"Options\":[]}}");
        assertThat(result.path("dns")).hasToString("{\"nameservers\":[\"192.0.2.53\"]}");
    }

    // MTU

    @Test
    void aSmallerMtuOfAPodIsItsOwnAndPacketsToItKeepToIt() throws Exception {
        JsonNode result = node.added("c1", pod, "\"mtu\":1300");
        Space other = node.sandbox.add();
        JsonNode second = node.added("c2", other, "");
        assertThat(pod.ip("link", "show", "eth0")).contains("mtu 1300");
        assertThat(other.ip("link", "show", "eth0")).contains("mtu 1450");
        assertThat(node.host.ip("link", "show", "pw0")).as("everybody's bridge").contains("mtu 1450");
        node.elsewhere.ip("route", "add", "10.1.0.0/24", "via", FlowNode.NODE);
        node.elsewhere.ip("route", "add", "fd00:1::/64", "via", FlowNode.NODE_6);
        for (int family = 0; family < 2; family++) {
            int headers = family == 0 ? 28 : 48;
            assertThat(ping(node.elsewhere, address(second, family), 1450 - headers))
                    .contains(" 0% packet loss");
            assertThat(ping(node.elsewhere, address(result, family), 1300 - headers))
                    .contains(" 0% packet loss");
            assertThat(ping(node.elsewhere, address(result, family), 1301 - headers))
                    .as("the sender is told")
                    .containsIgnoringCase("mtu=1300");
        }
        assertThat(node.checked("c1", pod, result)).isEmpty();
        node.deleted("c1", pod);
        node.deleted("c2", other);
        node.assertNothingLeft();
    }

    /** One that must not be fragmented. */
    private static String ping(Space from, String to, int bytes) {
        return from.run("sh", "-c", "ping -M do -c1 -W2 -s " + bytes + " " + to + " 2>&1 | sed 's/mtu = /mtu=/'");
    }

    // Failures

    @ParameterizedTest
    @ValueSource(strings = {"add.sysctls", "add.shaping", "add.rules", "add.commit"})
    void whatFailsLaterTakesEverythingBack(String point) throws Exception {
        node.start(FailPoints.of(Map.of(point, "error")));
        String all = PORT.replace("]}", "],\"bandwidth\":{\"egressRate\":1000000}}");
        assertThat(node.refused("c1", pod, "", all).path("code").asInt()).isEqualTo(104);
        node.assertNothingLeft();
        JsonNode result = node.added("c1", pod, all);
        assertThat(node.checked("c1", pod, result)).isEmpty();
        assertThat(node.audit()).isEmpty();
    }

    @Test
    void aDelThatFailsAtTheConnectionsIsDoneByTheNext() throws Exception {
        node.added("c1", pod, PORT);
        node.start(FailPoints.of(Map.of("del.conntrack", "error")));
        assertThat(node.call("DEL", "c1", pod, "", "").getExitCode()).isOne();
        assertThat(node.refused("c2", node.sandbox.add(), "", PORT).path("code").asInt())
                .as("the port is not free before")
                .isEqualTo(7);
        node.deleted("c1", pod);
        node.assertNothingLeft();
        node.added("c2", node.sandbox.add(), PORT);
    }

    @Test
    void anAddThatAsksForOtherThingsThanTheFirstIsNotARepetition() throws Exception {
        node.added("c1", pod, PORT);
        JsonNode error = node.refused("c1", pod, "", SLOW);
        assertThat(error.path("code").asInt()).isEqualTo(7);
        assertThat(node.host.ip("-br", "link")).doesNotContain(IFB);
    }

    @Test
    void theNamespacesPodsGetAddressesOfThePoolsThatSelectIt() throws Exception {
        node.book.serve(new NamespacePools(
                "v1",
                new TreeMap<>(Map.of(
                        "blue",
                        new NamespacePools.Selected(IpFamily.V4, Optional.of(new TreeSet<>(List.of("shop"))))))));
        assertThat(node.call("ADD", "c1", pod, "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=a", "\"x\":1")
                        .getExitCode())
                .isZero();
        assertThat(pod.ip("-o", "addr", "show", "dev", "eth0")).contains("10.2.0.0/32");
        Space other = node.sandbox.add();
        JsonNode notFor = node.refused(
                "c2",
                other,
                "K8S_POD_NAMESPACE=db;K8S_POD_NAME=b",
                "\"runtimeConfig\":{\"io.kubernetes.cri.pod-annotations\":{\"podwire.io/pool\":\"blue\"}}");
        assertThat(notFor.path("code").asInt()).isEqualTo(7);
        assertThat(notFor.toString()).contains("pool blue is not for namespace db");
        node.book.close(Set.of(IpPrefix.parse("10.2.0.0/31")));
        JsonNode none = node.refused("c3", other, "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=c", "\"x\":1");
        assertThat(none.path("code").asInt()).isEqualTo(11);
        assertThat(none.toString())
                .contains("no free IPv4 address for namespace shop", "pool blue: ipam-service knows no pool blue");
        assertThat(node.audit()).isEmpty();
    }
}

package io.podwire.e2e.bgp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.e2e.mesh.PingRun;
import io.podwire.e2e.mesh.Shell;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.ThrowingConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The reflector beside routers that run BIRD 2, each in its own namespace. */
@Tag("lab")
final class BirdLabTest {
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final String KEY = "password \"correct-horse\";";

    private BgpNet net;
    private final List<AutoCloseable> open = new ArrayList<>();

    @BeforeEach
    void start() throws IOException {
        net = new BgpNet("""
            peers:
            - {name: signed, address: 198.51.100.11, asn: 64512, client: true, passive: true, passwordFile: $KEY,
               importRules: [203.0.113.0/24 le 32, "2001:db8:113::/48"]}
            - {name: client, address: 198.51.100.12, asn: 64512, client: true, passive: true, addPaths: 4,
               importRules: [0.0.0.0/0 le 32, "::/0 le 128"]}
            - {name: mesh-a, address: 198.51.100.13, asn: 64512, importRules: [0.0.0.0/0 ge 1 le 32]}
            - {name: mesh-b, address: 198.51.100.14, asn: 64512, importRules: [0.0.0.0/0 ge 1 le 32]}
            - {name: border, address: 198.51.100.15, asn: 64515, ttlSecurity: true, communities: ["64512:7"],
               largeCommunities: ["64512:7:8"], importRules: [0.0.0.0/0 ge 1 le 32]}
            - {name: far, address: 198.51.100.17, asn: 64517, ttlSecurity: true, passive: true}
            - {name: six, address: "2001:db8:64::16", asn: 64516, port: 1790, maxPrefixes: 2,
               importRules: ["2000::/3 le 64"]}
            """);
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable resource : open) {
            resource.close();
        }
        net.close();
    }

    @Test
    void aSignedClientsRoutesReachAllOthersWithTheRightAttributes() {
        Bird signed = bird("signed", 11, 64512, KEY, "203.0.113.0/24", "2001:db8:113::/48", "192.0.2.0/24");
        Bird client = bird("client", 12, 64512, "");
        Bird mesh = bird("mesh-a", 13, 64512, "");
        Bird border = bird("border", 15, 64515, "ttl security on;");
        net.awaitEstablished("signed", "client", "mesh-a", "border");
        for (Bird internal : List.of(client, mesh)) {
            eventually(
                    () -> internal.route("203.0.113.0/24"),
                    text -> assertThat(text)
                            .contains("BGP.next_hop: 198.51.100.11")
                            .contains("BGP.local_pref: 100")
                            .contains("BGP.originator_id: 198.51.100.11")
                            .contains("BGP.cluster_list: 198.51.100.1")
                            .containsPattern("BGP.as_path: *\n"));
            eventually(
                    () -> internal.route("2001:db8:113::/48"),
                    text -> assertThat(text)
                            .contains("BGP.next_hop: 2001:db8:64::11")
                            .contains("BGP.originator_id: 198.51.100.11"));
        }
        assertThat(client.route("192.0.2.0/24")).as("no rule takes it").doesNotContain("BGP");
        assertThat(border.route("203.0.113.0/24"))
                .as("no rule gives it to another AS")
                .doesNotContain("BGP");
        assertThat(signed.route("203.0.113.0/24"))
                .as("not back to where it is from")
                .doesNotContain("originator");

        assertThat(net.podwire("bgp", "peers"))
                .containsPattern("signed +198.51.100.11 +64512 +client +Established")
                .containsPattern("border +198.51.100.15 +64515 +external +Established")
                .containsPattern("mesh-b +198.51.100.14 +64512 +non-client +(Active|Connect)");
        assertThat(net.podwire("bgp", "routes")).containsPattern("203.0.113.0/24 +198.51.100.11 +peer 198.51.100.11");
        assertThat(net.podwire("bgp", "explain", "203.0.113.77"))
                .contains("203.0.113.0/24", "in use", "told to client, mesh-a");
    }

    @Test
    void nonClientsAreToldWhatClientsAndNodesHaveAlone() {
        Bird a = bird("mesh-a", 13, 64512, "", "203.0.113.0/24");
        Bird b = bird("mesh-b", 14, 64512, "", "192.0.2.0/24");
        Bird client = bird("client", 12, 64512, "");
        net.awaitEstablished("mesh-a", "mesh-b", "client");
        eventually(
                () -> client.route("203.0.113.0/24"), text -> assertThat(text).contains("198.51.100.13"));
        eventually(() -> client.route("192.0.2.0/24"), text -> assertThat(text).contains("198.51.100.14"));
        var _ = net.node("node-1", 50, "10.244.1.0/26");
        for (Bird mesh : List.of(a, b)) {
            eventually(
                    () -> mesh.route("10.244.1.0/26"),
                    text -> assertThat(text).contains("BGP.next_hop: 198.51.100.50"));
        }
        assertThat(a.route("192.0.2.0/24")).doesNotContain("BGP");
        assertThat(b.route("203.0.113.0/24")).doesNotContain("BGP");
    }

    @Test
    void nodesPrefixesAreKnownToTheNetworkOfBothFamiliesOverEitherTransport() {
        var node = net.node("node-1", 50, "10.244.1.0/26", "fd00:244:1::/122");
        Bird border = bird("border", 15, 64515, "ttl security on;");
        Bird six = open(Bird.overIpv6(net, "six", 16, 64516, "passive yes; local port 1790;", "2001:db8:16::/48"))
                .start();
        net.awaitEstablished("border", "six");
        for (Bird router : List.of(border, six)) {
            eventually(
                    () -> router.route("10.244.1.0/26"),
                    text -> assertThat(text)
                            .contains(
                                    "via 198.51.100.50 on eth0", "BGP.as_path: 64512", "BGP.next_hop: 198.51.100.50"));
            eventually(
                    () -> router.route("fd00:244:1::/122"),
                    text -> assertThat(text).contains("via 2001:db8:64::50 on eth0", "BGP.next_hop: 2001:db8:64::50"));
        }
        assertThat(border.route("10.244.1.0/26"))
                .contains("BGP.community: (64512,7)", "BGP.large_community: (64512, 7, 8)");

        node.onNext(BgpNet.announcement("node-1", 50, "10.244.1.64/26", "fd00:244:1::/122"));
        eventually(() -> six.route("10.244.1.0/26"), text -> assertThat(text).doesNotContain("BGP"));
        eventually(() -> six.route("10.244.1.64/26"), text -> assertThat(text).contains("198.51.100.50"));
    }

    /** RFC 7911: two routers have the same prefix, and a third one is told both. */
    @Test
    void whoTakesSeveralPathsIsToldAllThatAreAsGood() {
        Bird one = bird("signed", 11, 64512, KEY, "203.0.113.0/24", "2001:db8:113::/48");
        Bird two = bird("mesh-a", 13, 64512, "", "203.0.113.0/24");
        Bird client = bird("client", 12, 64512, "");
        net.awaitEstablished("signed", "mesh-a", "client");
        eventually(
                () -> client.route("203.0.113.0/24"),
                text -> assertThat(text).contains("BGP.next_hop: 198.51.100.11", "BGP.next_hop: 198.51.100.13"));
        eventually(
                () -> client.route("2001:db8:113::/48"),
                text -> assertThat(text).contains("BGP.next_hop: 2001:db8:64::11"));
        assertThat(two.ask("disable", "static1")).contains("disabled");
        eventually(
                () -> client.route("203.0.113.0/24"),
                text -> assertThat(text)
                        .contains("BGP.next_hop: 198.51.100.11")
                        .doesNotContain("BGP.next_hop: 198.51.100.13"));
        assertThat(one.ask("disable", "static1")).contains("disabled");
        eventually(
                () -> client.route("203.0.113.0/24"), text -> assertThat(text).doesNotContain("BGP"));
    }

    @Test
    void aRefreshTellsAllAgain() {
        var _ = net.node("node-1", 50, "10.244.1.0/26");
        Bird client = bird("client", 12, 64512, "");
        net.awaitEstablished("client");
        eventually(() -> client.route("10.244.1.0/26"), text -> assertThat(text).contains("BGP"));
        assertThat(imported(client)).isEqualTo(1);
        var _ = client.ask("reload", "in", "up");
        await().atMost(SOON).untilAsserted(() -> assertThat(imported(client)).isEqualTo(2));
    }

    @Test
    void wrongKeysAndPacketsFromAfarGetNoSession() {
        Bird unsigned = bird("signed", 11, 64512, "password \"wrong\"; debug { events };");
        Bird dialed = bird("border", 15, 64515, "multihop 2; passive yes; debug { events };");
        Bird dials = bird("far", 17, 64517, "multihop 2; debug { events };");
        var _ = bird("client", 12, 64512, "");
        net.awaitEstablished("client");
        await("several attempts").atMost(SOON).until(() -> unsigned.daemon().logged("Connecting to") >= 3);
        // BIRD answers whom dials it with a TTL of 255, and says all else with 2.
        await("the reflector's attempt")
                .atMost(SOON)
                .until(() -> dialed.daemon().logged("Incoming connection") >= 1);
        await("an attempt").atMost(SOON).until(() -> dials.daemon().logged("Connecting to") >= 1);
        assertThat(dials.daemon().logged("Connected"))
                .as("its SYN was not answered")
                .isZero();
        assertThat(net.peer("signed").getSessions()).isZero();
        assertThat(net.peer("border").getSessions()).isZero();
        assertThat(net.peer("far").getSessions()).isZero();
        assertThat(net.peer("client").getState()).isEqualTo("Established");
    }

    @Test
    void onePrefixTooManyAndAWrongAsAreAnsweredAsTheRfcSays() {
        Bird six = open(Bird.overIpv6(
                        net,
                        "six",
                        16,
                        64516,
                        "passive yes; local port 1790;",
                        "2001:db8:16::/48",
                        "2001:db8:17::/48",
                        "2001:db8:18::/48"))
                .start();
        Bird wrong = bird("client", 12, 64999, "");
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(six.daemon().logTail() + six.ask("show", "protocols", "all", "up"))
                        .contains("Maximum number of prefixes reached"));
        await().atMost(SOON)
                .untilAsserted(() ->
                        assertThat(wrong.ask("show", "protocols", "all", "up")).contains("Bad peer AS"));
        assertThat(net.peer("six").getState()).isEqualTo("Stopped");
    }

    /** BIRD is killed and comes back; then the reflector is. All the while a pod behind a node is reached. */
    @Test
    void podsAreReachedFromBehindARouterWhileBothRestart() throws Exception {
        var _ = net.node("node-1", 50, "10.244.1.0/26");
        net.namespace("node-1", 50);
        Shell.output("ip", "-n", "node-1", "addr", "add", "10.244.1.7/32", "dev", "lo");
        Bird client = bird("client", 12, 64512, "");
        Bird origin = bird("mesh-a", 13, 64512, "", "203.0.113.0/24");
        Shell.output("ip", "netns", "add", "behind");
        open(() -> Shell.output("ip", "netns", "delete", "behind"));
        Shell.output(
                "ip", "-n", "client", "link", "add", "in", "type", "veth", "peer", "name", "eth0", "netns", "behind");
        Shell.output("ip", "-n", "client", "link", "set", "in", "up");
        Shell.output("ip", "-n", "client", "addr", "add", "192.0.2.1/24", "dev", "in");
        Shell.output("ip", "netns", "exec", "client", "sysctl", "-qw", "net.ipv4.ip_forward=1");
        Shell.output("ip", "-n", "behind", "link", "set", "eth0", "up");
        Shell.output("ip", "-n", "behind", "addr", "add", "192.0.2.2/24", "dev", "eth0");
        Shell.output("ip", "-n", "behind", "route", "add", "default", "via", "192.0.2.1");
        Shell.output("ip", "-n", "node-1", "route", "add", "default", "via", BgpNet.address(12));
        net.awaitEstablished("client", "mesh-a");
        await("the kernel of the router knows the way")
                .atMost(SOON)
                .untilAsserted(() -> assertThat(Shell.output("ip", "-n", "client", "route"))
                        .contains("10.244.1.0/26 via 198.51.100.50", "203.0.113.0/24"));
        PingRun traffic = open(PingRun.start("/run/netns/behind", "10.244.1.7", Duration.ofMillis(20)));
        traffic.awaitReplies(10);

        origin.daemon().kill();
        await().atMost(SOON)
                .untilAsserted(
                        () -> assertThat(net.peer("mesh-a").getRestarting()).isTrue());
        assertThat(client.route("203.0.113.0/24")).as("kept").contains("198.51.100.13");
        origin.start("-R");
        net.awaitEstablished("mesh-a");
        await().atMost(SOON)
                .untilAsserted(
                        () -> assertThat(net.peer("mesh-a").getRestarting()).isFalse());
        assertThat(client.route("203.0.113.0/24")).as("told anew").contains("198.51.100.13");

        net.reflector().kill();
        await("BIRD has noticed")
                .atMost(SOON)
                .untilAsserted(() -> assertThat(client.ask("show", "protocols", "all", "up"))
                        .contains("Neighbor graceful restart active"));
        net.reflector().start(List.of());
        net.awaitEstablished("client", "mesh-a");
        var _ = net.node("node-1", 50, "10.244.1.0/26");
        eventually(() -> client.route("10.244.1.0/26"), text -> assertThat(text).contains("198.51.100.50"));
        traffic.awaitReplies(traffic.replies() + 10);
        assertThat(traffic.end()).as("packets without a reply").isEmpty();
    }

    private static int imported(Bird bird) {
        // Received, rejected, filtered, ignored, accepted.
        return bird.ask("show", "protocols", "all", "up")
                .lines()
                .filter(line -> line.contains("Import updates:"))
                .findFirst()
                .map(line ->
                        Integer.parseInt(line.replaceFirst(".*updates: *", "").replaceFirst(" .*", "")))
                .orElse(-1);
    }

    private Bird bird(String name, int number, long asn, String session, String... statics) {
        return open(new Bird(net, name, number, asn, session, statics)).start();
    }

    private <T extends AutoCloseable> T open(T resource) {
        open.add(resource);
        return resource;
    }

    private static void eventually(java.util.function.Supplier<String> asked, ThrowingConsumer<String> holds) {
        await().atMost(SOON).untilAsserted(() -> holds.accept(asked.get()));
    }
}

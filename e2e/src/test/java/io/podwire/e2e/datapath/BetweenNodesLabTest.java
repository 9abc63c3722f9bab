package io.podwire.e2e.datapath;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.cli.lab.CniAttachment;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.e2e.datapath.TwoSubnets.PodAt;
import io.podwire.e2e.mesh.PingRun;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** Packets of both families between pods of nodes on one subnet and on two, in each mode, and out of the cluster. */
@Tag("lab")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class BetweenNodesLabTest {
    private static final Duration SOON = Duration.ofSeconds(20);
    private static final int MESSAGES = 100;

    private TwoSubnets net;
    private PodAt one;
    private PodAt two;
    private PodAt three;

    @BeforeAll
    void start() throws IOException {
        net = new TwoSubnets(Path.of(System.getProperty("podwire.home", "../cli/target/podwire")));
        crossSubnet();
        one = net.node(1).pod("d-pod1");
        two = net.node(2).pod("d-pod2");
        three = net.node(3).pod("d-pod3");
    }

    @AfterAll
    void stop() {
        net.close();
    }

    private void crossSubnet() {
        net.start(
                "--mtu",
                "1500",
                "--masquerade",
                TwoSubnets.POOL + "," + TwoSubnets.POOL_6,
                "--masquerade-except",
                TwoSubnets.PARTNER + "/32",
                "--stale-routes-after",
                "PT8S");
    }

    @Test
    void acrossSubnetsPacketsGoInVxlanAndOnOneAsTheyAre() {
        awaitReached(one, two);
        awaitReached(one, three);
        await("pods have the MTU").atMost(SOON).until(() -> havePodsMtu(1500));
        long before = net.node(1).tunnelled();
        assertReached(one, two, 1500);
        assertThat(net.node(1).tunnelled()).as("to the same subnet").isEqualTo(before);
        // Of what is too long for the tunnel alone the sender is told, and by which length it is not.
        assertThat(one.ping(three.four(), 1451).stdout()).contains("Frag needed and DF set (mtu = 1450)");
        assertThat(one.ping(three.six(), 1451).stdout()).contains("Packet too big: mtu=1450");
        assertThat(net.node(1).tunnelled()).isEqualTo(before);
        assertReached(one, three, 1450);
        assertThat(net.node(1).tunnelled()).as("to the other subnet").isEqualTo(before + 2);
    }

    private boolean havePodsMtu(int mtu) {
        return one.mtu() == mtu && two.mtu() == mtu && three.mtu() == mtu;
    }

    @Test
    void everyPacketGoesInVxlanOverIpv6WhereTheNodesAreChosenSo() {
        net.start("--route-mode", "vxlan", "--underlay-cidr", "2001:db8::/32");
        try {
            await("pods have the MTU").atMost(SOON).until(() -> havePodsMtu(1430));
            awaitReached(one, two);
            awaitReached(one, three);
            long before = net.node(1).tunnelled();
            assertReached(one, two, 1430);
            assertReached(one, three, 1430);
            assertThat(net.node(1).tunnelled()).isEqualTo(before + 4);
            assertThat(TwoSubnets.ip("d-node1", "-d link show pwvx"))
                    .contains(
                            "local 2001:db8:a::11 dev eth0",
                            "srcport 49152 65535",
                            "nolearning",
                            " udpcsum noudp6zerocsumtx noudp6zerocsumrx",
                            "mtu 1430 ");
        } finally {
            crossSubnet();
        }
    }

    @Test
    void directlyPacketsOfWholeLengthGoWhereTheRoutersKnowTheBlocks() {
        net.routersKnowBlocks(true);
        net.start("--route-mode", "direct");
        try {
            await("pods have the MTU").atMost(SOON).until(() -> havePodsMtu(1500));
            awaitReached(one, two);
            awaitReached(one, three);
            assertReached(one, two, 1500);
            assertReached(one, three, 1500);
            assertThat(net.node(1).tunnelled()).as("no VXLAN device").isEqualTo(-1);
            assertThat(net.node(1).routes())
                    .contains("via 198.18.0.12 dev eth0")
                    .doesNotContain("198.18.1.13");
        } finally {
            net.routersKnowBlocks(false);
            crossSubnet();
        }
    }

    @Test
    void anAddressThatNoPodHasIsRefusedByItsNodeAndNoRouterSeesThePacket() {
        awaitReached(one, two);
        for (PodAt pod : List.of(one, two)) {
            for (String nobodys : List.of(unassigned(pod.four()), unassigned(pod.six()))) {
                assertThat(TwoSubnets.routed(nobodys)).isZero();
                assertThat(one.ping(nobodys, 100).stdout())
                        .as("ping %s", nobodys)
                        .containsIgnoringCase("unreachable");
                assertThat(TwoSubnets.routed(nobodys)).as("at the router").isZero();
            }
        }
    }

    /** The last address of the block of this one: 64 addresses in either family, and few are used. */
    private static String unassigned(String address) {
        int last = address.lastIndexOf(address.contains(":") ? ':' : '.') + 1;
        int radix = address.contains(":") ? 16 : 10;
        return address.substring(0, last)
                + Integer.toString(Integer.parseInt(address.substring(last), radix) | 63, radix);
    }

    @Test
    void whatLeavesTheClusterHasTheNodesAddressAndWhatIsExceptedThePods() {
        net.countOutside(TwoSubnets.OUTSIDE, "198.18.0.11", one.four());
        assertThat(one.ping(TwoSubnets.OUTSIDE, 1400).exitCode()).isZero();
        assertThat(net.seenOutside())
                .containsPattern("saddr 198.18.0.11 .* packets 1 ")
                .containsPattern("saddr " + one.four() + " .* packets 0 ");
        net.countOutside(TwoSubnets.OUTSIDE_6, "2001:db8:a::11", one.six());
        assertThat(one.ping(TwoSubnets.OUTSIDE_6, 1400).exitCode()).isZero();
        assertThat(net.seenOutside())
                .containsPattern("saddr 2001:db8:a::11 .* packets 1 ")
                .containsPattern("saddr " + one.six() + " .* packets 0 ");
        net.countOutside(TwoSubnets.PARTNER, "198.18.0.11", one.four());
        var _ = one.ping(TwoSubnets.PARTNER, 1400);
        assertThat(net.seenOutside())
                .containsPattern("saddr 198.18.0.11 .* packets 0 ")
                .containsPattern("saddr " + one.four() + " .* packets 1 ");
    }

    @Test
    void aSingleAddressIsKnownToTheReflectorsWhenItsAddAnswers() {
        ObjectNode values = JsonNodeFactory.instance.objectNode();
        values.putObject("io.kubernetes.cri.pod-annotations").put("podwire.io/reserve", "true");
        PodAt single = net.node(2).pod(TestPod.make("d-web-0"), pod -> {
            CniAttachment plain = CniAttachment.pod(
                    "shop",
                    "d-web-0",
                    "uid-d-web-0",
                    pod.containerId(),
                    pod.netns().toString());
            return new CniAttachment(plain.containerId(), plain.netns(), plain.ifname(), plain.args(), values);
        });
        assertThat(net.routesOf(1).toString() + net.routesOf(2))
                .contains("\"" + single.four() + "/32\"", "\"" + single.six() + "/128\"");
        awaitReached(one, single);
        awaitReached(three, single);
    }

    @Test
    void aNodeThatGetsAnotherAddressIsReachedThereWithoutARestart() throws Exception {
        awaitReached(one, two);
        awaitReached(three, two);
        try (PingRun direct = PingRun.start(one.pod(), two.four(), Duration.ofMillis(100));
                PingRun tunnelled = PingRun.start(three.pod(), two.six(), Duration.ofMillis(100))) {
            direct.awaitReplies(3);
            tunnelled.awaitReplies(3);
            net.node(2).move("198.18.0.12", "198.18.0.77");
            await("the other nodes' routes").atMost(SOON).untilAsserted(() -> {
                assertThat(net.node(1).routes())
                        .contains("via 198.18.0.77 dev eth0")
                        .doesNotContain("198.18.0.12");
                assertThat(TwoSubnets.ip("d-node3", "neigh show dev pwvx")).isNotEmpty();
            });
            int before = direct.replies();
            int before6 = tunnelled.replies();
            direct.awaitReplies(before + 3);
            tunnelled.awaitReplies(before6 + 3);
        } finally {
            net.node(2).move("198.18.0.77", "198.18.0.12");
        }
        await("back again")
                .atMost(SOON)
                .untilAsserted(() -> assertThat(net.node(1).routes()).contains("via 198.18.0.12 dev eth0"));
        awaitReached(one, two);
    }

    @Test
    void routesStayWithOneReflectorAndWithNoneAndAStaleNodeGoesSomeTimeAfterAReturn() throws Exception {
        awaitReached(one, two);
        awaitReached(one, three);
        String block = IpPrefix.containing(IpAddress.parse(three.four()), 26).toString();
        try (PingRun ping = PingRun.start(one.pod(), two.four(), Duration.ofMillis(50))) {
            ping.awaitReplies(3);
            net.reflector(1).kill();
            PodAt late = net.node(3).pod("d-late");
            awaitReached(one, late);
            net.reflector(2).kill();
            net.node(3).shim().kill();
            ping.awaitReplies(ping.replies() + 20);
            assertThat(one.ping(three.four(), 100).exitCode())
                    .as("node 3's kernel goes on without node-shim")
                    .isZero();

            net.reflector(1).start(List.of());
            await("nodes 1 and 2 are back")
                    .atMost(SOON)
                    .ignoreExceptions()
                    .untilAsserted(() -> assertThat(net.routesOf(1)).hasSize(2));
            assertThat(net.node(1).routes()).as("node 3 may come yet").contains(block + " via");
            await("node 3 does not come")
                    .atMost(SOON)
                    .untilAsserted(() -> assertThat(net.node(1).routes()).doesNotContain(block + " via"));
            assertThat(ping.end()).as("packets lost through all of it").isEmpty();
        } finally {
            net.reflector(2).start(List.of());
            net.node(3).shim().start(List.of());
        }
        crossSubnet();
        awaitReached(one, three);
    }

    @Test
    void packetsOfConnectionsTakeTheFastPathOnBothNodesDirectlyAndInVxlan() throws Exception {
        for (int number : new int[] {2, 3}) {
            PodAt other = number == 2 ? two : three;
            for (String address : List.of(other.four(), other.six())) {
                try (Connection connection = Connection.between(one, other, address)) {
                    await("both nodes' fast path to " + address).atMost(SOON).untilAsserted(() -> {
                        long sender = net.node(1).shortCuts();
                        long receiver = net.node(number).shortCuts();
                        long tunnelled = net.node(1).tunnelled();
                        connection.exchange(MESSAGES);
                        // A message and an answer; what they acknowledge may go with them.
                        assertThat(net.node(1).shortCuts() - sender).isGreaterThan(MESSAGES * 9L / 5);
                        assertThat(net.node(number).shortCuts() - receiver).isGreaterThan(MESSAGES * 9L / 5);
                        assertThat(net.node(1).tunnelled() - tunnelled > MESSAGES)
                                .as("in VXLAN")
                                .isEqualTo(number == 3);
                    });
                }
            }
        }
    }

    private static void awaitReached(PodAt from, PodAt to) {
        await("routes and neighbours are there").atMost(SOON).untilAsserted(() -> assertReached(from, to, 100));
    }

    /** In both families, by a packet of this length. */
    private static void assertReached(PodAt from, PodAt to, int bytes) {
        for (String address : List.of(to.four(), to.six())) {
            Shell.Ended said = from.ping(address, bytes);
            assertThat(said.exitCode())
                    .as("%d bytes from %s to %s: %s%s", bytes, from.four(), address, said.stdout(), said.stderr())
                    .isZero();
        }
    }
}

package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.podwire.common.net.IpAddress;
import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netlink.rt.Qdisc;
import io.podwire.node.netlink.rt.QdiscKind;
import io.podwire.node.netlink.rt.Redirect;
import io.podwire.node.netlink.rt.Scope;
import io.podwire.node.netlink.rt.TokenBucket;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Shaping in a real kernel, beside what tc(8) says of it. */
@Tag("netns")
@Timeout(60)
class TrafficControlNetnsTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long MEGABIT = 125_000;
    private static final TokenBucket TEN = TokenBucket.withLatency(10 * MEGABIT, 32 << 10, Duration.ofMillis(25));

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private Space host;
    private Space pod;
    private Rtnetlink netlink;
    private TrafficControl traffic;
    private int veth;

    @BeforeEach
    void open() {
        host = sandbox.add();
        pod = sandbox.add();
        netlink = Rtnetlink.open(host.netns());
        traffic = netlink.trafficControl();
        veth = add(
                "ve0",
                new NewLinkKind.Veth(
                        "eth0",
                        Optional.empty(),
                        OptionalInt.empty(),
                        pod.netns().fd()));
    }

    @AfterEach
    void removeSandbox() {
        netlink.close();
        sandbox.close();
    }

    private int add(String name, NewLinkKind kind) {
        return netlink.addLink(new NewLink(
                name, kind, Optional.empty(), OptionalInt.empty(), OptionalInt.empty(), true, Optional.empty()));
    }

    private JsonNode tc(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of("tc", "-j", "-s"));
        command.addAll(List.of(arguments));
        return JSON.readTree(host.run(command.toArray(String[]::new)));
    }

    private QdiscKind.TokenBucketQueue bucketOf(int ifindex) {
        return traffic.qdiscs(ifindex).stream()
                .map(Qdisc::kind)
                .filter(QdiscKind.TokenBucketQueue.class::isInstance)
                .map(QdiscKind.TokenBucketQueue.class::cast)
                .findFirst()
                .orElseThrow();
    }

    @Test
    void aBucketIsAsTcSeesIt() throws Exception {
        traffic.shape(veth, TEN);
        JsonNode seen = tc("qdisc", "show", "dev", "ve0").get(0);
        assertThat(seen.path("kind").asText()).as("kind").isEqualTo("tbf");
        assertThat(seen.path("root").asBoolean()).as("root").isTrue();
        assertThat(seen.path("options").path("rate").asLong()).as("rate").isEqualTo(10 * MEGABIT);
        assertThat(seen.path("options").path("burst").asLong()).as("burst").isBetween(32_760L, 32_776L);
        assertThat(seen.path("options").path("lat").asLong())
                .as("latency in us")
                .isBetween(24_900L, 25_100L);
        assertThat(TEN.matches(bucketOf(veth))).as("as it is read").isTrue();
    }

    @Test
    void everyBucketIsFoundAgain() {
        for (long rate : new long[] {1, 1000, MEGABIT, 1_250_000_000L, 5_000_000_000L, 100_000_000_000L}) {
            for (long burst : new long[] {1600, 32 << 10, 0xFFFF_FFFFL / 8, 0xFFFF_FFFFL}) {
                TokenBucket bucket = new TokenBucket(rate, burst, 1 << 20);
                traffic.shape(veth, bucket);
                assertThat(bucket.matches(bucketOf(veth)))
                        .as("%s told as %s", bucket, bucketOf(veth))
                        .isTrue();
            }
        }
    }

    @Test
    void anotherRateTakesThePlaceOfTheFirstAndOfWhatIsThere() {
        host.run("tc", "qdisc", "add", "dev", "ve0", "root", "pfifo");
        assertThat(traffic.qdiscs(veth))
                .as("somebody's")
                .containsExactly(new Qdisc(veth, new QdiscKind.Other("pfifo")));
        TokenBucket twenty = TokenBucket.withLatency(20 * MEGABIT, 64 << 10, Duration.ofMillis(25));
        for (TokenBucket bucket : List.of(TEN, TEN, twenty)) {
            traffic.shape(veth, bucket);
            assertThat(traffic.qdiscs(veth)).as("queueing disciplines").hasSize(1);
            assertThat(bucket.matches(bucketOf(veth))).as("is %s", bucket).isTrue();
        }
        assertThat(TEN.matches(bucketOf(veth))).as("is no more the first").isFalse();
        assertThat(traffic.unshape(veth)).as("delete").isTrue();
        assertThat(traffic.unshape(veth)).as("delete again").isFalse();
        assertThat(traffic.qdiscs(veth))
                .as("the kernel's")
                .containsExactly(new Qdisc(veth, new QdiscKind.Other("noqueue")));
        netlink.deleteLink(veth);
        assertThat(traffic.unshape(veth)).as("of a gone link").isFalse();
        assertThatThrownBy(() -> traffic.shape(veth, TEN))
                .as("a gone link")
                .asInstanceOf(InstanceOfAssertFactories.type(NetlinkException.class))
                .extracting(NetlinkException::errno)
                .isEqualTo(Errno.ENODEV);
    }

    @Test
    void whatComesInGoesThroughTheOtherDevice() throws Exception {
        int ifb = add("ifb0", new NewLinkKind.Ifb());
        assertThat(traffic.redirects(veth)).as("none yet").isEmpty();
        traffic.replaceRedirect(new Redirect(veth, ifb));
        traffic.replaceRedirect(new Redirect(veth, ifb));
        traffic.shape(ifb, TEN);
        assertThat(traffic.redirects(veth)).as("redirections").containsExactly(new Redirect(veth, ifb));
        assertThat(host.run("tc", "filter", "show", "dev", "ve0", "ingress"))
                .as("as tc sees it")
                .contains("pref 112", "mirred (Egress Redirect to device ifb0) stolen");
        netlink.replaceAddress(new InterfaceAddress(veth, IpAddress.parse("10.1.0.1"), 24, Scope.GLOBAL));
        try (Rtnetlink inside = Rtnetlink.open(pod.netns())) {
            int eth0 = inside.link("eth0").orElseThrow().index();
            inside.setUp(eth0);
            inside.replaceAddress(new InterfaceAddress(eth0, IpAddress.parse("10.1.0.2"), 24, Scope.GLOBAL));
        }
        assertThat(pod.run("ping", "-c3", "-i0.01", "-W5", "10.1.0.1"))
                .as("ping")
                .contains(" 0% packet loss");
        assertThat(tc("qdisc", "show", "dev", "ifb0").get(0).path("packets").asInt())
                .as("packets through the bucket")
                .isGreaterThanOrEqualTo(3);
    }

    @Test
    void aRedirectionMovesAndLeavesOthersFiltersAlone() {
        int one = add("ifb0", new NewLinkKind.Ifb());
        int two = add("ifb1", new NewLinkKind.Ifb());
        host.run("tc", "qdisc", "add", "dev", "ve0", "clsact");
        host.run(
                "sh",
                "-c",
                "tc filter add dev ve0 ingress protocol all pref 7 u32 match u32 0 0 action mirred egress"
                        + " mirror dev ifb0");
        for (int target : new int[] {one, two}) {
            traffic.replaceRedirect(new Redirect(veth, target));
            assertThat(traffic.redirects(veth)).as("redirections").containsExactly(new Redirect(veth, target));
        }
        host.run(
                "tc",
                "filter",
                "add",
                "dev",
                "ve0",
                "ingress",
                "protocol",
                "all",
                "pref",
                "112",
                "u32",
                "match",
                "u32",
                "0",
                "0",
                "action",
                "mirred",
                "egress",
                "redirect",
                "dev",
                "ifb0");
        assertThat(traffic.redirects(veth)).as("one too many").hasSize(2);
        traffic.replaceRedirect(new Redirect(veth, two));
        assertThat(traffic.redirects(veth)).as("repaired").containsExactly(new Redirect(veth, two));
        assertThat(traffic.deleteRedirect(veth)).as("delete").isTrue();
        assertThat(traffic.deleteRedirect(veth)).as("delete again").isFalse();
        assertThat(host.run("tc", "filter", "show", "dev", "ve0", "ingress"))
                .as("somebody's filter")
                .contains("pref 7")
                .doesNotContain("pref 112");
        assertThat(traffic.deleteRedirect(one))
                .as("of a device without an ingress")
                .isFalse();
        netlink.deleteLink(veth);
        assertThat(traffic.deleteRedirect(veth)).as("of a gone link").isFalse();
        assertThat(traffic.redirects(veth)).as("of a gone link").isEmpty();
        assertThatThrownBy(() -> traffic.replaceRedirect(new Redirect(one, 4711)))
                .as("to a device that is not there")
                .isInstanceOf(NetlinkException.class)
                .hasMessageContaining("Redirect[ifindex=" + one + ", target=4711]");
    }
}

package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.plan.RouteMode;
import io.podwire.node.plan.UnderlayChoice;
import io.podwire.node.plan.UnderlayEnd;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("netns")
final class UnderlayNetnsTest {
    private static final UnderlayChoice DEFAULT = new UnderlayChoice(List.of(), List.of());

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private Space node;
    private Rtnetlink host;

    @BeforeEach
    void prepare() {
        node = sandbox.add();
        host = Rtnetlink.open(node.netns());
        node.ip("link", "add", "one", "mtu", "1400", "type", "veth", "peer", "name", "onep");
        node.ip("link", "add", "two", "type", "veth", "peer", "name", "twop");
        node.ip("link", "set", "onep", "up");
        node.ip("link", "set", "twop", "up");
        node.ip("link", "set", "one", "up");
        node.ip("link", "set", "two", "up");
        node.ip("addr", "add", "198.51.100.9/26", "dev", "one");
        node.ip("addr", "add", "203.0.113.9/24", "dev", "two");
    }

    @AfterEach
    void remove() {
        host.close();
        sandbox.close();
    }

    @Test
    void aNamedInterfaceIsTaken() {
        Underlay one = Underlay.find(host, named("one"));
        assertThat(one.ifname()).isEqualTo("one");
        assertThat(one.address()).isEqualTo(IpAddress.parse("198.51.100.9"));
        assertThat(one.ends()).containsExactly(new UnderlayEnd(one.address(), 26));
        assertThat(one.mtu()).isEqualTo(1400);
        assertThat(one.innerMtu()).isEqualTo(1350);
    }

    @Test
    void anInterfaceOfBothFamiliesHasAnEndOfEachAndVxlanLeavesByIpv4() {
        node.ip("addr", "add", "2001:db8::9/64", "dev", "one", "nodad");
        Underlay one = Underlay.find(host, named("one"));
        assertThat(one.ends())
                .containsExactly(
                        new UnderlayEnd(IpAddress.parse("198.51.100.9"), 26),
                        new UnderlayEnd(IpAddress.parse("2001:db8::9"), 64));
        assertThat(one.address()).isEqualTo(IpAddress.parse("198.51.100.9"));
        assertThat(one.innerMtu()).isEqualTo(1350);
    }

    @Test
    void withoutIpv4VxlanLeavesByIpv6() {
        node.ip("addr", "flush", "dev", "one");
        node.ip("addr", "add", "2001:db8::9/64", "dev", "one", "nodad");
        node.ip("-6", "route", "add", "default", "via", "2001:db8::1", "dev", "one");
        Underlay one = Underlay.find(host, DEFAULT);
        assertThat(one.ifname()).isEqualTo("one");
        assertThat(one.address()).isEqualTo(IpAddress.parse("2001:db8::9"));
        assertThat(one.innerMtu()).as("20 bytes less than over IPv4").isEqualTo(1330);
    }

    @Test
    void elseTheDefaultRoutesIs() {
        node.ip("route", "add", "default", "via", "203.0.113.1");
        assertThat(Underlay.find(host, DEFAULT).ifname()).isEqualTo("two");
    }

    @Test
    void ofTwoDefaultRoutesTheOneWithTheLowestMetricIs() {
        node.ip("route", "add", "default", "via", "198.51.100.1", "metric", "200");
        node.ip("route", "add", "default", "via", "203.0.113.1", "metric", "100");
        assertThat(Underlay.find(host, DEFAULT).ifname()).isEqualTo("two");
        node.ip("route", "add", "default", "via", "198.51.100.1", "metric", "50");
        assertThat(Underlay.find(host, DEFAULT).ifname()).isEqualTo("one");
    }

    private static UnderlayChoice named(String... interfaces) {
        return new UnderlayChoice(List.of(interfaces), List.of());
    }

    private static UnderlayChoice within(String... networks) {
        return new UnderlayChoice(
                List.of(), Arrays.stream(networks).map(IpPrefix::parse).toList());
    }

    @Test
    void ofSeveralNamesTheFirstThatIsThereAndHasAnAddressIs() {
        node.ip("link", "add", "bare", "type", "bridge");
        assertThat(Underlay.find(host, named("none", "bare", "two", "one")).ifname())
                .isEqualTo("two");
    }

    @Test
    void theFirstNetworkThatTheNodeIsInDecidesAndOfOtherAddressesNoneIsTold() {
        node.ip("addr", "add", "2001:db8::9/64", "dev", "two", "nodad");
        node.ip("addr", "add", "203.0.113.10/24", "dev", "two");
        node.ip("link", "add", "pwvx", "type", "bridge");
        node.ip("addr", "add", "192.0.2.9/32", "dev", "pwvx");
        Underlay six = Underlay.find(host, within("192.0.2.0/24", "2001:db8::/32", "198.51.100.0/24"));
        assertThat(six.ifname()).as("Podwire's own links are none").isEqualTo("two");
        assertThat(six.ends()).containsExactly(new UnderlayEnd(IpAddress.parse("2001:db8::9"), 64));
        assertThat(six.innerMtu()).as("VXLAN over IPv6 though there is IPv4").isEqualTo(six.mtu() - 70);
        assertThat(Underlay.find(host, within("203.0.113.10/32")).ends())
                .as("one address of two in a subnet")
                .containsExactly(new UnderlayEnd(IpAddress.parse("203.0.113.10"), 24));
        assertThat(Underlay.find(host, within("203.0.113.0/24", "2001:db8::/32"))
                        .ends())
                .as("both families of one interface")
                .hasSize(2);
    }

    @Test
    void anotherAddressIsFoundAgainAndTheLastOneStaysWhileThereIsNone() {
        CurrentUnderlay current = new CurrentUnderlay(host, named("one"));
        List<String> moves = new ArrayList<>();
        current.whenMoved(() -> moves.add(current.last().text()));
        node.ip("link", "set", "one", "mtu", "1300");
        assertThat(current.look().mtu()).isEqualTo(1300);
        assertThat(moves).as("another MTU is no move").isEmpty();
        node.ip("addr", "flush", "dev", "one");
        assertThat(current.look().ends()).containsExactly(new UnderlayEnd(IpAddress.parse("198.51.100.9"), 26));
        node.ip("addr", "add", "198.51.100.77/25", "dev", "one");
        assertThat(current.look().address()).isEqualTo(IpAddress.parse("198.51.100.77"));
        assertThat(current.look()).isEqualTo(current.last());
        assertThat(moves).containsExactly("one with 198.51.100.77/25");
    }

    @Test
    void podsHaveTheUnderlaysMtuWhereNothingGoesInVxlan() {
        Underlay one = Underlay.find(host, named("one"));
        assertThat(one.podMtu(RouteMode.DIRECT)).isEqualTo(1400);
        assertThat(one.podMtu(RouteMode.VXLAN)).isEqualTo(1350);
        assertThat(one.podMtu(RouteMode.CROSS_SUBNET)).isEqualTo(1350);
    }

    @Test
    void whatCannotBeFoundIsSaid() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Underlay.find(host, within("192.0.2.0/24")))
                .withMessageContaining("correct --underlay-cidr or --underlay-address");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Underlay.find(host, named("three")))
                .withMessageContaining("--underlay-interface three");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Underlay.find(host, DEFAULT))
                .withMessageContaining("give --underlay-interface");
        node.ip("addr", "flush", "dev", "one");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Underlay.find(host, named("one")))
                .withMessageContaining("has no global address");
    }

    @Test
    void sysctlsAreOfTheThreadsNamespaceAndWrittenOnlyWhenTheyDiffer() throws Exception {
        Sysctl sysctl = new Sysctl(Path.of("/proc/sys"));
        NetnsThread.call(node.netns(), () -> {
            assertThat(sysctl.ensure("net/ipv4/ip_forward", "1")).as("changed").isTrue();
            assertThat(sysctl.ensure("net/ipv4/ip_forward", "1"))
                    .as("right already")
                    .isFalse();
            assertThat(sysctl.read("net/ipv4/ip_forward")).hasValue("1");
            assertThat(sysctl.read("net/ipv4/no_such_key")).isEmpty();
            assertThat(sysctl.ensure("net/ipv4/no_such_key", "1"))
                    .as("a key the kernel lacks")
                    .isFalse();
            return null;
        });
        assertThat(node.run("cat", "/proc/sys/net/ipv4/ip_forward")).isEqualTo("1\n");
    }
}

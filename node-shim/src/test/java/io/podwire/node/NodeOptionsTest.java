package io.podwire.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.service.ListenAddress;
import io.podwire.common.service.ServiceRunner;
import io.podwire.node.plan.EstablishedFlows;
import io.podwire.node.plan.Masquerade;
import io.podwire.node.plan.RouteMode;
import io.podwire.node.plan.StartBarrier;
import io.podwire.node.plan.StartBarrier.Scope;
import io.podwire.node.plan.UnderlayChoice;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

final class NodeOptionsTest {
    @Test
    void onlyTheIpamServiceMustBeSaid() {
        assertThat(org.assertj.core.api.Assertions.catchThrowable(() -> parse(Map.of())))
                .isInstanceOf(CommandLine.MissingParameterException.class)
                .hasMessageContaining("--ipam-service");
        NodeOptions options = parse(Map.of(), "--ipam-service=ipam:1", "--node-name=n1");
        options.check();
        assertThat(options.ipamService()).isEqualTo("ipam:1");
        assertThat(options.ipamReplicas()).as("where nobody says so").isEqualTo("ipam:1");
        assertThat(options.policyService()).isEmpty();
        assertThat(options.routeReflector()).isEmpty();
        assertThat(options.underlay()).isEqualTo(new UnderlayChoice(List.of(), List.of()));
        assertThat(options.routeMode()).isEqualTo(RouteMode.CROSS_SUBNET);
        assertThat(options.masquerade()).isEqualTo(Masquerade.NONE);
        assertThat(options.services())
                .as("without policy-service nobody tells of them")
                .isFalse();
        assertThat(options.nodePortAddresses()).isEmpty();
        assertThat(options.staleRoutesAfter()).isEqualTo(Duration.ofMinutes(2));
        assertThat(options.common().listen()).isEqualTo(new ListenAddress.Unix(Path.of("/run/podwire/cni.sock")));
        assertThat(options.coolDown()).isEqualTo(Duration.ofSeconds(60));
        assertThat(options.startBarrier()).isEqualTo(StartBarrier.USUAL);
        assertThat(options.establishedFlows()).isEqualTo(EstablishedFlows.JUDGE);
        assertThat(options.failPoints()).isEmpty();
    }

    @Test
    void servicesAreServedWherePolicyServiceIsUnlessTheyAreAnothers() {
        String[] both = {"--ipam-service=i:1", "--policy-service=p:2"};
        assertThat(parse(Map.of(), both).services()).isTrue();
        assertThat(parse(Map.of(), both[0], both[1], "--services").services()).isTrue();
        assertThat(parse(Map.of(), both[0], both[1], "--no-services").services())
                .isFalse();
    }

    @Test
    void eachHasItsEnvironmentTwin() {
        NodeOptions options = parse(
                Map.ofEntries(
                        Map.entry("PODWIRE_IPAM_SERVICE", "i:1"),
                        Map.entry("PODWIRE_IPAM_REPLICAS", "r:9"),
                        Map.entry("PODWIRE_POLICY_SERVICE", "p:2"),
                        Map.entry("PODWIRE_SERVICES", "false"),
                        Map.entry("PODWIRE_NODE_PORT_ADDRESSES", "192.0.2.0/24,fd00::/48"),
                        Map.entry("PODWIRE_ROUTE_REFLECTOR", "r:3"),
                        Map.entry("PODWIRE_NODE_NAME", "n9"),
                        Map.entry("PODWIRE_STATE_DIR", "/s"),
                        Map.entry("PODWIRE_SPOOL_DIR", "/p"),
                        Map.entry("PODWIRE_UNDERLAY_INTERFACE", "eth7,eth8"),
                        Map.entry("PODWIRE_UNDERLAY_CIDR", "192.0.2.0/24"),
                        Map.entry("PODWIRE_ROUTE_MODE", "direct"),
                        Map.entry("PODWIRE_MASQUERADE", "10.1.0.0/16,fd00::/48"),
                        Map.entry("PODWIRE_MASQUERADE_EXCEPT", "192.0.2.0/24"),
                        Map.entry("PODWIRE_MTU", "1400"),
                        Map.entry("PODWIRE_VXLAN_VNI", "5"),
                        Map.entry("PODWIRE_VXLAN_PORT", "8472"),
                        Map.entry("PODWIRE_POOL", "blue"),
                        Map.entry("PODWIRE_LOW_WATER", "3"),
                        Map.entry("PODWIRE_COOL_DOWN", "PT5S"),
                        Map.entry("PODWIRE_START_BARRIER", "cluster"),
                        Map.entry("PODWIRE_START_BARRIER_TIMEOUT", "PT1.5S"),
                        Map.entry("PODWIRE_ESTABLISHED_FLOWS", "finish"),
                        Map.entry("PODWIRE_LISTEN", "unix:/x/y.sock")),
                "--pool=red");
        options.check();
        assertThat(options.nodeName().value()).isEqualTo("n9");
        assertThat(options.ipamReplicas()).isEqualTo("r:9");
        assertThat(options.policyService()).hasValue("p:2");
        assertThat(options.routeReflector()).hasValue("r:3");
        assertThat(options.stateDir()).isEqualTo(Path.of("/s"));
        assertThat(options.spoolDir()).isEqualTo(Path.of("/p"));
        assertThat(options.underlay())
                .isEqualTo(new UnderlayChoice(List.of("eth7", "eth8"), List.of(IpPrefix.parse("192.0.2.0/24"))));
        assertThat(options.routeMode()).isEqualTo(RouteMode.DIRECT);
        assertThat(options.masquerade())
                .isEqualTo(new Masquerade(
                        List.of(IpPrefix.parse("10.1.0.0/16"), IpPrefix.parse("fd00::/48")),
                        List.of(IpPrefix.parse("192.0.2.0/24"))));
        assertThat(options.services()).isFalse();
        assertThat(options.nodePortAddresses())
                .contains(List.of(IpPrefix.parse("192.0.2.0/24"), IpPrefix.parse("fd00::/48")));
        assertThat(options.mtu()).isEqualTo(1400);
        assertThat(options.vxlanVni()).isEqualTo(5);
        assertThat(options.vxlanPort()).isEqualTo(8472);
        assertThat(options.lowWater()).isEqualTo(3);
        assertThat(options.coolDown()).isEqualTo(Duration.ofSeconds(5));
        assertThat(options.startBarrier()).isEqualTo(new StartBarrier(Scope.CLUSTER, Duration.ofMillis(1500)));
        assertThat(options.establishedFlows()).isEqualTo(EstablishedFlows.FINISH);
        assertThat(options.families()).containsExactly(IpFamily.V4);
        assertThat(options.pools()).as("the command line wins").isEqualTo(Map.of(IpFamily.V4, "red"));
        assertThat(options.common().listen()).isEqualTo(new ListenAddress.Unix(Path.of("/x/y.sock")));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--mtu=575",
                "--route-mode=ipip",
                "--underlay-cidr=192.0.2.1/24",
                "--underlay-address=nowhere",
                "--masquerade=10.1.0.1/16",
                "--node-port-addresses=secondary",
                "--masquerade-except=10.1.0.0/16",
                "--stale-routes-after=PT0S",
                "--stale-routes-after=PT2H",
                "--mtu=65536",
                "--mtu=-1",
                "--vxlan-vni=0",
                "--vxlan-vni=16777216",
                "--vxlan-port=0",
                "--vxlan-port=65536",
                "--low-water=0",
                "--low-water=1025",
                "--cool-down=PT-1S",
                "--state-dir=relative",
                "--spool-dir=relative",
                "--ip-families=ipv6,ipv4",
                "--ip-families=",
                "--ip-families=4",
                "--start-barrier=all",
                "--start-barrier-timeout=PT0.09S",
                "--start-barrier-timeout=PT8S",
                "--established-flows=drop",
                "--pool=red,blue",
                "--node-name=UPPER",
                "--node-name=a_b"
            })
    void whatIsOutOfRangeIsNamed(String wrong) {
        NodeOptions options = parse(Map.of(), "--ipam-service=i:1", wrong);
        assertThatIllegalArgumentException()
                .isThrownBy(options::check)
                .withMessageContaining(
                        wrong.contains("node-name") ? "node name" : wrong.substring(0, wrong.indexOf('=')));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--mtu=0",
                "--mtu=576",
                "--mtu=65535",
                "--vxlan-vni=16777215",
                "--vxlan-port=65535",
                "--low-water=1024",
                "--start-barrier-timeout=PT0.1S",
                "--start-barrier-timeout=PT7S",
                "--cool-down=PT0S"
            })
    void theEdgesAreAllowed(String edge) {
        parse(Map.of(), "--ipam-service=i:1", "--node-name=n1", edge).check();
    }

    @Test
    void eachFamilyHasItsPoolIpv4First() {
        NodeOptions dual = parse(Map.of(), "--ipam-service=i:1", "--ip-families=ipv4,ipv6", "--pool=a", "--pool=b");
        dual.check();
        assertThat(dual.families()).containsExactly(IpFamily.V4, IpFamily.V6);
        assertThat(dual.pools()).isEqualTo(Map.of(IpFamily.V4, "a", IpFamily.V6, "b"));
        NodeOptions twin = parse(
                Map.of("PODWIRE_POOL", "a,b", "PODWIRE_IP_FAMILIES", "ipv4,ipv6", "PODWIRE_MTU", "1280"),
                "--ipam-service=i:1");
        twin.check();
        assertThat(twin.pools()).as("the environment twin").isEqualTo(dual.pools());
        NodeOptions any = parse(Map.of(), "--ipam-service=i:1", "--ip-families=ipv6");
        any.check();
        assertThat(any.pools()).isEqualTo(Map.of(IpFamily.V6, ""));
        assertThatIllegalArgumentException()
                .isThrownBy(parse(Map.of(), "--ipam-service=i:1", "--ip-families=ipv4,ipv6", "--pool=a")::check)
                .withMessageContaining("--pool must be given once for each family");
        assertThatIllegalArgumentException()
                .as("IPv6 has no smaller links")
                .isThrownBy(parse(Map.of(), "--ipam-service=i:1", "--ip-families=ipv6", "--mtu=1279")::check)
                .withMessageContaining("--mtu must be 1280 to 65535");
    }

    @Test
    void failPointsAreHiddenAndSeveral() {
        NodeOptions options =
                parse(Map.of(), "--ipam-service=i:1", "--fail-point", "add.link=kill", "--fail-point", "del.link=hang");
        assertThat(options.failPoints()).containsOnly(Map.entry("add.link", "kill"), Map.entry("del.link", "hang"));
        assertThat(ServiceRunner.command("node-shim", new NodeOptions(), Map.of())
                        .getUsageMessage())
                .contains("--ipam-service")
                .doesNotContain("--fail-point");
    }

    private static NodeOptions parse(Map<String, String> environment, String... args) {
        NodeOptions options = new NodeOptions();
        ServiceRunner.command("node-shim", options, environment).parseArgs(args);
        return options;
    }
}

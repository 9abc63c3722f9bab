package io.podwire.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.service.ServiceRunner;
import io.podwire.route.bgp.message.Community;
import io.podwire.route.bgp.message.LargeCommunity;
import io.podwire.route.reflect.bgp.LocalRouter;
import io.podwire.route.reflect.bgp.Origination;
import io.podwire.route.reflect.bgp.PeerPolicy;
import io.podwire.route.rib.bgp.Neighbor;
import io.podwire.route.session.PeerSettings;
import io.podwire.route.session.Secret;
import io.podwire.route.session.SpeakerSettings;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BgpOptionsTest {
    @TempDir
    private Path folder;

    @Test
    void withoutAnAsNumberNoBgpIsSpoken() {
        assertThat(parsed(Map.of()).bgp().settings()).isEmpty();
        assertThatThrownBy(() -> parsed(Map.of(), "--bgp-listen=127.0.0.1:179").check())
                .hasMessageContaining("--bgp-asn");
    }

    @Test
    void everyKeyOfTheFileIsRead() throws Exception {
        Path key = Files.writeString(folder.resolve("key"), "secret\n");
        SpeakerSettings settings = settings("""
            peers:
            - name: tor
              address: 2001:db8::1
              port: 1179
              asn: 64512
              client: true
              passive: true
              families: [ipv6]
              holdSeconds: 30
              restartSeconds: 0
              ttlSecurity: true
              passwordFile: %s
              addPaths: 8
              maxPrefixes: 5
              importRules: [2001:db8::/32 le 64]
              exportRules: [fd00::/8 le 128]
              communities: ["64512:7"]
              largeCommunities: ["64512:7:8"]
            - {address: 192.0.2.254, asn: 4200000000}
            """.formatted(key));

        assertThat(settings.local())
                .isEqualTo(new LocalRouter(64512, IpAddress.parse("192.0.2.1"), IpAddress.parse("192.0.2.9")));
        assertThat(settings.listenHost()).isEqualTo("::");
        PeerSettings tor = settings.peers().getFirst();
        assertThat(tor.kind()).isEqualTo(Neighbor.Kind.CLIENT);
        assertThat(tor.port()).isEqualTo(1179);
        assertThat(tor.passive()).isTrue();
        assertThat(tor.families()).containsExactly(IpFamily.V6);
        assertThat(tor.holdSeconds()).isEqualTo(30);
        assertThat(tor.restartSeconds()).isZero();
        assertThat(tor.ttlSecurity()).isTrue();
        assertThat(tor.secret()).isEqualTo(new Secret("secret"));
        assertThat(tor.toString())
                .as("never printed")
                .doesNotContain("secret\"")
                .contains("secret=***");
        assertThat(tor.addPaths()).isEqualTo(8);
        assertThat(tor.maxPrefixes()).isEqualTo(5);
        assertThat(tor.policy().importRules().permits(IpPrefix.parse("2001:db8:1::/48")))
                .isTrue();
        assertThat(tor.policy().export()).isInstanceOf(PeerPolicy.Export.Listed.class);
        assertThat(tor.policy().communities()).containsExactly(Community.parse("64512:7"));
        assertThat(tor.policy().largeCommunities()).containsExactly(LargeCommunity.parse("64512:7:8"));

        PeerSettings plain = settings.peers().get(1);
        assertThat(plain.name()).isEqualTo("192.0.2.254");
        assertThat(plain.kind()).isEqualTo(Neighbor.Kind.EXTERNAL);
        assertThat(plain.families()).isEqualTo(Set.of(IpFamily.V4, IpFamily.V6));
        assertThat(plain.policy()).as("nothing comes in").isEqualTo(PeerPolicy.DEFAULT);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "peers: [{address: 192.0.2.2}] | number 1: address and asn",
                "peers: [{address: router, asn: 1}] | address: 'router' is not an IP address",
                "peers: [{name: x, address: 192.0.2.2, asn: 64512, holdSeconds: 2}] | peer x: holdSeconds must be 0 or"
                        + " 3",
                "peers: [{name: x, address: 192.0.2.2, asn: 1, client: true}] | peer x: client",
                "peers: [{name: x, address: 192.0.2.2, asn: 1, families: [ipx]}] | families: ipv4 or ipv6",
                "peers: [{name: x, address: 192.0.2.2, asn: 1, importRules: [all]}] | importRules: 'all' is not a rule",
                "peers: [{name: x, address: 192.0.2.2, asn: 1, communities: [many]}] | communities: 'many'",
                "peers: [{name: x, address: 192.0.2.2, asn: 1, passwordFile: /nowhere}] | passwordFile: /nowhere"
                        + " cannot be read",
                "peers: [{name: x, address: 192.0.2.2, asn: 1, secret: y}] | secret",
                "peers: [{name: x, address: 192.0.2.2, asn: 0}] | peer x: asn must be 1",
                "peers: [{address: 192.0.2.2, asn: 1},{address: 192.0.2.2, asn: 2}] | is another peer's too",
                "neighbours: [] | neighbours",
            })
    void whatIsWrongIsNamed(String file, String message) {
        assertThatThrownBy(() -> settings(file))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }

    @Test
    void peersCanBeOptionsAndVariables() {
        RouteOptions options = parsed(Map.of(
                "PODWIRE_BGP_ASN", "64512",
                "PODWIRE_BGP_ROUTER_ID", "192.0.2.1",
                "PODWIRE_BGP_PEER", "address=192.0.2.2,asn=64512,client=true name=b,address=192.0.2.3,asn=64513"));
        assertThat(options.bgp().settings().orElseThrow().peers())
                .extracting(PeerSettings::name, PeerSettings::kind)
                .containsExactly(
                        org.assertj.core.groups.Tuple.tuple("192.0.2.2", Neighbor.Kind.CLIENT),
                        org.assertj.core.groups.Tuple.tuple("b", Neighbor.Kind.EXTERNAL));
        assertThatThrownBy(() -> parsed(Map.of(), "--bgp-asn=1", "--bgp-router-id=192.0.2.1", "--bgp-peer=address")
                        .check())
                .hasMessageContaining("--bgp-peer address");
        assertThatThrownBy(() -> parsed(Map.of(), "--bgp-asn=1").check()).hasMessageContaining("--bgp-router-id");
    }

    @Test
    void aggregatesAndServicesAreLists() {
        List<String> speaks = List.of("--bgp-asn=64512", "--bgp-router-id=192.0.2.1");
        Map<String, String> environment = Map.of(
                "PODWIRE_BGP_AGGREGATES", "10.244.0.0/16,fd00:10:244::/56",
                "PODWIRE_BGP_SERVICES", "203.0.113.0/24");
        assertThat(parsed(environment, speaks.toArray(String[]::new))
                        .bgp()
                        .settings()
                        .orElseThrow()
                        .origination())
                .isEqualTo(new Origination(
                        List.of(IpPrefix.parse("10.244.0.0/16"), IpPrefix.parse("fd00:10:244::/56")),
                        List.of(IpPrefix.parse("203.0.113.0/24"))));
        BgpOptions withPools = parsed(
                        Map.of("PODWIRE_BGP_SERVICES", "203.0.113.0/24,pools"), speaks.toArray(String[]::new))
                .bgp();
        assertThat(withPools.services()).containsExactly(IpPrefix.parse("203.0.113.0/24"));
        assertThat(withPools.servicePools()).isTrue();
        assertThatThrownBy(() -> parsed(Map.of("PODWIRE_BGP_SERVICES", "pools"), speaks.toArray(String[]::new))
                        .check())
                .hasMessage("--bgp-services=pools needs --ipam-service, whose pools these are");
        parsed(
                        Map.of("PODWIRE_BGP_SERVICES", "pools", "PODWIRE_IPAM_SERVICE", "127.0.0.1:7471"),
                        speaks.toArray(String[]::new))
                .check();
        assertThatThrownBy(() -> parsed(environment).check()).hasMessageContaining("--bgp-asn");
        for (String wrong : List.of(
                "--bgp-aggregates=10.0.0.0/8,10.244.0.0/16", "--bgp-services=10.0.0.1/8", "--bgp-services=all")) {
            List<String> words = new ArrayList<>(speaks);
            words.add(wrong);
            assertThatThrownBy(
                            () -> parsed(Map.of(), words.toArray(String[]::new)).check())
                    .as(wrong)
                    .hasMessageContaining(wrong.substring(0, wrong.indexOf('=')));
        }
    }

    private SpeakerSettings settings(String file) throws Exception {
        Path path = Files.writeString(folder.resolve("peers.yaml"), file);
        List<String> arguments = new ArrayList<>(List.of(
                "--bgp-asn=64512",
                "--bgp-router-id=192.0.2.1",
                "--bgp-cluster-id=192.0.2.9",
                "--bgp-listen=[::]:179",
                "--bgp-peers-file=" + path));
        return parsed(Map.of(), arguments.toArray(String[]::new))
                .bgp()
                .settings()
                .orElseThrow();
    }

    private static RouteOptions parsed(Map<String, String> environment, String... arguments) {
        RouteOptions options = new RouteOptions();
        ServiceRunner.command("route-reflector", options, environment).parseArgs(arguments);
        return options;
    }
}

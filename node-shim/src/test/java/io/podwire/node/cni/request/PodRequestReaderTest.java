package io.podwire.node.cni.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.node.cni.request.RequestException.Kind;
import io.podwire.node.plan.DnsSettings;
import io.podwire.node.plan.ExtraRoute;
import io.podwire.node.plan.HostPort;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.plan.PodRequest;
import io.podwire.node.plan.RateLimit;
import io.podwire.node.plan.Shaping;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class PodRequestReaderTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    // Who sends what.

    @Test
    void containerdsCapitalisedKeysAreRead() throws RequestException {
        PodRequest request = read("""
                {"cniVersion": "1.0.0", "name": "podwire", "type": "podwire",
                 "capabilities": {"portMappings": true, "bandwidth": true, "dns": true,
                                  "io.kubernetes.cri.pod-annotations": true},
                 "runtimeConfig": {
                   "portMappings": [
                     {"HostPort": 8080, "ContainerPort": 80, "Protocol": "tcp", "HostIP": ""},
                     {"HostPort": 5353, "ContainerPort": 53, "Protocol": "udp", "HostIP": "192.168.9.1"},
                     {"HostPort": 36412, "ContainerPort": 36412, "Protocol": "sctp", "HostIP": "fd09::1"}],
                   "bandwidth": {"IngressRate": 10000000, "IngressBurst": 4294967295,
                                 "EgressRate": 0, "EgressBurst": 0},
                   "dns": {"Servers": ["10.96.0.10"], "Searches": ["default.svc.cluster.local", "svc.cluster.local"],
                           "Options": ["ndots:5"]},
                   "io.kubernetes.cri.pod-annotations": {
                     "kubernetes.io/ingress-bandwidth": "10M", "kubernetes.io/config.source": "api"}}}""");
        assertThat(request.hostPorts())
                .containsExactlyInAnyOrder(
                        new HostPort(IpProtocol.TCP, 8080, 80, Optional.empty()),
                        new HostPort(IpProtocol.UDP, 5353, 53, Optional.of(IpAddress.parse("192.168.9.1"))),
                        new HostPort(IpProtocol.SCTP, 36412, 36412, Optional.of(IpAddress.parse("fd09::1"))));
        assertThat(request.shaping())
                .as("a burst of 2^32-1 bits is nobody's wish")
                .isEqualTo(new Shaping(Optional.of(RateLimit.ofRate(10_000_000)), Optional.empty()));
        assertThat(request.dns())
                .contains(new DnsSettings(
                        List.of("10.96.0.10"),
                        "",
                        List.of("default.svc.cluster.local", "svc.cluster.local"),
                        List.of("ndots:5")));
    }

    @Test
    void criosKeysAreRead() throws RequestException {
        PodRequest request = read("""
                {"cniVersion": "1.1.0", "name": "podwire", "type": "podwire",
                 "capabilities": {"portMappings": true, "bandwidth": true, "io.kubernetes.cri.pod-annotations": true},
                 "runtimeConfig": {
                   "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": "0.0.0.0"}],
                   "bandwidth": {"ingressRate": 1000000, "ingressBurst": 34359738359,
                                 "egressRate": 2000000, "egressBurst": 34359738360},
                   "io.kubernetes.cri.pod-annotations": {"podwire.io/ip": "10.1.0.9", "a/b": "c"}}}""");
        assertThat(request.hostPorts())
                .containsExactly(new HostPort(IpProtocol.TCP, 8080, 80, Optional.of(IpAddress.parse("0.0.0.0"))));
        assertThat(request.shaping())
                .isEqualTo(new Shaping(
                        Optional.of(RateLimit.ofRate(1_000_000)), Optional.of(RateLimit.ofRate(2_000_000))));
        assertThat(request.addresses()).containsExactly(IpAddress.parse("10.1.0.9"));
    }

    @Test
    void whoAsksForNothingGetsNothing() throws RequestException {
        assertThat(read("{}")).isEqualTo(PodRequest.NONE);
        assertThat(read("{\"runtimeConfig\": null, \"args\": null, \"capabilities\": null, \"mtu\": 0}"))
                .isEqualTo(PodRequest.NONE);
        assertThat(read("""
                {"runtimeConfig": {"portMappings": null, "bandwidth": {}, "dns": {"Servers": null, "Searches": []},
                                   "mac": "", "ips": [], "io.kubernetes.cri.pod-annotations": null}}""")).isEqualTo(PodRequest.NONE);
    }

    @Test
    void onlyDeclaredCapabilitiesCount() throws RequestException {
        String runtimeConfig = """
                "runtimeConfig": {"mac": "02:00:00:00:00:07",
                                  "portMappings": [{"hostPort": 1, "containerPort": 2, "protocol": "udp"}]}""";
        assertThat(read("{\"capabilities\": {\"mac\": true, \"portMappings\": false}, " + runtimeConfig + "}"))
                .as("one is declared")
                .extracting(PodRequest::mac, r -> r.hostPorts().size())
                .containsExactly(Optional.of(MacAddress.parse("02:00:00:00:00:07")), 0);
        assertThat(read("{\"capabilities\": {}, " + runtimeConfig + "}"))
                .as("none is declared")
                .isEqualTo(PodRequest.NONE);
        assertThat(read("{" + runtimeConfig + "}").hostPorts())
                .as("a runtime that takes the declaration out, as the specification says")
                .hasSize(1);
    }

    @Test
    void aKeyInTwoSpellingsIsAnError() {
        assertThat(refused("{\"runtimeConfig\": {\"mac\": \"02:00:00:00:00:07\", \"MAC\": \"02:00:00:00:00:08\"}}"))
                .hasMessage("invalid runtimeConfig.mac")
                .extracting(RequestException::details)
                .asString()
                .contains("mac", "MAC");
    }

    // Host ports.

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{'hostPort': 0, 'containerPort': 80}|runtimeConfig.portMappings[0].hostPort",
                "{'hostPort': 65536, 'containerPort': 80}|runtimeConfig.portMappings[0].hostPort",
                "{'HostPort': -1, 'ContainerPort': 80}|runtimeConfig.portMappings[0].hostPort",
                "{'hostPort': '80', 'containerPort': 80}|runtimeConfig.portMappings[0].hostPort",
                "{'hostPort': 80.5, 'containerPort': 80}|runtimeConfig.portMappings[0].hostPort",
                "{'hostPort': 1e300, 'containerPort': 80}|runtimeConfig.portMappings[0].hostPort",
                "{'hostPort': 80}|runtimeConfig.portMappings[0].containerPort",
                "{'hostPort': 80, 'containerPort': 70000}|runtimeConfig.portMappings[0].containerPort",
                "{'hostPort': 80, 'containerPort': 80, 'protocol': 'icmp'}|runtimeConfig.portMappings[0].protocol",
                "{'hostPort': 80, 'containerPort': 80, 'protocol': 6}|runtimeConfig.portMappings[0].protocol",
                "{'hostPort': 80, 'containerPort': 80, 'hostIP': 'localhost'}|runtimeConfig.portMappings[0].hostIP",
                "{'hostPort': 80, 'containerPort': 80, 'hostIP': '10.0.0.0/8'}|runtimeConfig.portMappings[0].hostIP",
                "{'hostPort': 80, 'containerPort': 80, 'hostIP': '224.0.0.1'}|runtimeConfig.portMappings[0].hostIP",
                "{'hostPort': 80, 'containerPort': 80, 'hostIP': 'fe80::7'}|runtimeConfig.portMappings[0].hostIP",
                "7|runtimeConfig.portMappings[0]",
            })
    void aWrongMappingIsNamed(String mapping, String key) {
        RequestException refused =
                refused("{\"runtimeConfig\": {\"portMappings\": [" + mapping.replace('\'', '"') + "]}}");
        assertThat(refused).hasMessage("invalid " + key);
        assertThat(refused.kind()).isEqualTo(Kind.INVALID);
        assertThat(refused.details()).isNotEmpty();
    }

    @Test
    void aWrongNumberIsShownWithItsRange() {
        assertThat(refused("{\"runtimeConfig\": {\"portMappings\": [{\"HostPort\": 70000, \"ContainerPort\": 80}]}}")
                        .details())
                .contains("70000", "1 to 65535");
    }

    @Test
    void loopbackAddressesThatPodsCannotBeReachedByAreUnsupported() throws RequestException {
        assertThat(refused("""
                {"runtimeConfig": {"portMappings": [{"hostPort": 1, "containerPort": 1, "hostIP": "127.0.0.2"}]}}""").kind()).isEqualTo(Kind.UNSUPPORTED);
        assertThat(read("""
                {"runtimeConfig": {"portMappings": [{"hostPort": 1, "containerPort": 1, "hostIP": "127.0.0.1"},
                                                    {"hostPort": 1, "containerPort": 1, "hostIP": "::1"}]}}""").hostPorts()).hasSize(2);
    }

    @Test
    void theSameMappingTwiceIsOneAndAnOverlapIsAnError() throws RequestException {
        String one = "{\"hostPort\": 80, \"containerPort\": 8080, \"protocol\": \"TCP\"}";
        String overlapping = "{\"hostPort\": 80, \"containerPort\": 8081, \"hostIP\": \"10.0.0.1\"}";
        String udp = "{\"hostPort\": 80, \"containerPort\": 8081, \"protocol\": \"udp\"}";
        assertThat(read("{\"runtimeConfig\": {\"portMappings\": [%s, %s, %s]}}".formatted(one, udp, one))
                        .hostPorts())
                .hasSize(2);
        assertThat(refused("{\"runtimeConfig\": {\"portMappings\": [%s, %s]}}".formatted(one, overlapping))
                        .details())
                .contains("tcp *:80 to 8080", "tcp 10.0.0.1:80 to 8081");
    }

    // Bandwidth.

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{'ingressRate': 8000000, 'ingressBurst': 800000}|8000000|100000",
                "{'ingressRate': 8000000, 'ingressBurst': 2147483647}|8000000|100000",
                "{'ingressRate': 8000000, 'ingressBurst': 0}|8000000|100000",
                "{'ingressRate': 8000000}|8000000|100000",
                "{'ingressRate': 1000}|1000|32768",
                "{'ingressRate': 100000000000}|100000000000|67108864",
                "{'ingressRate': 8000000, 'ingressBurst': 1}|8000000|1",
                "{'ingressRate': 1000000000000000, 'ingressBurst': 34359738367}|1000000000000000|4294967295",
            })
    void ratesAndBursts(String bandwidth, long rate, long burstBytes) throws RequestException {
        assertThat(read("{\"runtimeConfig\": {\"bandwidth\": " + bandwidth.replace('\'', '"') + "}}")
                        .shaping())
                .isEqualTo(new Shaping(Optional.of(new RateLimit(rate, burstBytes)), Optional.empty()));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{'ingressRate': -1}|ingressRate",
                "{'ingressRate': 999}|ingressRate",
                "{'EgressRate': 1000000000000001}|egressRate",
                "{'egressRate': 18446744073709551615}|egressRate",
                "{'ingressBurst': 1000}|ingressBurst",
                "{'ingressRate': 1000, 'ingressBurst': -5}|ingressBurst",
                "{'ingressRate': 1000, 'ingressBurst': 34359738369}|ingressBurst",
                "{'ingressRate': '10M'}|ingressRate",
            })
    void wrongBandwidthsAreNamed(String bandwidth, String key) {
        assertThat(refused("{\"runtimeConfig\": {\"bandwidth\": " + bandwidth.replace('\'', '"') + "}}"))
                .hasMessage("invalid runtimeConfig.bandwidth." + key);
    }

    @Test
    void ourAnnotationWinsOverTheCapabilityWhichWinsOverKubernetes() throws RequestException {
        String annotations = "\"io.kubernetes.cri.pod-annotations\": {%s}";
        String kubernetes = "\"kubernetes.io/egress-bandwidth\": \"1M\"";
        String ours = "\"podwire.io/egress-bandwidth\": \"3M\"";
        String capability = "\"bandwidth\": {\"egressRate\": 2000000}";
        assertThat(egress("{\"runtimeConfig\": {" + annotations.formatted(kubernetes) + "}}"))
                .isEqualTo(1_000_000);
        assertThat(egress("{\"runtimeConfig\": {" + capability + ", " + annotations.formatted(kubernetes) + "}}"))
                .isEqualTo(2_000_000);
        assertThat(egress("{\"runtimeConfig\": {" + capability + ", " + annotations.formatted(kubernetes + ", " + ours)
                        + "}}"))
                .isEqualTo(3_000_000);
    }

    @ParameterizedTest
    @CsvSource({
        "10M, 10000000", "1.5Mi, 1572864", "1e6, 1000000", "1E6, 1000000", "10k, 10000", "1P, 1000000000000000",
        "1234567890m, 1234568", "+5k, 5000", "5000., 5000", "1000, 1000", ".5M, 500000", "1Gi, 1073741824"
    })
    void quantitiesAreKubernetes(String text, long rate) throws RequestException {
        assertThat(egress(annotated("podwire.io/egress-bandwidth", text))).isEqualTo(rate);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", " ", "M", "10 M", "10MB", "10K", "-1M", "0", "999", "1.1P", "1e", "1e99", "١k", "0x10k"})
    void whatIsNoQuantityOrNoRateIsNamed(String text) {
        assertThat(refused(annotated("podwire.io/ingress-bandwidth", text)))
                .hasMessageContaining("\"podwire.io/ingress-bandwidth\"")
                .extracting(RequestException::kind)
                .isEqualTo(Kind.INVALID);
    }

    // Addresses.

    @Test
    void addressesOfRuntimeConfigThenArgsThenAnnotationThenEnvironment() throws RequestException {
        String runtime = "\"ips\": [\"10.1.0.1/24\", \"fd00::1/64\"]";
        String annotation = "\"io.kubernetes.cri.pod-annotations\": {\"podwire.io/ip\": \"10.1.0.3, fd00::3\"}";
        String args =
                "\"args\": {\"cni\": {\"ips\": [\"10.1.0.2\"], \"labels\": [{\"key\": \"a\", \"value\": \"b\"}]}}";
        Map<String, String> environment = Map.of("IP", "10.1.0.4/16");
        assertThat(addresses("{" + args + ", \"runtimeConfig\": {" + runtime + ", " + annotation + "}}", environment))
                .containsExactly("10.1.0.1", "fd00::1");
        assertThat(addresses("{" + args + ", \"runtimeConfig\": {" + annotation + "}}", environment))
                .as("args.cni.ips must win over CNI_ARGS IP")
                .containsExactly("10.1.0.2");
        assertThat(addresses("{\"runtimeConfig\": {" + annotation + "}}", environment))
                .containsExactly("10.1.0.3", "fd00::3");
        assertThat(addresses("{}", environment)).containsExactly("10.1.0.4");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"x", "10.1.0.1/33", "10.1.0.1/", "10.1.0.1/-1", "10.1.0.1,10.1.0.2", "fe80::1%eth0", "1/1/1"})
    void wrongAddressesAreNamed(String text) {
        assertThat(refused(annotated("podwire.io/ip", text))).hasMessage("invalid annotation podwire.io/ip");
        assertThat(refused("{}", Map.of("IP", text)))
                .hasMessage("invalid IP in CNI_ARGS")
                .extracting(RequestException::kind)
                .isEqualTo(Kind.ENVIRONMENT);
    }

    @ParameterizedTest
    @ValueSource(strings = {"x", "02-00-00-00-00-01", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"})
    void wrongMacAddressesAreNamed(String text) {
        assertThat(refused("{\"runtimeConfig\": {\"mac\": \"" + text + "\"}}")).hasMessage("invalid runtimeConfig.mac");
        assertThat(refused("{}", Map.of("MAC", text)).kind()).isEqualTo(Kind.ENVIRONMENT);
    }

    @Test
    void macAddressesInTheirOrder() throws RequestException {
        Map<String, String> environment = Map.of("MAC", "02:00:00:00:00:04");
        String annotation = annotated("podwire.io/mac", "02:00:00:00:00:03");
        assertThat(read(annotation, environment).mac()).contains(MacAddress.parse("02:00:00:00:00:03"));
        assertThat(read("{}", environment).mac()).contains(MacAddress.parse("02:00:00:00:00:04"));
    }

    @Test
    void aPoolIsAName() throws RequestException {
        assertThat(read(annotated("podwire.io/pool", "blue-2")).pool()).contains("blue-2");
        assertThat(refused(annotated("podwire.io/pool", "Blue"))).hasMessage("invalid annotation podwire.io/pool");
    }

    @Test
    void anAnnotationOfOursThatNobodyKnowsIsRefused() {
        RequestException refused = refused(annotated("podwire.io/ingres-bandwidth", "1M"));
        assertThat(refused.kind()).isEqualTo(Kind.UNSUPPORTED);
        assertThat(refused.details()).contains("podwire.io/ingress-bandwidth");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "'ipRanges': [[{'subnet': '10.1.0.0/24'}]]|runtimeConfig.ipRanges",
                "'deviceID': '0000:00:1f.6'|runtimeConfig.deviceID",
                "'infinibandGUID': '24:8a:07:03:00:8d:ae:2e'|runtimeConfig.infinibandGUID",
            })
    void capabilitiesThatPodwireHasNotAreRefused(String capability, String key) {
        assertThat(refused("{\"runtimeConfig\": {" + capability.replace('\'', '"') + "}}"))
                .hasMessage("unsupported " + key);
    }

    @Test
    void othersCapabilitiesAreTolerated() throws RequestException {
        assertThat(read("""
                {"runtimeConfig": {"aliases": ["web"], "cgroupPath": "/x", "deviceID": "", "ipRanges": []}}""")).isEqualTo(PodRequest.NONE);
    }

    // Keys of the configuration.

    @Test
    void sysctlsArePathsOfThePod() throws RequestException {
        assertThat(read("""
                {"sysctl": {"net.core.somaxconn": "500", "net/ipv4/tcp_keepalive_time": 600,
                            "net.ipv4.conf.IFNAME.rp_filter": "0", "net.ipv4.ping_group_range": "0\\t2147483647",
                            "net.ipv4.conf.eth0.src_valid_mark": "1"}}""").sysctls())
                .isEqualTo(Map.of(
                        "net/core/somaxconn", "500",
                        "net/ipv4/tcp_keepalive_time", "600",
                        "net/ipv4/conf/eth0/rp_filter", "0",
                        "net/ipv4/ping_group_range", "0\t2147483647",
                        "net/ipv4/conf/eth0/src_valid_mark", "1"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "kernel.shmmax",
                "vm.swappiness",
                "net.ipv4.conf.pw0.rp_filter",
                "net.ipv6.conf.all.disable_ipv6",
                "net.ipv6.conf.IFNAME.accept_ra",
                "net.ipv4.conf.all.arp_ignore",
                "net.ipv4.neigh.default.gc_thresh1",
                "net/ipv4/../../kernel/core_pattern",
                "net.ipv4.tcp_a/../../../kernel/core_pattern",
                "net.ipv4.tcp_",
                "NET.core.somaxconn",
                "",
                "net..core",
                "net.ipv4.conf.all.rp_filter\n"
            })
    void whatIsNotThePodsOwnIsUnsupported(String key) throws JsonProcessingException {
        String sysctl = JSON.writeValueAsString(Map.of("sysctl", Map.of(key, "0")));
        assertThat(refused(sysctl).kind()).isEqualTo(Kind.UNSUPPORTED);
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"\"", "\"1\\n2\"", "\"ä\"", "true", "[1]", "{}"})
    void wrongValuesOfSysctlsAreNamed(String value) {
        assertThat(refused("{\"sysctl\": {\"net.core.somaxconn\": " + value + "}}"))
                .hasMessageContaining("net.core.somaxconn")
                .extracting(RequestException::kind)
                .isEqualTo(Kind.INVALID);
    }

    @Test
    void mtu() throws RequestException {
        assertThat(read("{\"mtu\": 1400}").mtu()).hasValue(1400);
        assertThat(read("{\"MTU\": 9000}").mtu()).hasValue(9000);
        for (String wrong : List.of("1", "575", "65536", "-1", "\"1400\"")) {
            assertThat(refused("{\"mtu\": " + wrong + "}")).hasMessage("invalid mtu");
        }
    }

    @Test
    void routes() throws RequestException {
        assertThat(read("""
                {"routes": [{"dst": "10.96.0.0/12"},
                            {"dst": "0.0.0.0/0", "gw": "169.254.1.1", "mtu": 1300, "advmss": 1260,
                             "priority": 200, "table": 100, "scope": 0}]}""").routes())
                .containsExactly(
                        route("10.96.0.0/12"),
                        new ExtraRoute(
                                IpPrefix.parse("0.0.0.0/0"),
                                Optional.of(IpAddress.parse("169.254.1.1")),
                                OptionalInt.of(1300),
                                OptionalInt.of(1260),
                                OptionalLong.of(200),
                                OptionalLong.of(100),
                                OptionalInt.of(0)));
    }

    private static ExtraRoute route(String destination) {
        return new ExtraRoute(
                IpPrefix.parse(destination),
                Optional.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                OptionalLong.empty(),
                OptionalLong.empty(),
                OptionalInt.empty());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{}|invalid routes[0].dst",
                "{'dst': '10.0.0.1/8'}|invalid routes[0].dst",
                "{'dst': '10.0.0.0/8', 'gw': 'x'}|invalid routes[0].gw",
                "{'dst': '10.0.0.0/8', 'gw': 'fe80::1'}|invalid routes[0].gw",
                "{'dst': '10.0.0.0/8', 'mtu': 67}|invalid routes[0].mtu",
                "{'dst': '10.0.0.0/8', 'advmss': 0}|invalid routes[0].advmss",
                "{'dst': '10.0.0.0/8', 'priority': 4294967296}|invalid routes[0].priority",
                "{'dst': '10.0.0.0/8', 'table': -1}|invalid routes[0].table",
                "{'dst': '10.0.0.0/8', 'scope': 256}|invalid routes[0].scope",
                "{'dst': '10.0.0.0/8', 'scope': 253}|unsupported routes[0].scope",
                "'10.0.0.0/8'|invalid routes[0]",
            })
    void wrongRoutesAreNamed(String route, String message) {
        assertThat(refused("{\"routes\": [" + route.replace('\'', '"') + "]}")).hasMessage(message);
    }

    @Test
    void aReservationIsAskedForByAnAnnotationAlone() throws RequestException {
        assertThat(read(annotated("podwire.io/reserve", "true")).reserve()).isTrue();
        assertThat(read(annotated("podwire.io/reserve", "false"))).isEqualTo(PodRequest.NONE);
        assertThat(refused(annotated("podwire.io/reserve", "yes")).kind()).isEqualTo(Kind.INVALID);
        assertThat(refused(annotated("podwire.io/reserve", "true"), Map.of("IP", "10.1.0.5")))
                .as("a reservation chooses the address")
                .extracting(RequestException::details)
                .asString()
                .contains("10.1.0.5");
    }

    @Test
    void optionsThatBridgeModeHasNotAreRefused() throws RequestException {
        assertThat(refused("{\"promiscMode\": true}")).hasMessage("unsupported promiscMode");
        assertThat(refused("{\"hairpinMode\": true}")).hasMessage("unsupported hairpinMode");
        assertThat(read("{\"promiscMode\": false, \"hairpinMode\": false}")).isEqualTo(PodRequest.NONE);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"runtimeConfig\": []}",
                "{\"runtimeConfig\": {\"portMappings\": {}}}",
                "{\"args\": 1}",
                "{\"args\": {\"cni\": []}}",
                "{\"args\": {\"cni\": {\"ips\": \"10.1.0.1\"}}}",
                "{\"routes\": {}}",
                "{\"sysctl\": []}",
                "{\"runtimeConfig\": {\"dns\": {\"servers\": [1]}}}",
                "{\"runtimeConfig\": {\"dns\": {\"searches\": [\"a\\nnameserver 6.6.6.6\"]}}}",
                "{\"runtimeConfig\": {\"io.kubernetes.cri.pod-annotations\": []}}",
                "{\"capabilities\": 1}",
                "{\"capabilities\": {\"mac\": \"yes\"}, \"runtimeConfig\": {\"mac\": \"02:00:00:00:00:07\"}}"
            })
    void wrongTypesAreNamed(String config) {
        assertThat(refused(config).kind()).isEqualTo(Kind.INVALID);
    }

    private static String annotated(String name, String value) {
        return JSON.createObjectNode()
                .set(
                        "runtimeConfig",
                        JSON.createObjectNode()
                                .set(
                                        "io.kubernetes.cri.pod-annotations",
                                        JSON.createObjectNode().put(name, value)))
                .toString();
    }

    private static long egress(String config) throws RequestException {
        return read(config).shaping().egress().orElseThrow().bitsPerSecond();
    }

    private static List<String> addresses(String config, Map<String, String> args) throws RequestException {
        return read(config, args).addresses().stream().map(IpAddress::toString).toList();
    }

    private static PodRequest read(String config) throws RequestException {
        return read(config, Map.of());
    }

    private static PodRequest read(String config, Map<String, String> args) throws RequestException {
        try {
            return PodRequestReader.read((ObjectNode) JSON.readTree(config), RequestArgs.of("eth0", args));
        } catch (JsonProcessingException e) {
            throw new AssertionError(config, e);
        }
    }

    private static RequestException refused(String config) {
        return refused(config, Map.of());
    }

    private static RequestException refused(String config, Map<String, String> args) {
        RequestException refused = catchThrowableOfType(RequestException.class, () -> read(config, args));
        assertThat(refused).as(config).isNotNull();
        return refused;
    }
}

package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatNoException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.common.net.IpFamily;
import io.podwire.node.cni.request.PodRequestReader;
import io.podwire.node.cni.request.RequestArgs;
import io.podwire.node.cni.request.RequestException;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.plan.PodRequest;
import io.podwire.node.plan.WiringMode;
import java.io.IOException;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class RequestRulesTest {
    private static final Set<IpFamily> V4 = Set.of(IpFamily.V4);
    private static final Set<IpFamily> BOTH = Set.of(IpFamily.V4, IpFamily.V6);

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"runtimeConfig\":{\"ips\":[\"fd00::5\"]}|2|unsupported address fd00::5",
                "\"routes\":[{\"dst\":\"2001:db8::/32\"}]|2|unsupported route to 2001:db8::/32",
                "\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":1,\"containerPort\":1,\"hostIP\":\"::1\"}]}|2"
                        + "|unsupported hostIP of host port tcp [::1]:1 to 1",
                "\"routes\":[{\"dst\":\"192.0.2.0/24\",\"gw\":\"192.0.2.1\"}]|2|unsupported gw of the route to 192.0.2.0/24",
                "\"routes\":[{\"dst\":\"0.0.0.0/0\"}]|2|unsupported route to 0.0.0.0/0",
                "\"routes\":[{\"dst\":\"0.0.0.0/0\",\"priority\":0}]|2|unsupported route to 0.0.0.0/0",
            })
    void whatAnIpv4NodeHasNotIsRefused(String member, int code, String message) throws Exception {
        CniException refused = catchThrowableOfType(CniException.class, () -> check(V4, member, false));
        assertThat(refused).as("%s is refused", member).isNotNull();
        assertThat(refused.code().value()).isEqualTo(code);
        assertThat(refused.getMessage()).isEqualTo(message);
        assertThat(refused.details()).isNotEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"x\":1",
                "\"mtu\":576",
                "\"runtimeConfig\":{\"ips\":[\"10.1.0.5\"]}",
                "\"routes\":[{\"dst\":\"192.0.2.0/24\",\"gw\":\"169.254.1.1\"},{\"dst\":\"0.0.0.0/0\",\"table\":7}]",
                "\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":1,\"containerPort\":1,\"hostIP\":\"::\"}]}",
            })
    void whatItHasPasses(String member) {
        assertThatNoException().isThrownBy(() -> check(V4, member, false));
    }

    @Test
    void ipv6NeedsItsMtu() {
        assertThatNoException().isThrownBy(() -> check(BOTH, "\"mtu\":1280", false));
        assertThat(catchThrowableOfType(CniException.class, () -> check(BOTH, "\"mtu\":1279", false)))
                .hasMessage("invalid mtu");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"sysctl\":{\"net.core.somaxconn\":\"7\"}", "\"routes\":[{\"dst\":\"192.0.2.0/24\"}]"})
    void theNodesOwnNamespaceIsNotChanged(String member) {
        assertThat(catchThrowableOfType(CniException.class, () -> check(V4, member, true)))
                .as("%s", member)
                .isNotNull()
                .extracting(refused -> refused.code().value())
                .isEqualTo(2);
        assertThatNoException().isThrownBy(() -> check(V4, "\"mtu\":1400", true));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "macvlan/bridge/eth0|\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":1,\"containerPort\":1}]}"
                        + "|unsupported portMappings in mode macvlan",
                "vlan/7/eth0|\"runtimeConfig\":{\"bandwidth\":{\"ingressRate\":1000000,\"ingressBurst\":1000000}}"
                        + "|unsupported bandwidth in mode vlan",
                "macvlan/passthru/eth0|\"runtimeConfig\":{\"mac\":\"02:00:00:00:00:05\"}|unsupported mac in mode macvlan",
            })
    void whatNeedsALinkToTheNodeIsRefusedOnADevice(String mode, String member, String message) {
        assertThatThrownBy(() -> check(V4, member, WiringMode.parse(mode), false))
                .isInstanceOf(CniException.class)
                .hasMessage(message);
        assertThatNoException().isThrownBy(() -> check(V4, member, WiringMode.parse("routed"), false));
    }

    @Test
    void aMacvlanMayHaveAMacAddressOfItsOwn() {
        assertThatNoException()
                .isThrownBy(() -> check(
                        V4,
                        "\"runtimeConfig\":{\"mac\":\"02:00:00:00:00:05\"}",
                        WiringMode.parse("macvlan/private/eth0"),
                        false));
    }

    private static void check(Set<IpFamily> families, String member, boolean own)
            throws CniException, IOException, RequestException {
        check(families, member, new WiringMode.Bridge(), own);
    }

    private static void check(Set<IpFamily> families, String member, WiringMode mode, boolean own)
            throws CniException, IOException, RequestException {
        PodRequest request = PodRequestReader.read(
                (ObjectNode) NetworkConfig.JSON.readTree("{" + member + "}"), RequestArgs.of("eth0", Map.of()));
        new RequestRules(families, PodNames::gateway).check(request, mode, own);
    }
}

package io.podwire.cli.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.podwire.cli.conformance.KernelState.Link;
import io.podwire.cli.conformance.KernelState.Route;
import java.io.IOException;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ResultTruthTest {
    private static final KernelState INSIDE = new KernelState(
            List.of(
                    new Link(2, "eth0", "veth", true, "02:00:00:00:00:01", 1450, "", 7, List.of(cidr("10.1.0.5/24"))),
                    new Link(3, "net1", "veth", true, "02:00:00:00:00:02", 1450, "", 8, List.of(cidr("fd00::5/64")))),
            List.of(new Route(cidr("0.0.0.0/0"), "10.1.0.1", "eth0"), new Route(cidr("fd00::/64"), "", "net1")),
            List.of(),
            new TreeMap<>());
    private static final KernelState OUTSIDE = new KernelState(
            List.of(new Link(7, "host7", "veth", true, "02:00:00:00:00:07", 1450, "br", 2, List.of())),
            List.of(),
            List.of(),
            new TreeMap<>());
    private static final String TRUE = """
            {"interfaces": [{"name": "host7", "mac": "02:00:00:00:00:07"},
              {"name": "eth0", "mac": "02:00:00:00:00:01", "mtu": 1450, "sandbox": "/run/netns/x"}],
             "ips": [{"address": "10.1.0.5/24", "interface": 1}],
             "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}]}""";

    @Test
    void aTrueResultDiffersInNothing() throws IOException {
        assertThat(differences(TRUE)).isEmpty();
        assertThat(differences("{\"ip4\": {\"ip\": \"10.1.0.5/24\", \"routes\": [{\"dst\": \"0.0.0.0/0\"}]}}"))
                .isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\'',
            value = {
                "host7|host8|host8 on the host is in the result and not in the kernel",
                "02:00:00:00:00:01|02:00:00:00:00:09|has mac 02:00:00:00:00:01",
                "1450|1500|has mtu 1450",
                "10.1.0.5/24|10.1.0.6/24|address 10.1.0.6/24 is in the result and not on eth0",
                "10.1.0.5/24|10.1.0.5/32|address 10.1.0.5/32 is in the result and not on eth0",
                "10.1.0.1|10.1.0.9|route 0.0.0.0/0 is in the result",
                "0.0.0.0/0|192.0.2.0/24|route 192.0.2.0/24 is in the result",
            })
    void eachLieIsNamed(String truth, String lie, String words) throws IOException {
        assertThat(differences(TRUE.replace(truth, lie)))
                .singleElement()
                .asString()
                .contains(words);
    }

    @Test
    void aRouteByAnotherInterfaceIsNotThisResults() throws IOException {
        assertThat(ResultTruth.differences(
                        new ObjectMapper().readTree("{\"routes\": [{\"dst\": \"0.0.0.0/0\"}]}"),
                        "/run/netns/x",
                        "net1",
                        INSIDE,
                        OUTSIDE))
                .singleElement()
                .asString()
                .contains("by net1");
    }

    private static List<String> differences(String result) throws IOException {
        return ResultTruth.differences(new ObjectMapper().readTree(result), "/run/netns/x", "eth0", INSIDE, OUTSIDE);
    }

    private static Cidr cidr(String text) {
        return Cidr.of(text).orElseThrow();
    }
}

package io.podwire.cli.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.podwire.cli.lab.CniVersion;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ResultShapeTest {
    private static final String PAIRS = """
            {"cniVersion": "VERSION", "ip4": {"ip": "10.1.0.5/24", "gateway": "10.1.0.1",
             "routes": [{"dst": "0.0.0.0/0"}]}, "ip6": {"ip": "fd00::5/64"}, "dns": {}}""";
    private static final String LISTS = """
            {"cniVersion": "VERSION", "interfaces": [{"name": "h"},
             {"name": "eth0", "mac": "02:00:00:00:00:01", "sandbox": "/run/netns/x"}],
             "ips": [{FAMILY"address": "10.1.0.5/24", "gateway": "10.1.0.1", "interface": 1}],
             "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}], "dns": {"nameservers": ["10.1.0.1"]}}""";

    @Test
    void everyVersionsOwnShapeIsWell() throws IOException {
        for (CniVersion version : CniVersion.values()) {
            assertThat(problems(version, good(version))).as("%s", version).isEmpty();
        }
    }

    @Test
    void anotherVersionsShapeIsNot() throws IOException {
        for (CniVersion version : CniVersion.values()) {
            String other = version.atLeast(CniVersion.V0_3_0) ? good(CniVersion.V0_2_0) : good(CniVersion.V1_0_0);
            assertThat(problems(version, other.replaceFirst("\"[0-9.]+\"", "\"" + version + "\"")))
                    .as("%s", version)
                    .isNotEmpty();
        }
        assertThat(problems(CniVersion.V1_0_0, good(CniVersion.V0_4_0)))
                .as("the family of 0.4.0 and the version itself")
                .hasSize(2);
        assertThat(problems(CniVersion.V0_4_0, good(CniVersion.V1_0_0))).hasSize(2);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\'',
            value = {
                "\"interface\": 1|\"interface\": 2|no index",
                "\"interface\": 1|\"interface\": -1|no index",
                "\"interface\": 1|\"interface\": \"1\"|no index",
                "10.1.0.5/24|10.1.0.5|no address with a length",
                "10.1.0.5/24|10.1.0.5/33|no address with a length",
                "\"gateway\": \"10.1.0.1\"|\"gateway\": \"there\"|no address",
                "02:00:00:00:00:01|02-00|mac is none",
                "\"name\": \"eth0\"|\"name\": \"\"|has no name",
                "\"dst\": \"0.0.0.0/0\"|\"dst\": \"default\"|no address with a length",
                "\"dst\": \"0.0.0.0/0\"|\"dst\": \"0.0.0.0/0\", \"mtu\": 1400|is of 1.1.0",
                "\"name\": \"h\"|\"name\": \"h\", \"mtu\": 1400|is of 1.1.0",
                "[\"10.1.0.1\"]|\"10.1.0.1\"|no list",
                "{\"nameservers\": [\"10.1.0.1\"]}|[]|dns is no object",
                "\"cniVersion\": \"1.0.0\"|\"cniVersion\": \"0.4.0\"|asked for was 1.0.0",
            })
    void eachFaultIsNamed(String good, String bad, String words) throws IOException {
        String text = good(CniVersion.V1_0_0);
        assertThat(text).contains(good);
        assertThat(problems(CniVersion.V1_0_0, text.replace(good, bad)))
                .singleElement()
                .asString()
                .contains(words);
    }

    @Test
    void theOldestVersionsNeedAnAddress() throws IOException {
        assertThat(problems(CniVersion.V0_1_0, "{\"cniVersion\": \"0.1.0\"}"))
                .singleElement()
                .asString()
                .contains("neither ip4 nor ip6");
        assertThat(problems(CniVersion.V0_2_0, "{\"cniVersion\": \"0.2.0\", \"ip4\": {\"ip\": \"fd00::1/64\"}}"))
                .singleElement()
                .asString()
                .contains("other family");
        assertThat(problems(CniVersion.V1_1_0, "[]")).singleElement().asString().contains("no JSON object");
    }

    private static String good(CniVersion version) {
        return (version.atLeast(CniVersion.V0_3_0) ? LISTS : PAIRS)
                .replace("VERSION", version.text())
                .replace("FAMILY", version.atLeast(CniVersion.V1_0_0) ? "" : "\"version\": \"4\", ");
    }

    private static List<String> problems(CniVersion version, String result) throws IOException {
        return ResultShape.problems(version, new ObjectMapper().readTree(result));
    }
}

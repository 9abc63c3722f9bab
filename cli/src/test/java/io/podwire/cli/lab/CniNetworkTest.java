package io.podwire.cli.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CniNetworkTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String CONFLIST = """
            {"cniVersion": "1.0.0", "name": "podwire", "plugins": [
              {"type": "podwire", "socket": "/s", "unknown": [1, {"a": null}]},
              {"type": "portmap", "capabilities": {"portMappings": true, "mac": "true", "bandwidth": false}}]}
            """;

    @Test
    void stdinIsThePluginsObjectWithNameAndVersion() throws IOException {
        assertThat(json(CniNetwork.parse(CONFLIST).stdin(0, Optional.empty(), json("{}"))))
                .as("runtimeConfig and prevResult only where there are any")
                .isEqualTo(json("""
                        {"type": "podwire", "socket": "/s", "unknown": [1, {"a": null}],
                         "name": "podwire", "cniVersion": "1.0.0"}"""));
    }

    @Test
    void aPluginsOwnNameAndVersionAreReplaced() throws IOException {
        CniNetwork network = CniNetwork.parse("""
                {"cniVersion": "0.4.0", "name": "list", "plugins": [
                  {"type": "t", "name": "own", "cniVersion": "0.1.0"}]}""");
        assertThat(json(network.stdin(0, Optional.empty(), json("{}"))))
                .as("the list's name and version win")
                .isEqualTo(json("{\"type\": \"t\", \"name\": \"list\", \"cniVersion\": \"0.4.0\"}"));
    }

    @Test
    void runtimeConfigHoldsDeclaredCapabilitiesOnly() throws IOException {
        JsonNode offered = json("""
                {"portMappings": [{"HostPort": 8080}], "mac": "02:00:00:00:00:01",
                 "bandwidth": {"IngressRate": 1}, "ips": ["10.0.0.1"]}""");
        JsonNode stdin = json(CniNetwork.parse(CONFLIST).stdin(1, Optional.empty(), offered));
        assertThat(stdin.path("runtimeConfig"))
                .as("true and \"true\" declare; false and silence do not")
                .isEqualTo(json("{\"portMappings\": [{\"HostPort\": 8080}], \"mac\": \"02:00:00:00:00:01\"}"));
        assertThat(stdin.has("capabilities")).as("libcni leaves it in").isTrue();
    }

    @Test
    void prevResultIsPassedAsItIs() throws IOException {
        JsonNode result = json("{\"cniVersion\": \"1.0.0\", \"ips\": [{\"address\": \"10.0.0.1/32\"}]}");
        assertThat(json(CniNetwork.parse(CONFLIST).stdin(0, Optional.of(result), json("{}")))
                        .path("prevResult"))
                .as("the cached result")
                .isEqualTo(result);
    }

    @Test
    void gcNamesValidAttachmentsUnderBothKeys() throws IOException {
        JsonNode stdin = json(CniNetwork.parse(CONFLIST)
                .gcStdin(0, ValidAttachments.of(CniAttachment.pod("default", "web", "u", "abc", "/run/netns/x"))));
        JsonNode expected = json("[{\"containerID\": \"abc\", \"ifname\": \"eth0\"}]");
        assertThat(stdin.path("cni.dev/valid-attachments"))
                .as("the specification's key")
                .isEqualTo(expected);
        assertThat(stdin.path("cni.dev/attachments")).as("libcni's alias").isEqualTo(expected);
    }

    @Test
    void gcTellsNoneFromNullFromNothing() throws IOException {
        CniNetwork network = CniNetwork.parse(CONFLIST);
        assertThat(network.gcStdin(0, ValidAttachments.of()))
                .as("no attachment")
                .contains("\"cni.dev/valid-attachments\":[]", "\"cni.dev/attachments\":[]");
        assertThat(network.gcStdin(0, new ValidAttachments.Null()))
                .as("JSON null")
                .contains("\"cni.dev/valid-attachments\":null", "\"cni.dev/attachments\":null");
        assertThat(network.gcStdin(0, new ValidAttachments.Absent()))
                .as("no key")
                .doesNotContain("cni.dev");
    }

    @Test
    void aSinglePluginsConfigurationIsAListOfOne() throws IOException {
        CniNetwork network =
                CniNetwork.parseAny("{\"cniVersion\": \"0.4.0\", \"name\": \"n\", \"type\": \"t\", \"x\": 1}");
        assertThat(network.name()).as("name").isEqualTo("n");
        assertThat(network.cniVersion()).as("version").isEqualTo("0.4.0");
        assertThat(network.plugins()).as("plugins").containsExactly("t");
        assertThat(network.plugin(0).path("x").asInt()).as("its own keys").isOne();
        assertThat(CniNetwork.parseAny(CONFLIST).plugins())
                .as("a list stays one")
                .containsExactly("podwire", "portmap");
    }

    @Test
    void aChangedNetworkLeavesTheFirstAsItWas() throws IOException {
        CniNetwork network = CniNetwork.parse(CONFLIST);
        CniNetwork changed = network.withVersion(CniVersion.V0_4_0)
                .withName("other")
                .withPlugins(plugin -> plugin.put("more", true))
                .withLast(network.plugin(0).put("type", "last"));
        assertThat(changed.plugins()).as("plugins").containsExactly("podwire", "portmap", "last");
        assertThat(json(changed.stdin(1, Optional.empty(), json("{}")))
                        .path("more")
                        .asBoolean())
                .as("the change")
                .isTrue();
        assertThat(changed.cniVersion() + " " + changed.name()).isEqualTo("0.4.0 other");
        assertThat(network.stdin(0, Optional.empty(), json("{}")))
                .as("the first")
                .doesNotContain("more");
        assertThat(network.plugins()).as("the first").hasSize(2);
    }

    @Test
    void gcBeginsWithVersion110AndCanBeSwitchedOff() {
        assertThat(CniNetwork.parse(CONFLIST).gcDisabled()).as("1.0.0").isTrue();
        assertThat(CniNetwork.parse(CONFLIST).withVersion(CniVersion.V1_1_0).gcDisabled())
                .as("1.1.0")
                .isFalse();
        assertThat(CniNetwork.parse("{\"cniVersion\": \"1.1.0\", \"name\": \"n\", \"disableGC\": \"true\","
                                + " \"plugins\": [{\"type\": \"t\"}]}")
                        .gcDisabled())
                .as("switched off")
                .isTrue();
    }

    @Test
    void theHighestKnownVersionWins() {
        assertThat(version("\"cniVersion\": \"0.4.0\", \"cniVersions\": [\"1.0.0\", \"9.9.9\", \"0.3.1\"]"))
                .as("a newer one than known is skipped")
                .isEqualTo("1.0.0");
        assertThat(version("\"cniVersions\": []"))
                .as("none at all is the oldest")
                .isEqualTo("0.1.0");
        assertThatThrownBy(() -> version("\"cniVersion\": \"2.0.0\""))
                .as("nothing in common")
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("2.0.0");
    }

    @Test
    void checkAndCachedResultsBeginWithVersion040() {
        CniNetwork old =
                CniNetwork.parse("{\"cniVersion\": \"0.3.1\", \"name\": \"n\", \"plugins\": [{\"type\": \"t\"}]}");
        assertThat(old.checkDisabled()).as("0.3.1 has no CHECK").isTrue();
        assertThat(old.cachesResults()).as("nor prevResult on DEL").isFalse();
        CniNetwork off = CniNetwork.parse("{\"cniVersion\": \"1.0.0\", \"name\": \"n\", \"disableCheck\": \"true\","
                + " \"plugins\": [{\"type\": \"t\"}]}");
        assertThat(off.checkDisabled()).as("booleans may be strings").isTrue();
        assertThat(off.cachesResults()).as("1.0.0 has prevResult on DEL").isTrue();
    }

    @Test
    void theFirstConflistByNameIsLoaded(@TempDir Path folder) throws IOException {
        Files.writeString(folder.resolve("20-b.conflist"), "{\"name\": \"b\", \"plugins\": [{\"type\": \"t\"}]}");
        Files.writeString(folder.resolve("10-a.conflist"), "{\"name\": \"a\", \"plugins\": [{\"type\": \"t\"}]}");
        Files.writeString(folder.resolve("00-x.conf"), "not a list");
        assertThat(CniNetwork.load(folder).name()).as("as containerd does").isEqualTo("a");
    }

    @Test
    void whatIsNoConflistIsRefusedWithTheReason() {
        for (String bad : List.of("{", "{}", "{\"name\": \"n\"}", "{\"name\": \"n\", \"plugins\": [{}]}")) {
            assertThatThrownBy(() -> CniNetwork.parse(bad))
                    .as(bad)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("conflist");
        }
    }

    private static String version(String keys) {
        return CniNetwork.parse("{" + keys + ", \"name\": \"n\", \"plugins\": [{\"type\": \"t\"}]}")
                .cniVersion();
    }

    private static JsonNode json(String text) throws IOException {
        return JSON.readTree(text);
    }
}

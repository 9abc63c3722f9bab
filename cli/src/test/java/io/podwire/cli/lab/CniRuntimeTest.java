package io.podwire.cli.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against plugins that are shell scripts: they record what they are given and print what they are told. */
class CniRuntimeTest {
    private static final CniAttachment POD = CniAttachment.pod("default", "web", "uid-1", "abc", "/run/netns/web");

    @TempDir
    private Path folder;

    @BeforeEach
    void makePlugins() throws IOException {
        for (String name : List.of("first", "second")) {
            Path plugin = Files.writeString(folder.resolve(name), """
                    #!/bin/sh
                    cd %s
                    echo "$CNI_COMMAND %s" >>calls
                    env | grep ^CNI_ | sort >%s.$CNI_COMMAND.env
                    cat >%s.$CNI_COMMAND.stdin
                    [ ! -e fail.%s.$CNI_COMMAND ] || { echo '{"code": 11, "msg": "later"}'; exit 1; }
                    [ $CNI_COMMAND != ADD ] || echo '{"cniVersion": "1.1.0", "by": "%s"}'
                    """.formatted(folder, name, name, name, name, name));
            assertThat(plugin.toFile().setExecutable(true)).as("executable").isTrue();
        }
    }

    @Test
    void aPluginSeesTheEnvironmentOfARuntime() throws IOException {
        assertThat(runtime("1.1.0").add(POD).ok()).as("ADD").isTrue();
        assertThat(Files.readAllLines(folder.resolve("first.ADD.env")))
                .as("all six variables and no other")
                .containsExactly(
                        "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;"
                                + "K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=uid-1",
                        "CNI_COMMAND=ADD",
                        "CNI_CONTAINERID=abc",
                        "CNI_IFNAME=eth0",
                        "CNI_NETNS=/run/netns/web",
                        "CNI_PATH=" + folder);
    }

    @Test
    void resultsTravelAlongTheChainAndIntoDel() throws IOException {
        CniRuntime runtime = runtime("1.1.0");
        CniRuntime.Outcome added = runtime.add(POD);
        assertThat(added.json().path("by").asText())
                .as("the last plugin's result")
                .isEqualTo("second");
        assertThat(prevResult("first.ADD"))
                .as("the first plugin has none before it")
                .isEmpty();
        assertThat(prevResult("second.ADD")).as("the second has the first's").isEqualTo("first");

        assertThat(runtime.check(POD).ok()).as("CHECK").isTrue();
        assertThat(prevResult("first.CHECK")).as("CHECK has the final result").isEqualTo("second");

        assertThat(runtime.del(POD).ok()).as("DEL").isTrue();
        assertThat(prevResult("first.DEL")).as("DEL has the final result").isEqualTo("second");
        assertThat(runtime.del(POD.withoutNetns()).ok()).as("DEL again").isTrue();
        assertThat(prevResult("first.DEL"))
                .as("the second DEL finds nothing cached")
                .isEmpty();
        assertThat(Files.readAllLines(folder.resolve("first.DEL.env")))
                .as("nor a namespace")
                .contains("CNI_NETNS=");
        assertThat(Files.readAllLines(folder.resolve("calls")))
                .as("ADD and CHECK forward, DEL in reverse")
                .containsExactly(
                        "ADD first",
                        "ADD second",
                        "CHECK first",
                        "CHECK second",
                        "DEL second",
                        "DEL first",
                        "DEL second",
                        "DEL first");
    }

    @Test
    void theFirstFailureStopsTheChain() throws IOException {
        Files.createFile(folder.resolve("fail.first.ADD"));
        CniRuntime runtime = runtime("1.1.0");
        CniRuntime.Outcome added = runtime.add(POD);
        assertThat(added.exitCode()).as("the plugin's code").isEqualTo(1);
        assertThat(added.json().path("code").asInt()).as("the plugin's error").isEqualTo(11);
        assertThat(Files.readAllLines(folder.resolve("calls"))).as("calls").containsExactly("ADD first");
        assertThat(runtime.del(POD).ok()).as("DEL of the whole chain follows").isTrue();
        assertThat(prevResult("second.DEL")).as("without a result").isEmpty();
    }

    @Test
    void failedDelKeepsTheResultForTheNext() throws IOException {
        CniRuntime runtime = runtime("1.1.0");
        var _ = runtime.add(POD);
        Path fail = Files.createFile(folder.resolve("fail.first.DEL"));
        assertThat(runtime.del(POD).ok()).as("DEL").isFalse();
        Files.delete(fail);
        assertThat(runtime.del(POD).ok()).as("DEL again").isTrue();
        assertThat(prevResult("first.DEL")).as("the result is there still").isEqualTo("second");
    }

    @Test
    void gcDeletesWhatIsCachedAndNotValid() throws IOException {
        CniRuntime runtime = runtime("1.1.0");
        CniAttachment stale = CniAttachment.pod("default", "old", "uid-2", "def", "/run/netns/old");
        var _ = runtime.add(POD);
        var _ = runtime.add(stale);
        assertThat(runtime.gc(List.of(POD)).ok()).as("GC").isTrue();
        assertThat(Files.readAllLines(folder.resolve("first.DEL.env")))
                .as("DEL of the stale one")
                .contains("CNI_CONTAINERID=def", "CNI_NETNS=");
        assertThat(new ObjectMapper()
                        .readTree(folder.resolve("second.GC.stdin").toFile())
                        .path("cni.dev/valid-attachments")
                        .toString())
                .as("GC names the valid one")
                .isEqualTo("[{\"containerID\":\"abc\",\"ifname\":\"eth0\"}]");
    }

    @Test
    void gcGoesOnAfterAPluginThatFailed() throws IOException {
        Files.createFile(folder.resolve("fail.first.GC"));
        CniRuntime.Outcome collected = runtime("1.1.0").gc(new ValidAttachments.Null());
        assertThat(collected.ok()).as("GC").isFalse();
        assertThat(collected.last().plugin()).as("who failed").isEqualTo("first");
        assertThat(Files.readAllLines(folder.resolve("calls"))).as("calls").containsExactly("GC first", "GC second");
        assertThatThrownBy(() -> runtime("1.0.0").gc(List.of()))
                .as("1.0.0 has no GC")
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void everyExecutionIsToldWithWhatItWasGiven() {
        CniRuntime runtime = runtime("1.1.0");
        CniRuntime.Outcome added = runtime.add(POD);
        assertThat(added.executions())
                .as("both plugins")
                .extracting(CniExecution::plugin)
                .containsExactly("first", "second");
        assertThat(added.executions().getLast().stdin()).as("stdin").contains("\"prevResult\"", "\"first\"");
        assertThat(added.last().env()).as("environment").containsEntry("CNI_IFNAME", "eth0");
        runtime.forget(POD);
        assertThat(runtime.del(POD).last().stdin())
                .as("DEL by a runtime that forgot")
                .doesNotContain("prevResult");
    }

    @Test
    void aPluginIsTheFirstOfItsNameInThePath() throws IOException {
        Path other = Files.createDirectories(folder.resolve("other"));
        Path better =
                Files.writeString(other.resolve("first"), "#!/bin/sh\ncat >/dev/null; echo '{\"by\": \"better\"}'\n");
        assertThat(better.toFile().setExecutable(true)).as("executable").isTrue();
        CniPlugins plugins = new CniPlugins(List.of(folder), List.of()).before(other);
        assertThat(plugins.path()).as("CNI_PATH").isEqualTo(other + ":" + folder);
        assertThat(plugins.execute("first", Map.of("CNI_COMMAND", "ADD"), "{}").stdout())
                .contains("better");
        assertThatThrownBy(() -> plugins.execute("third", Map.of(), ""))
                .as("nobody has it")
                .isInstanceOf(io.podwire.cli.CommandFailure.class)
                .hasMessageContaining("third")
                .hasMessageContaining(other.toString());
    }

    @Test
    void statusAndVersionHaveTheirOwnEnvironment() throws IOException {
        CniRuntime runtime = runtime("1.1.0");
        assertThat(runtime.status().ok()).as("STATUS").isTrue();
        assertThat(Files.readAllLines(folder.resolve("first.STATUS.env")))
                .as("present and empty")
                .contains("CNI_CONTAINERID=", "CNI_NETNS=", "CNI_IFNAME=", "CNI_ARGS=");
        assertThat(runtime.version().ok()).as("VERSION").isTrue();
        assertThat(Files.readAllLines(folder.resolve("first.VERSION.env")))
                .as("libcni's dummies")
                .contains("CNI_NETNS=dummy", "CNI_IFNAME=dummy");
        assertThat(folder.resolve("first.VERSION.stdin")).as("stdin").hasContent("{\"cniVersion\":\"1.1.0\"}");
    }

    @Test
    void checkNeedsAnAddAndAVersionThatHasIt() {
        assertThatThrownBy(() -> runtime("1.1.0").check(POD))
                .as("nothing cached")
                .isInstanceOf(IllegalStateException.class);
        CniRuntime old = runtime("0.3.1");
        var _ = old.add(POD);
        assertThatThrownBy(() -> old.check(POD)).as("0.3.1").isInstanceOf(IllegalStateException.class);
    }

    private CniRuntime runtime(String version) {
        return new CniRuntime(
                CniNetwork.parse("{\"cniVersion\": \"" + version
                        + "\", \"name\": \"n\", \"plugins\": [{\"type\": \"first\"}, {\"type\": \"second\"}]}"),
                folder,
                List.of());
    }

    private String prevResult(String call) throws IOException {
        JsonNode stdin =
                new ObjectMapper().readTree(folder.resolve(call + ".stdin").toFile());
        return stdin.path("prevResult").path("by").asText();
    }
}

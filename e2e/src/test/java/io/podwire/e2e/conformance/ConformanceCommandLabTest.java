package io.podwire.e2e.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.podwire.e2e.mesh.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command as an operator types it, in its own sandbox. */
@Tag("lab")
final class ConformanceCommandLabTest {
    private static final Path HOME =
            Path.of(System.getProperty("podwire.home", "../cli/target/podwire")).toAbsolutePath();

    @TempDir
    private Path folder;

    private Path conf;

    @BeforeEach
    void writeConf() throws IOException {
        assumeTrue(
                Files.isExecutable(Path.of("/usr/lib/cni/bridge")),
                "no test with the official plugins: Debian's containernetworking-plugins is not installed");
        conf = Files.writeString(folder.resolve("bridge.conf"), """
                {"cniVersion": "1.0.0", "name": "typed", "type": "bridge", "bridge": "cni0", "isGateway": true,
                 "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.93.0.0/24"}]]}}""");
    }

    @Test
    void aTableForPeopleAndExitCode0WhenNothingFailed() {
        Shell.Ended ended = run("--conf-version", "1.0.0", "--only", "V1,A1,D1,R1");
        assertThat(ended.exitCode()).as(ended.stdout() + ended.stderr()).isZero();
        assertThat(ended.stdout())
                .containsPattern("TICK +1\\.0\\.0 +RULE")
                .containsPattern("A1 +pass +ADD makes CNI_IFNAME")
                .containsPattern("R1 +skip ")
                .contains("R1: the configuration declares none of portMappings, bandwidth and dns")
                .contains("3 passed, 0 failed");
        leavesNothing();
    }

    @Test
    void exitCode1AndTheEvidenceWhenATickFailed() {
        Shell.Ended ended = run("--conf-version", "1.0.0", "--only", "O1,A1");
        assertThat(ended.exitCode()).as(ended.stdout()).isEqualTo(1);
        assertThat(ended.stdout())
                .containsPattern("O1 +FAIL ")
                .contains("O1 FAILED: an error is an object with cniVersion")
                .contains("bridge prints an error object without a cniVersion [1.0.0]")
                .contains("CNI_COMMAND='ADD'", "\"code\": 4");
        assertThat(ended.stderr()).contains("1 passed, 1 failed");
        leavesNothing();
    }

    @Test
    void jsonForPrograms() throws IOException {
        Shell.Ended ended = run("--conf-version", "1.0.0", "--conf-version", "0.4.0", "--only", "O1,A1", "--json");
        assertThat(ended.exitCode()).as(ended.stderr()).isEqualTo(1);
        JsonNode report = new ObjectMapper().readTree(ended.stdout());
        assertThat(report.path("count").path("fail").asInt()).as("failures").isEqualTo(2);
        assertThat(report.path("ticks").findValuesAsText("id")).as("ticks").containsExactly("A1", "O1");
        JsonNode failure = report.path("results").path(1);
        assertThat(failure.path("tick").asText()
                        + failure.path("cniVersion").asText()
                        + failure.path("result").asText())
                .as("the second result")
                .isEqualTo("O10.4.0fail");
        JsonNode evidence = failure.path("findings").path(0).path("evidence").path(0);
        assertThat(evidence.path("env").path("CNI_COMMAND").asText())
                .as("its environment")
                .isEqualTo("ADD");
        assertThat(evidence.path("stdin").asText()).as("its input").contains("\"type\":\"bridge\"");
        assertThat(evidence.path("exitCode").asInt()).as("its end").isEqualTo(1);
        assertThat(evidence.path("stdout").asText()).as("its output").contains("\"msg\"");
    }

    /** The sandbox has a /var/lib of its own, where host-local keeps its addresses. */
    private static void leavesNothing() {
        assertThat(Path.of("/var/lib/cni/networks/typed")).doesNotExist();
        assertThat(Shell.output("ip", "netns", "list")).doesNotContain("pwct-");
    }

    private Shell.Ended run(String... more) {
        List<String> command = new ArrayList<>(List.of(
                HOME.resolve("bin/podwire").toString(),
                "cni-conformance",
                "--plugin-dir",
                "/usr/lib/cni",
                "--conf",
                conf.toString()));
        command.addAll(List.of(more));
        return Shell.attempt(command.toArray(String[]::new));
    }
}

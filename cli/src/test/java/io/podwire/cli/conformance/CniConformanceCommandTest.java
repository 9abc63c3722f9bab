package io.podwire.cli.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.cli.CommandFailure;
import io.podwire.cli.lab.CniNetwork;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

class CniConformanceCommandTest {
    @TempDir
    private Path folder;

    private Path conf;

    @BeforeEach
    void makePlugin() throws IOException {
        Path plugin = Files.writeString(folder.resolve("thing"), "#!/bin/sh\nexit 1\n");
        assertThat(plugin.toFile().setExecutable(true)).as("executable").isTrue();
        conf = Files.writeString(
                folder.resolve("thing.conf"), "{\"cniVersion\": \"1.0.0\", \"name\": \"n\", \"type\": \"thing\"}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--plugin-dir /nowhere --conf CONF|/nowhere is no directory",
                "--plugin-dir DIR|--conf",
                "--conf CONF|--plugin-dir",
                "--plugin-dir DIR --conf CONF --conf-version 1.2.0|--conf-version must be one of 0.1.0",
                "--plugin-dir DIR --conf CONF --ifname sixteen-bytes-is|--ifname must be",
                "--plugin-dir DIR --conf CONF --addresses 0|--addresses must be 1 to 1024",
            })
    void wrongUsageIsExplainedAndEndsWith2(String line, String words) {
        Ended ended = run(line);
        assertThat(ended.code()).as(ended.err()).isEqualTo(2);
        assertThat(ended.err()).contains(words);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--plugin-dir DIR --conf /nowhere|cannot read --conf /nowhere",
                "--plugin-dir DIR --conf DIR/thing|it is no JSON",
                "--plugin-dir DIR --conf CONF --only A1,Z9|no such tick: Z9; there are V1",
                "--plugin-dir /etc --conf CONF|no executable thing in /etc",
                "--plugin-dir DIR --conf CONF --daemon-key socket|no plugin of the configuration has the key \"socket\"",
            })
    void whatCannotBeTestedIsExplained(String line, String words) {
        assertThat(run(line + " --no-sandbox").err()).contains(words);
    }

    @Test
    void itDoesNotStartOutsideASandboxUnlessAskedTo() {
        assertThat(run("--plugin-dir DIR --conf CONF").err()).contains("sandbox", "--no-sandbox");
    }

    @Test
    void everyCheckHasItsOwnIdAndSaysWhatItDoes() {
        Set<String> ids = new HashSet<>();
        for (Check check : Check.all()) {
            assertThat(ids.add(check.id())).as("%s is there once", check.id()).isTrue();
            assertThat(check.id()).matches("[VIADCGSOR][1-8]");
            assertThat(check.says()).as("%s", check.id()).isNotBlank().doesNotEndWith(".");
            assertThat(check.how()).as("%s", check.id()).isNotBlank().doesNotEndWith(".");
        }
        assertThat(ids).as("ticks that are the plugin's affair").hasSize(54);
    }

    @Test
    void aSetupKnowsItsTicks() {
        assertThatThrownBy(() -> new Setup(
                        CniNetwork.parseAny("{\"name\": \"n\", \"type\": \"thing\"}"),
                        List.of(folder),
                        Optional.empty(),
                        "eth0",
                        Setup.VERSIONS,
                        Set.of("C8"),
                        Optional.empty(),
                        OptionalInt.empty(),
                        true))
                .as("what is the runtime's affair is no tick here")
                .isInstanceOf(CommandFailure.class)
                .hasMessageContaining("C8");
    }

    private record Ended(int code, String err) {}

    private Ended run(String line) {
        StringWriter err = new StringWriter();
        CommandLine command = new CommandLine(new CniConformanceCommand())
                .setErr(new PrintWriter(err))
                .setExecutionExceptionHandler((failure, cmd, _) -> {
                    cmd.getErr().println(failure.getMessage());
                    return 1;
                });
        int code = command.execute(line.replace("CONF", conf.toString())
                .replace("DIR", folder.toString())
                .split(" "));
        return new Ended(code, err.toString());
    }
}

package io.podwire.common.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** ServiceRunner.run as its users meet it: a process with a command line, an environment and an exit code. */
final class ServiceProcessTest {
    @TempDir
    Path folder;

    private record Ended(int code, String output) {}

    private Process start(Map<String, String> environment, String... args) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                TestMain.class.getName()));
        command.addAll(List.of(args));
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("out").toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("PODWIRE_"));
        builder.environment().putAll(environment);
        return builder.start();
    }

    private Ended run(Map<String, String> environment, String... args) throws Exception {
        Process process = start(environment, args);
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).as("ended").isTrue();
        return new Ended(process.exitValue(), output());
    }

    private String output() throws IOException {
        return Files.readString(folder.resolve("out"));
    }

    @Test
    void helpIsSuccess() throws Exception {
        Ended help = run(Map.of(), "--help");
        assertThat(help.code()).isZero();
        assertThat(help.output())
                .contains("Usage: test-service", "--must", "--listen", "--http-listen", "--shutdown-grace");
    }

    @Test
    void anUnknownOptionEndsWith2() throws Exception {
        Ended wrong = run(Map.of(), "--must=x", "--nonsense=1");
        assertThat(wrong.code()).isEqualTo(2);
        assertThat(wrong.output()).contains("--nonsense", "Try 'test-service --help'");
    }

    @Test
    void aServiceThatCannotStartEndsWith1AndClosesWhatItOwned() throws Exception {
        Ended failed = run(Map.of("PODWIRE_MUST", "fail"));
        assertThat(failed.code()).isEqualTo(1);
        assertThat(failed.output()).contains("closed", "test-service: cannot start: the store is away");
    }

    @Test
    void itRunsUntilSigtermWithItsEnvironmentAndHidesSecrets() throws Exception {
        Process process = start(
                Map.of("PODWIRE_MUST", "twin", "PODWIRE_API_TOKEN", "s3cret", "PODWIRE_VERSION", "0.1.0"), "--count=4");
        try {
            await().atMost(Duration.ofSeconds(30)).until(() -> output().contains("is ready"));
            assertThat(output())
                    .contains("wired twin 4", "--api-token=***", "--count=4", "test-service serves gRPC on 127.0.0.1:")
                    .doesNotContain("s3cret");
        } finally {
            process.destroy();
        }
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(output()).as("what it owned").contains("closed");
    }
}

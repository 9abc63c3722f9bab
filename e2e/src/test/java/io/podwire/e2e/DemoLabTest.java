package io.podwire.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.e2e.mesh.Shell;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The README's first command, as a person types it. */
@Tag("lab")
final class DemoLabTest {
    @Test
    void everyStepOfTheDemoHolds() throws Exception {
        Path home = Path.of(System.getProperty("podwire.home", "../cli/target/podwire"));
        Process demo = new ProcessBuilder(home.resolve("bin/podwire").toString(), "lab", "demo")
                .redirectErrorStream(true)
                .start();
        String said = new String(demo.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(demo.waitFor(10, TimeUnit.SECONDS))
                .as("it ends with its output")
                .isTrue();
        assertThat(demo.exitValue()).as(said).isZero();
        assertThat(said).contains("Every step held");
        assertThat(Shell.output("ip", "netns", "list"))
                .as("namespaces left behind")
                .isBlank();
    }
}

package io.podwire.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.service.ListenAddress;
import io.podwire.common.service.ServiceOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ContainerfilesTest {
    private static final Path IMAGES = Deployed.DEPLOY.resolve("images");
    private static final String TRAIN = "RUN /opt/podwire/train.sh ";

    @Test
    void jvmFlagsAreThoseOfEveryPodwireJvm() throws IOException {
        assertThat(Files.readAllLines(IMAGES.resolve("jvm.args")))
                .containsExactly(
                        "--enable-native-access=ALL-UNNAMED",
                        "--sun-misc-unsafe-memory-access=deny",
                        "-XX:+UseSerialGC",
                        "-XX:+UseCompactObjectHeaders",
                        "-XX:TieredStopAtLevel=1",
                        "-XX:CompileThresholdScaling=0.1",
                        "-XX:MaxRAMPercentage=50",
                        "-XX:+ExitOnOutOfMemoryError");
    }

    @Test
    void programsHaveTheFlagsThatTheyHaveElsewhere() throws IOException {
        assertThat(Files.readString(Deployed.DEPLOY.resolve("../cli/src/main/sh/launch")))
                .contains("own='" + String.join(" ", Files.readAllLines(IMAGES.resolve("node-shim/jvm.args"))) + "'")
                .contains("own='" + String.join(" ", Files.readAllLines(IMAGES.resolve("ipam-service/jvm.args"))) + "'")
                .contains("MALLOC_ARENA_MAX:-2");
        assertThat(steps(Deployed.NODE_SHIM)).contains("ENV MALLOC_ARENA_MAX=2");
    }

    @ParameterizedTest
    @EnumSource(Deployed.class)
    void imageRunsTheServiceWithItsCache(Deployed service) throws IOException {
        List<String> steps = steps(service);

        assertThat(steps)
                .contains(
                        "RUN deploy/images/assemble.sh " + service + " "
                                + service.main().getName() + " /opt/podwire",
                        "ENTRYPOINT [\"/opt/podwire/java/bin/java\", \"-XX:AOTCache=/opt/podwire/app.aot\","
                                + " \"@/opt/podwire/app.args\"]",
                        "USER " + (service == Deployed.NODE_SHIM ? "0:0" : "65532:65532"));
        int jars = steps.indexOf("COPY --from=build /opt/podwire /opt/podwire");
        assertThat(jars).isPositive();
        assertThat(steps.get(jars + 1))
                .as("the cache is made right after the jars came: JDK-8377932")
                .startsWith(TRAIN);
    }

    @ParameterizedTest
    @EnumSource(Deployed.class)
    void trainingOptionsExist(Deployed service) throws IOException {
        String training = steps(service).stream()
                .filter(step -> step.startsWith(TRAIN))
                .findFirst()
                .orElseThrow();

        service.parse(
                Map.of(),
                Stream.of(training.substring(TRAIN.length())
                                .split(" && ", -1)[0]
                                .split(" +"))
                        .toArray(String[]::new));
    }

    @ParameterizedTest
    @EnumSource(Deployed.class)
    void exposedPortsAreTheDefaults(Deployed service) throws IOException {
        ServiceOptions defaults = service.options();
        String ports = switch (defaults.common().listen()) {
            case ListenAddress.Tcp(String _, int port) -> port + " ";
            case ListenAddress.Unix _ -> "";
        };

        assertThat(steps(service))
                .contains("EXPOSE " + ports + defaults.common().httpListen().port());
    }

    @ParameterizedTest
    @EnumSource(Deployed.class)
    void basesAreArgumentsWithShortDefaultsAndCopiedFilesExist(Deployed service) throws IOException {
        for (String step : steps(service)) {
            String[] words = step.split(" ", -1);
            switch (words[0]) {
                case "ARG" -> assertThat(words[1]).as("no registry's name").matches("[A-Z]+=[a-z-]+:[0-9a-z-]+");
                case "FROM" -> assertThat(words[1]).isIn("${BASE}", "${RUNTIME}");
                case "COPY" -> {
                    if (!words[1].startsWith("--from=")) {
                        for (int i = 1; i < words.length - 1; i++) {
                            assertThat(Deployed.DEPLOY.resolveSibling(words[i])).exists();
                        }
                    }
                }
                default -> assertThat(words[0]).isIn("RUN", "ENV", "WORKDIR", "USER", "EXPOSE", "ENTRYPOINT");
            }
        }
    }

    @Test
    void scriptsAreThereExecutableAndReadByPosixShells() throws Exception {
        for (String script : Set.of("assemble.sh", "train.sh", "node-shim/install-cni.sh")) {
            Path file = IMAGES.resolve(script);
            assertThat(file).isExecutable();
            assertThat(Files.readAllLines(file).getFirst()).isEqualTo("#!/bin/sh");
            assertThat(new ProcessBuilder("sh", "-n", file.toString())
                            .inheritIO()
                            .start()
                            .waitFor())
                    .isZero();
        }
    }

    /** The Containerfile's instructions, continued lines joined. */
    private static List<String> steps(Deployed service) throws IOException {
        String text = Files.readString(IMAGES.resolve(service + "/Containerfile"));
        List<String> steps = new ArrayList<>();
        text.replaceAll("\\\\\n *", "")
                .lines()
                .filter(line -> !line.isBlank() && !line.startsWith("#"))
                .forEach(steps::add);
        return steps;
    }
}

package io.podwire.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The script bin/launch, in a distribution of empty files, with a Java that prints its arguments. */
class LauncherTest {
    private record Ended(int code, List<String> out, String err) {}

    @TempDir
    private Path folder;

    private Path home;
    private Path java25;

    @BeforeEach
    void makeDistribution() throws IOException {
        home = Files.createDirectories(folder.resolve("a home"));
        Path bin = Files.createDirectories(home.resolve("bin"));
        // JDKs of this machine are not to be found.
        Files.writeString(
                bin.resolve("launch"),
                Files.readString(Path.of("src/main/sh/launch"))
                        .replace("/usr/lib/jvm/", Files.createDirectories(folder.resolve("jvm")) + "/"));
        assertThat(bin.resolve("launch").toFile().setExecutable(true))
                .as("executable")
                .isTrue();
        for (String program : List.of("podwire", "node-shim", "ipam-service", "other")) {
            Files.createSymbolicLink(bin.resolve(program), Path.of("launch"));
        }
        Files.createDirectories(home.resolve("lib/aot"));
        Files.writeString(home.resolve("lib/CLASSPATH-ipam-service"), "b.jar\na.jar\n");
        for (String other : List.of("podwire", "node-shim")) {
            Files.writeString(home.resolve("lib/CLASSPATH-" + other), "c.jar\n");
        }
        Files.writeString(home.resolve("lib/DIGEST"), "0123456789abcdef\n");
        script(
                Files.createDirectories(home.resolve("libexec")).resolve("sandbox"),
                "echo sandboxed; printf '%s\\n' \"$@\"");
        java25 = jdk("jdk25", "25.0.3");
    }

    @Test
    void runsTheMainClassOfItsNameWithItsArguments() throws Exception {
        List<String> out = launch("ipam-service", Map.of(), "--pool", "a b", "").out();
        assertThat(out)
                .as("flags")
                .contains(
                        "--enable-native-access=ALL-UNNAMED",
                        "--sun-misc-unsafe-memory-access=deny",
                        "-XX:TieredStopAtLevel=1",
                        "-XX:CompileThresholdScaling=0.1")
                .as("the last one counts")
                .containsSubsequence("-XX:TieredStopAtLevel=1", "-XX:TieredStopAtLevel=4");
        assertThat(out.get(out.indexOf("-cp") + 1))
                .as("its own jars in the order of lib/CLASSPATH-ipam-service, which an AOT cache depends on")
                .isEqualTo(home.resolve("lib/b.jar") + ":" + home.resolve("lib/a.jar"));
        assertThat(out.subList(out.indexOf("io.podwire.ipam.Main"), out.size()))
                .as("arguments, each as it was")
                .containsExactly("io.podwire.ipam.Main", "--pool", "a b", "");
    }

    @Test
    void theHeapsLimitCanBeSet() throws Exception {
        assertThat(launch("node-shim", Map.of("PODWIRE_MAX_HEAP", "77m")).out())
                .as("limit")
                .contains("-Xmx77m");
    }

    @Test
    void nodeShimIsKeptSmall() throws Exception {
        assertThat(launch("node-shim", Map.of()).out())
                .contains("-Xmn6m", "-XX:ReservedCodeCacheSize=12m")
                .doesNotContain("-XX:TieredStopAtLevel=4");
        assertThat(launch("ipam-service", Map.of()).out()).doesNotContain("-Xmn6m", "");
    }

    @Test
    void usesACacheOfThisDigestOnly() throws Exception {
        Files.createFile(home.resolve("lib/aot/ipam-service-ffffffffffffffff.aot"));
        assertThat(launch("ipam-service", Map.of()).out()).as("stale").noneMatch(word -> word.contains("AOTCache"));
        Path cache = Files.createFile(home.resolve("lib/aot/ipam-service-0123456789abcdef.aot"));
        assertThat(launch("ipam-service", Map.of()).out()).as("valid").contains("-XX:AOTCache=" + cache);
        assertThat(launch("ipam-service", Map.of("PODWIRE_AOT_TRAIN", "1")).out())
                .as("training writes beside it")
                .contains("-XX:AOTCacheOutput=" + cache + ".new")
                .doesNotContain("-XX:AOTCache=" + cache);
    }

    @Test
    void anotherJavaThan25IsNotTaken() throws Exception {
        for (String version : List.of("17.0.15", "2.5", "250.1")) {
            Path other = jdk("jdk-" + version, version);
            Ended ended = launch(
                    "podwire",
                    Map.of("JAVA_HOME", other.toString(), "PATH", other.resolve("bin") + ":/usr/bin:/bin"),
                    "--version");
            assertThat(ended.code()).as("Java %s", version).isEqualTo(1);
            assertThat(ended.out()).as("Java %s", version).isEmpty();
            assertThat(ended.err()).as("what to install").contains("needs Java 25", other.toString(), "JAVA_HOME");
        }
    }

    @Test
    void jdk25IsFoundInThePathAndInTheJvmFolder() throws Exception {
        Map<String, String> withPath = Map.of("JAVA_HOME", "", "PATH", java25.resolve("bin") + ":/usr/bin:/bin");
        assertThat(launch("podwire", withPath).out())
                .as("of the PATH")
                .startsWith(java25.resolve("bin/java").toString());
        Path installed = jdk("jvm/temurin-25-jdk-amd64", "25");
        assertThat(launch("podwire", withPath).out())
                .as("of the JVM folder, before the PATH's")
                .startsWith(installed.resolve("bin/java").toString());
        assertThat(launch("podwire", Map.of()).out())
                .as("of JAVA_HOME, before all")
                .startsWith(java25.resolve("bin/java").toString());
    }

    @Test
    void labCommandsRunInTheSandboxUnlessTheyAreInOne() throws Exception {
        for (String lab : List.of("demo", "shell", "run")) {
            assertThat(launch("podwire", Map.of(), "lab", lab).out())
                    .as("lab %s", lab)
                    .startsWith("sandboxed")
                    .contains("-Djava.io.tmpdir=/run/podwire/tmp");
        }
        assertThat(launch("podwire", Map.of("PODWIRE_SANDBOX", "1"), "lab", "demo")
                        .out())
                .as("inside")
                .doesNotContain("sandboxed");
        assertThat(launch("podwire", Map.of(), "cni-conformance", "--conf", "x").out())
                .as("cni-conformance")
                .startsWith("sandboxed");
        for (String[] line : new String[][] {
            {"lab"}, {"lab", "--help"}, {"node", "status"}, {"cni-conformance", "--conf", "x", "--no-sandbox"}
        }) {
            assertThat(launch("podwire", Map.of(), line).out())
                    .as("podwire %s", String.join(" ", line))
                    .doesNotContain("sandboxed");
        }
        assertThat(launch("node-shim", Map.of(), "lab", "demo").out())
                .as("another program")
                .doesNotContain("sandboxed");
    }

    @Test
    void anUnknownNameIsWrongUsage() throws Exception {
        assertThat(launch("other", Map.of()).code()).as("exit code").isEqualTo(2);
    }

    private Ended launch(String program, Map<String, String> env, String... args) throws Exception {
        ProcessBuilder builder =
                new ProcessBuilder(home.resolve("bin").resolve(program).toString());
        builder.command().addAll(List.of(args));
        builder.environment().keySet().removeIf(name -> name.startsWith("PODWIRE_") || name.equals("TMPDIR"));
        builder.environment().put("JAVA_HOME", java25.toString());
        builder.environment().putAll(env);
        Process process = builder.start();
        List<String> out = text(process.getInputStream()).lines().toList();
        String err = text(process.getErrorStream());
        return new Ended(process.waitFor(), out, err);
    }

    private static String text(InputStream stream) throws IOException {
        return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    }

    private Path jdk(String name, String version) throws IOException {
        Path jdk = Files.createDirectories(folder.resolve(name));
        Files.writeString(jdk.resolve("release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"" + version + "\"\n");
        script(Files.createDirectories(jdk.resolve("bin")).resolve("java"), "echo \"$0\"; printf '%s\\n' \"$@\"");
        return jdk;
    }

    private static void script(Path file, String body) throws IOException {
        Files.writeString(file, "#!/bin/sh\n" + body + "\n");
        assertThat(file.toFile().setExecutable(true)).as("executable").isTrue();
    }
}

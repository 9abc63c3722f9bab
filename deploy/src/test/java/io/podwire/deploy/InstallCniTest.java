package io.podwire.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs the installer on folders of its own; a tool on its PATH that kills it stands for the crash. */
class InstallCniTest {
    private static final Path SCRIPT = Deployed.DEPLOY.resolve("images/node-shim/install-cni.sh");
    private static final Path CONFLIST = Deployed.DEPLOY.resolve("images/node-shim/10-podwire.conflist");

    @TempDir
    private Path folder;

    private Path bin;
    private Path conf;
    private Path tools;
    private Path shim;
    private Path asked;

    @BeforeEach
    void prepare() throws IOException {
        bin = Files.createDirectory(folder.resolve("bin"));
        conf = Files.createDirectory(folder.resolve("conf"));
        tools = Files.createDirectory(folder.resolve("tools"));
        asked = folder.resolve("asked");
        // Answers STATUS as the plugin does: not at first, then well. Keeps what it was asked.
        shim = script(folder.resolve("shim"), """
                [ "$CNI_COMMAND" = STATUS ] || exit 99
                cat >>%s
                echo >>%s
                [ "$(wc -l <%s)" -ge 2 ] && exit 0
                echo '{"code": 50, "msg": "node-shim is not there"}'
                exit 1
                """.formatted(asked, asked, asked));
    }

    @Test
    void binaryIsInstalledExecutableAndReplacedWhole() throws Exception {
        Files.writeString(bin.resolve("podwire"), "an older one");
        Files.writeString(bin.resolve("loopback"), "another program's");
        Object before = Files.getAttribute(bin.resolve("podwire"), "unix:ino");

        assertThat(run("binary", shim.toString(), bin.toString())).isZero();

        assertThat(bin.resolve("podwire")).hasSameBinaryContentAs(shim).isExecutable();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(bin.resolve("podwire"))))
                .isEqualTo("rwxr-xr-x");
        assertThat(Files.getAttribute(bin.resolve("podwire"), "unix:ino"))
                .as("a new file under the name: the old one may be running")
                .isNotEqualTo(before);
        assertThat(names(bin)).containsExactly("loopback", "podwire");
    }

    @Test
    void conflistComesOnlyAfterNodeShimServes() throws Exception {
        script(tools.resolve("sleep"), "ls " + conf + " >" + folder.resolve("while-waiting") + "\n");

        assertThat(run("conflist", shim.toString(), CONFLIST.toString(), conf.toString()))
                .isZero();

        assertThat(folder.resolve("while-waiting"))
                .as("it waited, and nothing was there")
                .isEmptyFile();
        assertThat(asked).content().contains("\"cniVersion\":\"1.1.0\"");
        assertThat(names(conf)).containsExactly("10-podwire.conflist");
        assertThat(conf.resolve("10-podwire.conflist")).hasSameBinaryContentAs(CONFLIST);
    }

    @ParameterizedTest
    @ValueSource(strings = {"cp", "chmod", "sync", "mv", "dd"})
    void killedAtAnyStepItLeavesWholeFilesAndTheNextRunEnds(String step) throws Exception {
        Path target = conf.resolve("10-podwire.conflist");
        Files.writeString(target, "the one before");
        Path killer = script(tools.resolve(step), "[ " + step + " != cp ] || echo half >\"$2\"\nkill -9 $PPID\n");

        assertThat(run("conflist", shim.toString(), CONFLIST.toString(), conf.toString()))
                .as("killed")
                .isEqualTo(137);
        assertThat(Files.readString(target))
                .as("old or new, never half")
                .isIn("the one before", Files.readString(CONFLIST));
        assertThat(names(conf).filter(name -> name.matches(".*\\.(conf|conflist|json)")))
                .as("what a runtime reads")
                .containsExactly("10-podwire.conflist");

        Files.delete(killer);
        assertThat(run("conflist", shim.toString(), CONFLIST.toString(), conf.toString()))
                .isZero();
        assertThat(target).hasSameBinaryContentAs(CONFLIST);
        assertThat(names(conf)).containsExactly("10-podwire.conflist");
    }

    @Test
    void conflistIsWrittenInPlaceAfterTheRename() throws Exception {
        Path log = folder.resolve("log");
        script(tools.resolve("mv"), "echo mv \"$@\" >>" + log + "\nexec /bin/mv \"$@\"\n");
        script(tools.resolve("dd"), "echo dd \"$@\" >>" + log + "\nexec /bin/dd \"$@\"\n");

        assertThat(run("conflist", shim.toString(), CONFLIST.toString(), conf.toString()))
                .isZero();

        assertThat(Files.readAllLines(log))
                .containsExactly(
                        "mv -f " + conf + "/.10-podwire.conflist.tmp " + conf + "/10-podwire.conflist",
                        "dd if=" + CONFLIST + " of=" + conf + "/10-podwire.conflist conv=notrunc");
    }

    @Test
    void keepPutsBackWhatIsGoneOrChangedAndEndsOnTerm() throws Exception {
        Path target = conf.resolve("10-podwire.conflist");
        Process keeper = start("keep", shim.toString(), CONFLIST.toString(), conf.toString());
        try {
            awaitInstalled(target);
            Files.delete(target);
            awaitInstalled(target);
            Files.writeString(target, "{}");
            awaitInstalled(target);
        } finally {
            keeper.destroy();
        }
        assertThat(keeper.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(keeper.exitValue()).isZero();
        assertThat(target).as("stopping leaves it").exists();
    }

    @Test
    void missingFolderIsNotMade() throws Exception {
        assertThat(run("binary", shim.toString(), folder.resolve("nowhere").toString()))
                .isEqualTo(1);
        assertThat(folder.resolve("nowhere")).doesNotExist();
        assertThat(run("unknown")).isEqualTo(1);
    }

    private void awaitInstalled(Path target) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!Files.exists(target) || Files.mismatch(target, CONFLIST) != -1) {
            assertThat(System.nanoTime()).as("%s is put back in time", target).isLessThan(deadline);
            Thread.onSpinWait();
        }
    }

    private int run(String... arguments) throws Exception {
        Process process = start(arguments);
        assertThat(process.waitFor(20, TimeUnit.SECONDS)).as("ends").isTrue();
        return process.exitValue();
    }

    private Process start(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("sh", SCRIPT.toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(new File(folder.toFile(), "output")));
        builder.environment().putAll(Map.of("PATH", tools + ":/usr/bin:/bin", "INSTALL_CNI_KEEP_SECONDS", "0.1"));
        return builder.start();
    }

    private static Stream<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList().stream();
        }
    }

    private static Path script(Path file, String body) throws IOException {
        Files.writeString(file, "#!/bin/sh\n" + body);
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
}

package io.podwire.e2e.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.podwire.cli.conformance.Conformance;
import io.podwire.cli.conformance.Finding;
import io.podwire.cli.conformance.Report;
import io.podwire.cli.conformance.Setup;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniVersion;
import io.podwire.e2e.mesh.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The tester catches plugins that claim to speak 1.1.0: scripts around the official bridge, each with lies
 * of its own, because no official plugin in Debian has GC and STATUS.
 */
@Tag("lab")
final class LyingPluginLabTest {
    private static final Path PLUGINS = Path.of("/usr/lib/cni");
    private static final Path HOST = Path.of("/run/netns/liar");

    @TempDir
    private Path folder;

    @BeforeEach
    void makeHost() {
        assumeTrue(
                Files.isExecutable(PLUGINS.resolve("bridge")),
                "no test with the official plugins: Debian's containernetworking-plugins is not installed");
        var _ = Shell.output("ip", "netns", "add", "liar");
        var _ = Shell.output("ip", "-n", "liar", "link", "set", "lo", "up");
    }

    @AfterEach
    void removeHost() {
        var _ = Shell.attempt("ip", "netns", "delete", "liar");
    }

    @Test
    void verbsThatDoNothingAreFound() throws IOException {
        liar("""
                GC) cat >/dev/null ;;
                STATUS) cat >/dev/null; echo OK ;;
                """);
        Report report = run("\"ipMasq\": true,", OptionalInt.of(20), "A1", "D7", "G", "S", "O2", "C6");
        found(report, "D7", "left on the host after GC of an attachment that the runtime had lost");
        found(report, "G2", "the interface is there still which was stale, by GC");
        found(report, "G3", "the interface is there still after GC with null");
        found(report, "G3", "the interface is there still after GC with []");
        found(report, "G4", "the interface is there still after GC");
        found(report, "G4", "the IPAM plugin's GC is not called");
        found(report, "S1", "prints something for a STATUS that succeeds");
        found(report, "S2", "STATUS succeeds when every address is taken and ADD fails");
        found(report, "S4", "the IPAM plugin's STATUS is not called");
        found(report, "O2", "prints something for a STATUS that succeeds");
        for (String tick : List.of("A1", "G1", "G6", "S6", "S7", "C6")) {
            assertThat(report.result(tick, CniVersion.V1_1_0).orElseThrow().findings())
                    .as(tick)
                    .isEmpty();
        }
    }

    @Test
    void verbsThatDoTooMuchAreFound() throws IOException {
        // GC takes every container's interface, CHECK prints a word, and a daemon that is away is damage.
        liar("""
                GC) cat >/dev/null
                  for netns in $(ip netns list | grep -o '^pwct[^ ]*'); do ip -n "$netns" link delete eth0 2>/dev/null; done
                  exit 0 ;;
                STATUS)
                  case $(cat) in
                  *nobody.sock*) echo '{"cniVersion": "1.1.0", "code": 7, "msg": "no daemon"}'; exit 1 ;;
                  esac ;;
                CHECK)
                  stdin=$(cat)
                  case $stdin in
                  *nobody.sock*) echo '{"cniVersion": "1.1.0", "code": 100, "msg": "broken"}'; exit 1 ;;
                  esac
                  printf %s "$stdin" | sed 's/"cniVersion":"1.1.0"/"cniVersion":"1.0.0"/g' | /usr/lib/cni/bridge && echo OK ;;
                """);
        Report report = run("\"socket\": \"/run/some.sock\",", OptionalInt.empty(), "C6", "C7", "G", "S3");
        found(report, "C6", "prints something for a CHECK that succeeds");
        found(report, "C7", "refuses CHECK while its daemon is away with code 100, expected 11");
        found(report, "S3", "refuses STATUS while its daemon is away with code 7, expected 50 or 51");
        found(report, "G2", "the container is changed by GC with cni.dev/valid-attachments");
        found(report, "G3", "the container is changed by GC without the key");
        found(report, "G4", "the container is changed by GC of another network");
    }

    @Test
    void valuesInGoSpellingThatAreNotReadAreFound() throws IOException {
        assumeTrue(Shell.installed("iptables"), "no test of portmap: iptables is not installed");
        script("liar", """
                stdin=$(cat)
                printf %s "$stdin" | sed 's/HostPort/hidden/' | /usr/lib/cni/portmap
                """);
        Report report = Conformance.run(
                setup(
                        CniNetwork.parse(
                                "{\"cniVersion\": \"1.0.0\", \"name\": \"lies\", \"plugins\": [" + bridge("bridge", "")
                                        + ", {\"type\": \"liar\", \"capabilities\": {\"portMappings\": true}}]}"),
                        Set.of("R1"),
                        OptionalInt.empty()),
                _ -> {});
        assertThat(report.result("R1", CniVersion.V1_0_0).orElseThrow().findings())
                .as("a port mapping that containerd would send in vain")
                .isNotEmpty();
    }

    private void liar(String lies) throws IOException {
        script("liar", """
                case $CNI_COMMAND in
                VERSION) cat >/dev/null; echo '{"cniVersion": "1.1.0", "supportedVersions": ["1.0.0", "1.1.0"]}' ;;
                %s
                *)
                  answer=$(sed 's/"cniVersion":"1.1.0"/"cniVersion":"1.0.0"/g' | /usr/lib/cni/bridge)
                  code=$?
                  printf %%s "$answer" | sed 's/"cniVersion": "1.0.0"/"cniVersion": "1.1.0"/'
                  exit $code ;;
                esac
                """.formatted(lies));
    }

    private void script(String name, String text) throws IOException {
        Path file = Files.writeString(folder.resolve(name), "#!/bin/sh\n" + text);
        assertThat(file.toFile().setExecutable(true)).as("executable").isTrue();
    }

    private static String bridge(String type, String more) {
        return """
                {"type": "%s", "bridge": "liar0", "isGateway": true, %s "ipam": {"type": "host-local",
                 "dataDir": "/run/official/liar", "ranges": [[{"subnet": "10.94.0.0/28"}]]}}""".formatted(type, more);
    }

    /** Runs the ticks of some ids or letters in 1.1.0. */
    private Report run(String more, OptionalInt addresses, String... ticks) throws IOException {
        Set<String> all = new java.util.HashSet<>();
        for (String tick : ticks) {
            if (tick.length() > 1) {
                all.add(tick);
            } else {
                for (int number = 1; number <= (tick.equals("G") ? 6 : 7); number++) {
                    all.add(tick + number);
                }
            }
        }
        return Conformance.run(
                setup(
                        CniNetwork.parse("{\"cniVersion\": \"1.1.0\", \"name\": \"lies\", \"plugins\": ["
                                + bridge("liar", more) + "]}"),
                        all,
                        addresses),
                _ -> {});
    }

    private Setup setup(CniNetwork network, Set<String> ticks, OptionalInt addresses) {
        boolean daemon = network.plugin(0).has("socket");
        return new Setup(
                network,
                List.of(folder, PLUGINS),
                Optional.of(HOST),
                "eth0",
                List.of(network.version()),
                ticks,
                daemon ? Optional.of("socket") : Optional.empty(),
                addresses,
                true);
    }

    private static void found(Report report, String tick, String problem) {
        assertThat(report.result(tick, CniVersion.V1_1_0).orElseThrow().findings())
                .as(tick)
                .extracting(Finding::problem)
                .anyMatch(text -> text.contains(problem));
    }
}

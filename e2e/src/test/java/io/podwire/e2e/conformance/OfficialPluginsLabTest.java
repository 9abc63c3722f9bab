package io.podwire.e2e.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.podwire.cli.conformance.Conformance;
import io.podwire.cli.conformance.Finding;
import io.podwire.cli.conformance.Report;
import io.podwire.cli.conformance.Setup;
import io.podwire.cli.conformance.TickResult.Outcome;
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

/**
 * The tester on plugins that are not ours: Debian's containernetworking-plugins 1.1.1. It finds the
 * defects that they are known for, and does not complain about what they do right.
 */
@Tag("lab")
final class OfficialPluginsLabTest {
    private static final Path PLUGINS = Path.of("/usr/lib/cni");
    private static final Path HOST = Path.of("/run/netns/official");

    @BeforeEach
    void makeHost() {
        assumeTrue(
                Files.isExecutable(PLUGINS.resolve("bridge")),
                "no test with the official plugins: Debian's containernetworking-plugins is not installed");
        Shell.ipBatch(List.of(
                "netns add official",
                "netns add official-out",
                "link add eth0 netns official type veth peer name eth0 netns official-out"));
        for (String line : List.of(
                "link set lo up", "addr add 192.0.2.2/24 dev eth0", "link set eth0 up", "route add default dev eth0")) {
            var _ = Shell.output(("ip -n official " + line).split(" "));
        }
        var _ = Shell.output("ip", "-n", "official-out", "link", "set", "eth0", "up");
    }

    @AfterEach
    void removeHost() {
        var _ = Shell.attempt("ip", "netns", "delete", "official");
        var _ = Shell.attempt("ip", "netns", "delete", "official-out");
    }

    @Test
    void bridge() throws IOException {
        Report report = run(
                "eth0",
                """
                {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipam": %s}""".formatted(hostLocal("10.99.0.0/16")),
                CniVersion.V0_2_0,
                CniVersion.V1_0_0,
                CniVersion.V1_1_0);
        Findings found = new Findings(report, CniVersion.V1_0_0);
        found.in("I2", "accepts CNI_CONTAINERID=300 characters");
        found.in("I3", "refuses CNI_IFNAME=eth%d with code 999");
        found.in("I3", "changes the container before it refuses CNI_IFNAME=eth%d");
        found.in("I5", "accepts a key given twice");
        found.in("I5", "accepts bytes that are no UTF-8");
        found.in("I7", "accepts the host's namespace");
        found.in("A7", "left on the host by an ADD whose IPAM plugin failed: link veth");
        found.in("D4", "DEL fails with CNI_ARGS=UNKNOWN=1, for which ADD was refused");
        found.in("D5", "the container is changed by a DEL of another container id");
        found.in("D5", "the container is changed by a DEL after an ADD that was refused");
        found.in("C3", "CHECK succeeds after the host's end was put down");
        found.in("O1", "prints an error object without a cniVersion");
        for (String tick : List.of(
                "V1", "V2", "V3", "V4", "V5", "I1", "I4", "I8", "A1", "A2", "A4", "A5", "A6", "D1", "D2", "D3", "D6",
                "C1", "C2", "C4", "C5", "C6", "O2", "O3")) {
            found.none(tick);
        }
        assertThat(report.result("A2", CniVersion.V0_2_0).orElseThrow().outcome())
                .as("its result in 0.2.0")
                .isEqualTo(Outcome.PASS);
        Findings newest = new Findings(report, CniVersion.V1_1_0);
        newest.in("V1", "bridge does not name 1.1.0");
        assertThat(report.result("A1", CniVersion.V1_1_0).orElseThrow().reason())
                .as("why nothing else is tested in a version that it does not speak")
                .contains("does not speak 1.1.0");
    }

    @Test
    void ptp() throws IOException {
        Findings found = new Findings(
                run("eth0", "{\"type\": \"ptp\", \"ipam\": " + hostLocal("10.97.0.0/16") + "}", CniVersion.V1_0_0),
                CniVersion.V1_0_0);
        found.in("A4", "ptp fails after its IPAM plugin's ADD, and does not call its DEL");
        found.in("D3", "DEL leaves the interface where it is when the IPAM plugin's DEL fails");
        found.in("C3", "CHECK succeeds after the host's end was put down");
        for (String tick : List.of("A1", "A5", "D1", "D2", "C2", "C4", "C5", "O2")) {
            found.none(tick);
        }
    }

    @Test
    void macvlan() throws IOException {
        Findings found = new Findings(
                run(
                        "eth0",
                        "{\"type\": \"macvlan\", \"master\": \"eth0\", \"ipam\": " + hostLocal("10.96.0.0/16") + "}",
                        CniVersion.V1_0_0),
                CniVersion.V1_0_0);
        found.in("A4", "macvlan fails after its IPAM plugin's ADD, and does not call its DEL");
        found.in("A7", "the container is changed by an ADD whose IPAM plugin failed");
        for (String tick : List.of("A1", "A2", "A5", "A6", "D1", "D2", "C2", "C4", "C5", "O2")) {
            found.none(tick);
        }
    }

    @Test
    void loopback() throws IOException {
        Findings found = new Findings(run("lo", "{\"type\": \"loopback\"}", CniVersion.V1_0_0), CniVersion.V1_0_0);
        found.in("C2", "CHECK succeeds after the IPv4 address was taken away");
        for (String tick : List.of("V1", "V3", "A1", "A2", "A5", "A6", "D1", "D4", "C1", "C5", "C6", "O2")) {
            found.none(tick);
        }
    }

    @Test
    void chainOfMetaPlugins() throws IOException {
        assumeTrue(Shell.installed("iptables"), "no test of portmap: iptables is not installed");
        Shell.Ended nat = Shell.attempt("nsenter", "--net=" + HOST, "iptables", "-t", "nat", "-S");
        assumeTrue(
                nat.exitCode() == 0,
                "no test of portmap: iptables says " + nat.stderr().strip());
        Findings found = new Findings(
                run("eth0", """
                        {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "ipam": %s},
                        {"type": "portmap", "capabilities": {"portMappings": true}},
                        {"type": "bandwidth", "capabilities": {"bandwidth": true}},
                        {"type": "tuning", "sysctl": {"net.core.somaxconn": "500"}}""".formatted(hostLocal("10.95.0.0/16")), CniVersion.V1_0_0), CniVersion.V1_0_0);
        found.in("C1", "CHECK fails after an ordinary ADD: panic: runtime error: invalid memory address");
        found.in("D2", "left on the host after a DEL without a namespace: rule nft ip nat");
        found.in("R2", "ADD of a second interface with a bandwidth fails: adding link: file exists");
        found.in("R3", "CHECK fails right after ADD, with a tcp port mapping: could not check ipv6 dnat");
        for (String tick : List.of("V1", "A1", "A2", "A3", "D1", "O2", "R1", "R4")) {
            found.none(tick);
        }
    }

    private static String hostLocal(String subnet) {
        return """
                {"type": "host-local", "dataDir": "/run/official/host-local", "ranges": [[{"subnet": "%s"}]],
                 "routes": [{"dst": "0.0.0.0/0"}]}""".formatted(subnet);
    }

    private static Report run(String ifname, String plugins, CniVersion... versions) throws IOException {
        CniNetwork network =
                CniNetwork.parse("{\"cniVersion\": \"1.0.0\", \"name\": \"official\", \"plugins\": [" + plugins + "]}");
        return Conformance.run(
                new Setup(
                        network,
                        List.of(PLUGINS),
                        Optional.of(HOST),
                        ifname,
                        List.of(versions),
                        Set.of(),
                        Optional.empty(),
                        OptionalInt.empty(),
                        true),
                _ -> {});
    }

    /** What a report says of one version. */
    private record Findings(Report report, CniVersion version) {
        void in(String tick, String problem) {
            assertThat(report.result(tick, version).orElseThrow().findings())
                    .as("%s in %s", tick, version)
                    .extracting(Finding::problem)
                    .anyMatch(text -> text.contains(problem));
        }

        void none(String tick) {
            assertThat(report.result(tick, version).orElseThrow().findings())
                    .as("%s in %s", tick, version)
                    .isEmpty();
            assertThat(report.result(tick, version).orElseThrow().outcome())
                    .as("%s in %s", tick, version)
                    .isEqualTo(Outcome.PASS);
        }
    }
}

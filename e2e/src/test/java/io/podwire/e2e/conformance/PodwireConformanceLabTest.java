package io.podwire.e2e.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.cli.conformance.Conformance;
import io.podwire.cli.conformance.Report;
import io.podwire.cli.conformance.Setup;
import io.podwire.cli.conformance.TickResult;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniVersion;
import io.podwire.e2e.mesh.KernelDump;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.ExtendWith;

/** Podwire's own plugin keeps every rule that it can be tested for, in every version. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class PodwireConformanceLabTest {
    /** Addresses of the pool's two blocks. */
    private static final int TINY = 16;

    /** What does not apply to a chain of this plugin alone, and a word of the reason. */
    private static final Map<String, String> SKIPPED =
            Map.of("A3", "one plugin", "A4", "ipam", "C4", "ipam", "S4", "ipam");

    /** Everything that it declares where a cluster's administrator lets pods ask. */
    private static final String CAPABILITIES =
            "\"capabilities\":{\"portMappings\":true,\"bandwidth\":true,\"ips\":true,\"mac\":true,\"dns\":true,"
                    + "\"io.kubernetes.cri.pod-annotations\":true}";

    private final Mesh mesh;

    PodwireConformanceLabTest(Mesh mesh) {
        this.mesh = mesh;
    }

    @TestFactory
    Stream<DynamicTest> everyTickInEveryVersion() throws IOException {
        return everyTick("ticks", List.of());
    }

    @TestFactory
    Stream<DynamicTest> everyTickInEveryVersionInModeRouted() throws IOException {
        return everyTick("ticks-routed", List.of("\"mode\":\"routed\""));
    }

    private Stream<DynamicTest> everyTick(String name, List<String> members) throws IOException {
        try (MeshNode node = mesh.node(name)) {
            node.start();
            if (!members.isEmpty()) {
                // The first pod off the bridge brings chains that stay for the next.
                Conformance.run(setup(node, Set.of("A1"), OptionalInt.empty(), members), _ -> {});
            }
            KernelDump clean = node.dump();
            int free = node.api().freeAddresses();
            Report report = Conformance.run(setup(node, Set.of(), OptionalInt.empty(), members), _ -> {});
            assertThat(node.api().endpoints()).as("attachments left").isEmpty();
            assertThat(node.api().audit()).as("audit").isEmpty();
            assertThat(node.api().freeAddresses()).as("free addresses").isEqualTo(free);
            node.assertUnchanged(clean, "after every tick");
            return report.results().stream().map(PodwireConformanceLabTest::test);
        }
    }

    private static DynamicTest test(TickResult result) {
        return DynamicTest.dynamicTest(result.tick() + " in " + result.version(), () -> {
            String reason = SKIPPED.getOrDefault(result.tick(), "");
            assertThat(result.outcome())
                    .as("%s %s", result.reason(), result.findings())
                    .isEqualTo(reason.isEmpty() ? TickResult.Outcome.PASS : TickResult.Outcome.SKIP);
            assertThat(result.reason()).as("why it is skipped").contains(reason);
        });
    }

    @Test
    void statusTellsWhenTheLastAddressIsTaken() throws IOException {
        try (MeshNode node = mesh.node("few", "--pool", Mesh.FEW_POOL, "--low-water", "1")) {
            node.start();
            Report report = Conformance.run(setup(node, Set.of("S2"), OptionalInt.of(TINY), List.of()), _ -> {});
            assertThat(report.result("S2", CniVersion.V1_1_0))
                    .as(report.text())
                    .get()
                    .extracting(TickResult::outcome)
                    .isEqualTo(TickResult.Outcome.PASS);
        }
    }

    private Setup setup(MeshNode node, Set<String> ticks, OptionalInt addresses, List<String> members) {
        return new Setup(
                CniNetwork.parseAny(node.config(
                        "1.0.0",
                        Stream.concat(Stream.of(CAPABILITIES), members.stream()).toArray(String[]::new))),
                List.of(mesh.home().resolve("libexec")),
                Optional.of(node.netns()),
                "eth0",
                Setup.VERSIONS,
                ticks,
                Optional.of("socket"),
                addresses,
                true);
    }
}

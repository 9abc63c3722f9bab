package io.podwire.e2e.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniExecution;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniPlugins;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.cli.lab.CniVersion;
import io.podwire.e2e.mesh.KernelDump;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Podwire first, in the middle and last of a chain with Debian's plugins: ADD, CHECK, DEL leave nothing. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
@TestInstance(Lifecycle.PER_CLASS)
final class ChainLabTest {
    private static final Path DEBIANS = Path.of("/usr/lib/cni");
    private static final int HOST_PORT = 30080;

    private static final String LOOPBACK = "{\"type\": \"loopback\"}";
    private static final String PORTMAP = "{\"type\": \"portmap\", \"capabilities\": {\"portMappings\": true}}";
    private static final String BANDWIDTH = "{\"type\": \"bandwidth\", \"capabilities\": {\"bandwidth\": true}}";
    private static final String TUNING = "{\"type\": \"tuning\", \"sysctl\": {\"net.core.somaxconn\": \"500\"}}";

    /** What version 1.1.1 of the official plugins cannot: CHECK of a container without IPv6, or without a rate. */
    private static final Map<String, String> KNOWN =
            Map.of("portmap", "could not check ipv6 dnat", "bandwidth", "panic: runtime error: invalid memory address");

    private final Mesh mesh;
    private final MeshNode node;

    ChainLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        node = mesh.node("chain");
    }

    /** Where Podwire stands in a chain. */
    enum Place {
        FIRST,
        MIDDLE,
        LAST
    }

    /** A plugin of Debian's beside Podwire, what the runtime passes to it, and what it leaves on the host. */
    enum Neighbour {
        PORTMAP(
                ChainLabTest.PORTMAP,
                "{\"portMappings\": [{\"hostPort\": " + HOST_PORT + ", \"containerPort\": 80, \"protocol\": \"tcp\"}]}",
                String.valueOf(HOST_PORT)),
        BANDWIDTH(
                ChainLabTest.BANDWIDTH,
                "{\"bandwidth\": {\"ingressRate\": 1000000, \"ingressBurst\": 1000000, \"egressRate\": 1000000,"
                        + " \"egressBurst\": 1000000}}",
                "tbf"),
        TUNING(ChainLabTest.TUNING, "{}", "");

        private final String config;
        private final String values;
        private final String trace;

        Neighbour(String config, String values, String trace) {
            this.config = config;
            this.values = values;
            this.trace = trace;
        }
    }

    static Stream<Arguments> chains() {
        return Stream.of(CniVersion.V0_3_1, CniVersion.V0_4_0, CniVersion.V1_0_0)
                .flatMap(version -> Stream.of(Place.values())
                        .flatMap(place -> Stream.of(Neighbour.values())
                                .map(neighbour -> Arguments.of(version, place, neighbour))));
    }

    @BeforeAll
    void start() {
        assumeTrue(
                Files.isExecutable(DEBIANS.resolve("tuning")),
                "no test of chains: Debian's containernetworking-plugins is not installed");
        node.start();
        node.awaitFastPath();
    }

    @AfterAll
    void stop() {
        node.close();
    }

    @ParameterizedTest(name = "{0}, Podwire {1} beside {2}")
    @MethodSource("chains")
    void wholeChainsLeaveNothing(CniVersion version, Place place, Neighbour neighbour) throws IOException {
        if (neighbour == Neighbour.PORTMAP) {
            assumeTrue(Shell.installed("iptables"), "no test of portmap: iptables is not installed");
        }
        CniRuntime runtime = runtime(version, place, neighbour);
        // The first ADD makes what portmap shares between all containers.
        cycle(runtime, version, place, neighbour, "warm-up");
        KernelDump clean = node.dump();
        String queues = queues();
        int free = node.api().freeAddresses();
        cycle(runtime, version, place, neighbour, "chained");
        node.assertUnchanged(clean, "after ADD, CHECK and DEL of the chain");
        assertThat(queues()).as("queues on the host").isEqualTo(queues);
        assertThat(node.api().endpoints()).as("attachments").isEmpty();
        assertThat(node.api().audit()).as("audit").isEmpty();
        assertThat(node.api().freeAddresses()).as("free addresses").isEqualTo(free);
    }

    private CniRuntime runtime(CniVersion version, Place place, Neighbour neighbour) {
        String podwire = node.config(version.text());
        List<String> plugins = switch (place) {
            case FIRST -> List.of(podwire, neighbour.config);
            // Only loopback can stand before a plugin that makes an interface of CNI_IFNAME.
            case MIDDLE -> List.of(LOOPBACK, podwire, neighbour.config);
            case LAST -> List.of(LOOPBACK, neighbour.config, podwire);
        };
        return new CniRuntime(
                CniNetwork.parse("{\"cniVersion\": \"" + version + "\", \"name\": \"chain\", \"plugins\": ["
                        + String.join(",", plugins) + "]}"),
                new CniPlugins(
                        List.of(mesh.home().resolve("libexec"), DEBIANS),
                        List.of("nsenter", "--net=" + node.netns(), "--")));
    }

    private void cycle(CniRuntime runtime, CniVersion version, Place place, Neighbour neighbour, String name)
            throws IOException {
        try (TestPod pod = TestPod.make(name)) {
            // A plugin before Podwire has no container's interface to work on: it gets no values.
            JsonNode values = new ObjectMapper().readTree(place == Place.LAST ? "{}" : neighbour.values);
            CniAttachment eth0 = pod.eth0();
            CniAttachment attachment =
                    new CniAttachment(eth0.containerId(), eth0.netns(), eth0.ifname(), eth0.args(), values);
            try {
                addAndCheck(runtime, version, place, neighbour, attachment);
            } finally {
                CniRuntime.Outcome deleted = runtime.del(attachment);
                assertThat(deleted.ok()).as("DEL: %s", deleted.text()).isTrue();
            }
            // Debian's loopback puts lo down again.
            assertThat(KernelDump.of(pod.netns()).lines())
                    .as("the container after DEL")
                    .allMatch(line -> line.contains("lo"));
        }
    }

    private void addAndCheck(
            CniRuntime runtime, CniVersion version, Place place, Neighbour neighbour, CniAttachment attachment) {
        CniRuntime.Outcome added = runtime.add(attachment);
        assertThat(added.ok()).as("ADD: %s", added.text()).isTrue();
        assertThat(added.json().path("cniVersion").asText()).as("version").isEqualTo(version.text());
        assertThat(added.json().path("ips").findValuesAsText("address"))
                .as("addresses of the final result")
                .anyMatch(address -> address.startsWith("10.244."));
        assertThat(added.json().path("interfaces").findValuesAsText("name"))
                .as("interfaces of the final result")
                .contains("eth0")
                .satisfies(names -> assertThat(names.contains("lo"))
                        .as("what loopback told")
                        .isEqualTo(place != Place.FIRST));
        if (place != Place.LAST) {
            assertThat(Shell.output("nsenter", "--net=" + node.netns(), "nft", "list", "ruleset") + queues())
                    .as("what %s made on the host", neighbour)
                    .contains(neighbour.trace);
        }
        if (version.atLeast(CniVersion.V0_4_0)) {
            check(runtime, attachment, place, neighbour);
        }
    }

    private static void check(CniRuntime runtime, CniAttachment attachment, Place place, Neighbour neighbour) {
        CniRuntime.Outcome checked = runtime.check(attachment);
        for (CniExecution one : checked.executions()) {
            boolean known = KNOWN.containsKey(one.plugin()) && one.errorText().contains(KNOWN.get(one.plugin()));
            assertThat(one.ok() || known)
                    .as("CHECK of %s: %s", one.plugin(), one.text())
                    .isTrue();
        }
        // A chain's CHECK ends with its first failure.
        boolean before = place == Place.LAST && neighbour == Neighbour.BANDWIDTH;
        assertThat(checked.executions().stream().anyMatch(one -> one.plugin().equals("podwire")))
                .as("that Podwire was asked: %s", checked.executions())
                .isEqualTo(!before);
    }

    private String queues() {
        return Shell.output("nsenter", "--net=" + node.netns(), "tc", "qdisc", "show");
    }
}

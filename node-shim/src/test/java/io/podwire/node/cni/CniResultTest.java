package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.cni.CniException.Code;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.Attachment.PodIdentity;
import io.podwire.node.plan.DnsSettings;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.ExtraRoute;
import io.podwire.node.plan.PodRequest;
import io.podwire.node.plan.Shaping;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Results in every version, alone and in a chain, and of pods with IPv6 (alone: "-ipv6", beside IPv4:
 * "-dual"), and of pods that ask for more ("-asking"): {@code golden/cni/CASE/input.json} gives {@code want.json}. With {@code -Dgolden.update=true} the wanted files are written.
 */
final class CniResultTest {
    private static final Path GOLDEN = Path.of("src/test/resources/golden/cni");
    /** As a pod asks that has "-asking" in its case's name. */
    private static final PodRequest ASKING = new PodRequest(
            List.of(),
            Optional.empty(),
            Optional.empty(),
            List.of(),
            Shaping.NONE,
            Optional.of(new DnsSettings(List.of("192.0.2.53"), "", List.of("example.org"), List.of("ndots:5"))),
            new TreeMap<>(),
            OptionalInt.empty(),
            List.of(
                    route("192.0.2.0/24", OptionalLong.empty()),
                    route("2001:db8::/32", OptionalLong.empty()),
                    new ExtraRoute(
                            IpPrefix.parse("198.51.100.0/24"),
                            Optional.of(IpAddress.parse("169.254.1.1")),
                            OptionalInt.of(1400),
                            OptionalInt.of(1360),
                            OptionalLong.of(5),
                            OptionalLong.empty(),
                            OptionalInt.of(0)),
                    route("0.0.0.0/0", OptionalLong.of(100))),
            false);

    private static ExtraRoute route(String destination, OptionalLong table) {
        return new ExtraRoute(
                IpPrefix.parse(destination),
                Optional.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                OptionalLong.empty(),
                table,
                OptionalInt.empty());
    }

    static Stream<String> cases() throws IOException {
        try (Stream<Path> folders = Files.list(GOLDEN)) {
            return folders.map(f -> f.getFileName().toString()).sorted().toList().stream();
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void resultIsAsTheVersionWantsIt(String name) throws IOException, CniException {
        Path folder = GOLDEN.resolve(name);
        NetworkConfig config = NetworkConfig.parse(Files.readAllBytes(folder.resolve("input.json")));
        String before = config.raw().toString();
        Attachment attachment = attachment(addresses(name));
        if (name.endsWith("-asking")) {
            attachment = attachment.asking(ASKING);
        }
        ObjectNode result = CniResult.added(
                config, attachment, PodNames::gateway, attachment.addresses().families());
        String got = result.toPrettyString() + "\n";
        if (Boolean.getBoolean("golden.update")) {
            Files.writeString(folder.resolve("want.json"), got);
        }
        assertThat(got).isEqualTo(Files.readString(folder.resolve("want.json")));
        assertThat(config.raw()).as("the configuration is left as it was").hasToString(before);
    }

    @ParameterizedTest
    @EnumSource(CniVersion.class)
    void aRouteOfAnotherTableIsNotTakenForTheDefaultRoute(CniVersion version) throws CniException {
        NetworkConfig config = NetworkConfig.parse(
                ("{\"name\":\"n\",\"cniVersion\":\"" + version.text() + "\"}").getBytes(StandardCharsets.UTF_8));
        ObjectNode result = CniResult.added(config, attachment("10.1.0.5").asking(ASKING), PodNames::gateway, Set.of());
        assertThat(CniResult.routed(result, PodNames::gateway)).isEmpty();
        assertThat(result.toString().contains("\"table\":100"))
                .as("told where it can be told")
                .isEqualTo(version.atLeast(CniVersion.V1_1_0));
    }

    @Test
    void everyVersionHasItsCases() throws IOException {
        assertThat(cases())
                .containsAll(Stream.of(CniVersion.values())
                        .flatMap(v -> Stream.of(v.text(), v.text() + "-chained"))
                        .toList());
    }

    @Test
    void anErrorHasTheVersionOfTheConfigurationAndNoEmptyDetails() {
        CniException failure = new CniException(Code.TRY_AGAIN, "no free address", "wait");
        assertThat(CniResult.error(Optional.of(CniVersion.V0_4_0), failure)).hasToString("""
                {"cniVersion":"0.4.0","code":11,"msg":"no free address","details":"wait"}""");
        assertThat(CniResult.error(Optional.empty(), new CniException(Code.DECODE, "no JSON", "")))
                .as("no version could be read")
                .hasToString("""
                        {"cniVersion":"1.0.0","code":6,"msg":"no JSON"}""");
    }

    @Test
    void nullListsInThePreviousResultCountAsMissing() throws CniException {
        NetworkConfig config = NetworkConfig.parse(
                "{\"name\":\"n\",\"cniVersion\":\"1.0.0\",\"prevResult\":{\"interfaces\":null,\"ips\":null,\"routes\":null}}"
                        .getBytes(StandardCharsets.UTF_8));
        ObjectNode result = CniResult.added(config, attachment("10.1.0.5"), PodNames::gateway, Set.of(IpFamily.V4));
        assertThat(result.path("ips").size()).isOne();
        assertThat(result.path("interfaces").size()).isEqualTo(2);
        assertThat(result.path("routes").size()).isOne();
    }

    @Test
    void aRouteThatWasNotMadeIsNotTold() throws CniException {
        for (CniVersion version : CniVersion.values()) {
            NetworkConfig config = NetworkConfig.parse(
                    ("{\"name\":\"n\",\"cniVersion\":\"" + version.text() + "\"}").getBytes(StandardCharsets.UTF_8));
            ObjectNode none = CniResult.added(config, attachment("10.1.0.5"), PodNames::gateway, Set.of());
            assertThat(none.toString()).as("%s", version).doesNotContain("0.0.0.0/0");
            assertThat(CniResult.routed(none, PodNames::gateway))
                    .as("%s", version)
                    .isEmpty();
            ObjectNode one = CniResult.added(config, attachment("10.1.0.5"), PodNames::gateway, Set.of(IpFamily.V4));
            assertThat(one.toString()).as("%s", version).contains("0.0.0.0/0");
            if (version.atLeast(CniVersion.V0_3_0)) {
                assertThat(CniResult.routed(one, PodNames::gateway))
                        .as("%s", version)
                        .containsExactly(IpFamily.V4);
            }
        }
    }

    private static String[] addresses(String name) {
        String six = "fd00:1::5";
        return name.endsWith("-ipv6")
                ? new String[] {six}
                : name.contains("-dual") ? new String[] {"10.1.0.5", six} : new String[] {"10.1.0.5"};
    }

    private static Attachment attachment(String... addresses) {
        EndpointKey key = new EndpointKey("c0ffee", "eth0");
        return new Attachment(
                key,
                "podwire",
                new PodIdentity("default", "web", "", false),
                "/run/netns/web",
                4026532000L,
                "pwcoffee",
                MacAddress.parse("02:70:0a:01:00:05"),
                PodAddresses.parse(List.of(addresses)),
                1450,
                Attachment.State.ATTACHED,
                3,
                Instant.EPOCH);
    }
}

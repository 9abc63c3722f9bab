package io.podwire.cli.conformance;

import static io.podwire.cli.conformance.Check.Authority.PRACTICE;
import static io.podwire.cli.conformance.Check.Authority.SPEC;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.cli.conformance.Probe.Added;
import io.podwire.cli.lab.CniExecution;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.cli.lab.CniVersion;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** R: runtimeConfig, the values for capabilities that the configuration declares. */
final class CapabilityChecks {
    /** Not of the range that the kernel gives to clients. */
    private static final int HOST_PORT = 30080;

    private static final int RATE = 1_000_000;

    /** containerd sends it whenever a rate is set. */
    private static final long BURST = (1L << 32) - 1;

    private CapabilityChecks() {}

    static List<Check> all() {
        return List.of(
                new Check(
                        "R1",
                        PRACTICE,
                        "values are read whatever the case of their keys: containerd sends HostPort, CRI-O hostPort",
                        "ADD with both spellings of portMappings, bandwidth and dns, as far as the chain declares them;"
                                + " rules, queues and the result's dns must be alike",
                        CniVersion.V0_3_1,
                        CapabilityChecks::readsBothSpellings),
                new Check(
                        "R2",
                        SPEC,
                        "bandwidth: rates in bits a second, 0 for a direction without a limit, containerd's burst of"
                                + " 4294967295 bits",
                        "ADD, CHECK, DEL with one direction and with both, and for a second interface",
                        CniVersion.V0_3_1,
                        CapabilityChecks::takesBandwidths),
                new Check(
                        "R3",
                        SPEC,
                        "portMappings: protocols tcp, udp and sctp in lower case",
                        "ADD, CHECK, DEL with a mapping of each protocol",
                        CniVersion.V0_3_1,
                        CapabilityChecks::takesPortMappings),
                new Check(
                        "R4",
                        SPEC,
                        "a capability that is declared need not arrive",
                        "ADD, CHECK, DEL without runtimeConfig",
                        CniVersion.V0_3_1,
                        CapabilityChecks::worksWithoutValues));
    }

    private static boolean declares(Probe probe, String capability) {
        return probe.indexes().stream().anyMatch(plugin -> probe.network().declares(plugin, capability));
    }

    private static ObjectNode portMapping(boolean goSpelling, String protocol) {
        ObjectNode mapping = JsonNodeFactory.instance.objectNode();
        return goSpelling
                ? mapping.put("HostPort", HOST_PORT)
                        .put("ContainerPort", 80)
                        .put("Protocol", protocol)
                        .put("HostIP", "")
                : mapping.put("hostPort", HOST_PORT)
                        .put("containerPort", 80)
                        .put("protocol", protocol)
                        .put("hostIP", "");
    }

    private static ObjectNode bandwidth(boolean goSpelling, long ingress, long egress) {
        ObjectNode bandwidth = JsonNodeFactory.instance.objectNode();
        return goSpelling
                ? bandwidth
                        .put("IngressRate", ingress)
                        .put("IngressBurst", ingress == 0 ? 0 : BURST)
                        .put("EgressRate", egress)
                        .put("EgressBurst", egress == 0 ? 0 : BURST)
                : bandwidth
                        .put("ingressRate", ingress)
                        .put("ingressBurst", ingress == 0 ? 0 : BURST)
                        .put("egressRate", egress)
                        .put("egressBurst", egress == 0 ? 0 : BURST);
    }

    private static ObjectNode dns(boolean goSpelling) {
        ObjectNode dns = JsonNodeFactory.instance.objectNode();
        dns.putArray(goSpelling ? "Servers" : "servers").add("192.0.2.53");
        dns.putArray(goSpelling ? "Searches" : "searches").add("example.org");
        dns.putArray(goSpelling ? "Options" : "options").add("ndots:5");
        return dns;
    }

    private static ObjectNode values(boolean goSpelling) {
        ObjectNode values = JsonNodeFactory.instance.objectNode();
        values.putArray("portMappings").add(portMapping(goSpelling, "tcp"));
        values.set("bandwidth", bandwidth(goSpelling, RATE, RATE));
        values.set("dns", dns(goSpelling));
        return values;
    }

    /**
     * What an ADD's values have come to.
     *
     * @param rules rules on the host that name the host port
     * @param queues queues on the host and in the container that were not there before
     * @param dns of the result
     */
    private record Effect(long rules, long queues, JsonNode dns) {
        @Override
        public String toString() {
            return rules + " rules with the host port, " + queues + " queues, and the result's dns "
                    + (dns.isEmpty() ? "empty" : dns.toString());
        }
    }

    private record Tried(Effect effect, CniExecution add) {}

    private static Tried tried(Probe probe, boolean goSpelling) {
        CniRuntime runtime = probe.runtime();
        Container container = probe.container();
        KernelState inside = container.namespace().look();
        KernelState before = probe.host().look();
        Added added = probe.added(runtime, container, container.attachment(probe.ifname(), values(goSpelling)));
        List<String> host = probe.host().look().minus(before);
        List<String> within = container.namespace().look().minus(inside);
        Effect effect = new Effect(
                host.stream()
                        .filter(line -> line.startsWith("rule ") && line.contains(String.valueOf(HOST_PORT)))
                        .count(),
                Stream.concat(host.stream(), within.stream())
                        .filter(line -> line.startsWith("qdisc "))
                        .count(),
                added.result().path("dns"));
        probe.requireDel(runtime, added.attachment(), "with values for capabilities");
        return new Tried(effect, added.outcome().last());
    }

    private static void readsBothSpellings(Probe probe) {
        probe.skipUnless(
                declares(probe, "portMappings") || declares(probe, "bandwidth") || declares(probe, "dns"),
                "the configuration declares none of portMappings, bandwidth and dns");
        // Once for nothing: the first time may make what is shared and stays.
        var _ = tried(probe, false);
        Tried camel = tried(probe, false);
        Tried go = tried(probe, true);
        probe.require(
                camel.effect().equals(go.effect()),
                "values with keys as containerd spells them come to " + go.effect() + "; as CRI-O spells them, to "
                        + camel.effect(),
                camel.add(),
                go.add());
    }

    private static void takesBandwidths(Probe probe) {
        probe.skipUnless(declares(probe, "bandwidth"), "the configuration declares no bandwidth");
        cycle(probe, "bandwidth", bandwidth(true, RATE, 0), "one direction limited");
        cycle(probe, "bandwidth", bandwidth(true, RATE, RATE), "both directions limited");
        if (probe.makesInterfaces()) {
            CniRuntime runtime = probe.runtime();
            Container container = probe.container();
            ObjectNode values = JsonNodeFactory.instance.objectNode();
            values.set("bandwidth", bandwidth(true, RATE, RATE));
            var _ = probe.added(runtime, container, container.attachment(probe.ifname(), values));
            CniExecution second = probe.add(runtime, container.attachment(AddChecks.SECOND, values))
                    .last();
            probe.require(
                    second.ok(), "ADD of a second interface with a bandwidth fails: " + second.errorText(), second);
        }
    }

    private static void takesPortMappings(Probe probe) {
        probe.skipUnless(declares(probe, "portMappings"), "the configuration declares no portMappings");
        for (String protocol : List.of("tcp", "udp", "sctp")) {
            cycle(
                    probe,
                    "portMappings",
                    JsonNodeFactory.instance.arrayNode().add(portMapping(true, protocol)),
                    "with a " + protocol + " port mapping");
        }
    }

    private static void worksWithoutValues(Probe probe) {
        probe.skipUnless(
                probe.indexes().stream()
                        .anyMatch(plugin -> !probe.network()
                                .plugin(plugin)
                                .path("capabilities")
                                .isEmpty()),
                "the configuration declares no capabilities");
        CniRuntime runtime = probe.runtime();
        Added added = probe.added(runtime);
        probe.requireUsualCheck(runtime, added.attachment(), "without values for declared capabilities");
        probe.requireDel(runtime, added.attachment(), "without values for declared capabilities");
    }

    /** ADD, CHECK, DEL; twice, because the first time may make what is shared and stays. */
    private static void cycle(Probe probe, String capability, JsonNode value, String how) {
        CniRuntime runtime = probe.runtime();
        ObjectNode values = JsonNodeFactory.instance.objectNode();
        values.set(capability, value);
        Optional<KernelState> before = Optional.empty();
        for (int i = 0; i < 2; i++) {
            Container container = probe.container();
            KernelState now = probe.host().look();
            Added added = probe.added(runtime, container, container.attachment(probe.ifname(), values));
            if (before.isPresent()) {
                probe.requireCheck(runtime, added.attachment(), "right after ADD, " + how);
            }
            probe.requireDel(runtime, added.attachment(), how);
            if (before.isPresent()) {
                probe.requireNoResidue(
                        now,
                        probe.words(added, now),
                        "after ADD and DEL, " + how,
                        probe.lastExecution().orElseThrow());
            }
            before = Optional.of(now);
        }
    }
}

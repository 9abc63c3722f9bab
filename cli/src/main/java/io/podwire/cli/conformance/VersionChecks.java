package io.podwire.cli.conformance;

import static io.podwire.cli.conformance.Check.Authority.PRACTICE;
import static io.podwire.cli.conformance.Check.Authority.SPEC;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.cli.lab.CniExecution;
import io.podwire.cli.lab.CniVersion;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** V: VERSION, and what a version in the configuration means. */
final class VersionChecks {
    private static final String UNKNOWN = "9.9.9";

    private VersionChecks() {}

    static List<Check> all() {
        return List.of(
                new Check(
                        "V1",
                        SPEC,
                        "VERSION names the version among supportedVersions, and from 1.0.0 on repeats the one it was asked"
                                + " with",
                        "asks each plugin as the CNI library does",
                        CniVersion.V0_1_0,
                        VersionChecks::namesTheVersion),
                new Check(
                        "V2",
                        PRACTICE,
                        "VERSION works with empty standard input, and with the meaningless variables that the CNI library"
                                + " sends",
                        "asks each plugin with dummy variables, without any, and with nothing on standard input",
                        CniVersion.V0_3_1,
                        VersionChecks::worksWithJunk),
                new Check(
                        "V3",
                        PRACTICE,
                        "a configuration without cniVersion is of 0.1.0",
                        "ADD without the key; the result must have ip4 or ip6",
                        CniVersion.V0_3_1,
                        VersionChecks::missingVersionIsTheOldest),
                new Check(
                        "V4",
                        SPEC,
                        "an unknown cniVersion ends with code 1, and the error names both sides",
                        "ADD with cniVersion " + UNKNOWN + ", for each plugin",
                        CniVersion.V0_3_1,
                        VersionChecks::refusesAnUnknownVersion),
                new Check(
                        "V5",
                        PRACTICE,
                        "without CNI_COMMAND a plugin says what it is on standard error and ends with 0; an unknown one"
                                + " is code 4",
                        "runs each plugin with an empty CNI_COMMAND, with NONSENSE and with add",
                        CniVersion.V0_3_1,
                        VersionChecks::saysWhatItIs));
    }

    private static void namesTheVersion(Probe probe) {
        for (int plugin : probe.indexes()) {
            CniExecution asked = probe.call(
                    plugin, libraryEnv(probe), Bench.question(probe.version().text()));
            if (!supportedVersions(probe, asked, "asked by the CNI library")
                    .contains(probe.version().text())) {
                probe.problem(asked.plugin() + " does not name " + probe.version() + " among supportedVersions", asked);
            }
            String said = asked.json()
                    .map(answer -> answer.path("cniVersion").asText(""))
                    .orElse("");
            probe.require(
                    !probe.version().atLeast(CniVersion.V1_0_0)
                            || said.equals(probe.version().text()),
                    asked.plugin() + " answers cniVersion \"" + said + "\" when it is asked with " + probe.version(),
                    asked);
        }
    }

    private static void worksWithJunk(Probe probe) {
        String question = Bench.question(probe.version().text());
        for (int plugin : probe.indexes()) {
            List<CniExecution> asked = List.of(
                    probe.call(plugin, libraryEnv(probe), ""),
                    probe.call(plugin, libraryEnv(probe), question),
                    probe.call(plugin, Map.of("CNI_COMMAND", "VERSION"), question));
            for (CniExecution one : asked) {
                probe.require(
                        !supportedVersions(probe, one, "with these variables").isEmpty(),
                        one.plugin() + " names no supportedVersions",
                        one);
            }
        }
    }

    private static List<String> supportedVersions(Probe probe, CniExecution asked, String when) {
        List<String> versions = new ArrayList<>();
        if (!asked.ok()) {
            probe.problem(asked.plugin() + " fails VERSION " + when + ": " + asked.errorText(), asked);
            return versions;
        }
        asked.json()
                .map(answer -> answer.path("supportedVersions"))
                .ifPresent(list -> list.forEach(version -> versions.add(version.asText())));
        return versions;
    }

    /** As invoke.GetVersionInfo sets it. */
    private static Map<String, String> libraryEnv(Probe probe) {
        Map<String, String> env = new LinkedHashMap<>();
        env.put("CNI_COMMAND", "VERSION");
        env.put("CNI_CONTAINERID", "");
        env.put("CNI_NETNS", "dummy");
        env.put("CNI_IFNAME", "dummy");
        env.put("CNI_ARGS", "");
        env.put("CNI_PATH", probe.bench().plugins().path());
        return env;
    }

    private static void missingVersionIsTheOldest(Probe probe) {
        probe.skipUnless(
                !Probe.addresses(probe.bench().sampleResult()).isEmpty(),
                "the network gives no addresses, which a result of 0.1.0 needs");
        for (String type : probe.network().plugins()) {
            probe.skipUnless(
                    probe.bench().speaks(type, CniVersion.V0_1_0), type + " does not speak 0.1.0, and says so");
        }
        Container container = probe.container();
        JsonNode previous = JsonNodeFactory.instance.missingNode();
        for (int plugin : probe.indexes()) {
            ObjectNode stdin = probe.stdin(plugin);
            stdin.remove("cniVersion");
            stdin.remove("prevResult");
            if (!previous.isMissingNode()) {
                stdin.set("prevResult", previous);
            }
            CniExecution added = probe.call(plugin, probe.env("ADD", container), stdin.toString());
            probe.demand(added.ok(), added.plugin() + " fails ADD without cniVersion: " + added.errorText(), added);
            probe.demand(added.json().isPresent(), added.plugin() + " prints no JSON", added);
            previous = added.json().orElseThrow();
            // 0.1.0 and 0.2.0 have one shape, and the library's own pages name either.
            String said = previous.path("cniVersion").asText("");
            CniVersion answered = said.equals(CniVersion.V0_2_0.text()) ? CniVersion.V0_2_0 : CniVersion.V0_1_0;
            for (String problem : ResultShape.problems(answered, previous)) {
                probe.problem(added.plugin() + ": " + problem, added);
            }
        }
    }

    private static void refusesAnUnknownVersion(Probe probe) {
        for (int plugin : probe.indexes()) {
            Container container = probe.container();
            KernelState before = container.namespace().look();
            CniExecution refused = probe.call(
                    plugin,
                    probe.env("ADD", container),
                    probe.stdin(plugin).put("cniVersion", UNKNOWN).toString());
            probe.requireRefusal("cniVersion " + UNKNOWN, refused, Set.of(1));
            String said = refused.errorText();
            probe.require(
                    refused.ok()
                            || (said.contains(UNKNOWN)
                                    && said.contains(probe.version().text())),
                    refused.plugin() + " does not name both the configuration's version and its own",
                    refused);
            probe.requireUnchanged(container, before, "by a refused ADD", refused);
        }
    }

    private static void saysWhatItIs(Probe probe) {
        for (int plugin : probe.indexes()) {
            CniExecution about = probe.call(plugin, Map.of("CNI_COMMAND", ""), "");
            probe.require(
                    about.ok() && about.stdout().isBlank() && !about.stderr().isBlank(),
                    about.plugin() + " does not say what it is on standard error, and end with 0",
                    about);
            Container container = probe.container();
            for (String command : List.of("NONSENSE", "add")) {
                probe.requireRefusal(
                        "CNI_COMMAND=" + command,
                        probe.call(
                                plugin,
                                probe.env(command, container),
                                probe.stdin(plugin).toString()),
                        Set.of(4));
            }
        }
    }
}

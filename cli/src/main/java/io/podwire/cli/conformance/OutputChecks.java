package io.podwire.cli.conformance;

import static io.podwire.cli.conformance.Check.Authority.SPEC;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.cli.conformance.Probe.Added;
import io.podwire.cli.lab.CniExecution;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.cli.lab.CniVersion;
import io.podwire.cli.lab.ValidAttachments;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** O: what plugins print. */
final class OutputChecks {
    /** CNI 1.1, "Error", and 8 (namespace) and 999 (internal), which the CNI library has beyond it. */
    private static final Set<Integer> CODES = Set.of(1, 2, 3, 4, 5, 6, 7, 8, 11, 50, 51);

    private OutputChecks() {}

    static List<Check> all() {
        return List.of(
                new Check(
                        "O1",
                        SPEC,
                        "an error is an object with cniVersion, code and msg on standard output, and an exit code that is"
                                + " not 0",
                        "makes each plugin fail in several ways, and reads what it prints",
                        CniVersion.V0_3_1,
                        OutputChecks::errorsAreObjects),
                new Check(
                        "O2",
                        SPEC,
                        "standard output holds the result of ADD and nothing else, ever",
                        "ADD, CHECK, DEL, GC and STATUS as far as the version has them: one JSON object after ADD, nothing"
                                + " after the others",
                        CniVersion.V0_3_1,
                        OutputChecks::printsResultsOnly),
                new Check(
                        "O3",
                        SPEC,
                        "codes below 100 are the specification's",
                        "makes each plugin fail in several ways, and reads the codes",
                        CniVersion.V0_3_1,
                        OutputChecks::codesAreKnown));
    }

    /** Calls that fail in a plugin that keeps the rules. */
    private static List<CniExecution> failures(Probe probe) {
        List<CniExecution> failures = new ArrayList<>();
        Container container = probe.container();
        for (int plugin : probe.indexes()) {
            ObjectNode good = probe.finalStdin(plugin);
            Map<String, String> add = probe.env("ADD", container);
            Map<String, String> unnamed = new LinkedHashMap<>(add);
            unnamed.remove("CNI_CONTAINERID");
            failures.add(probe.call(plugin, unnamed, good.toString()));
            failures.add(probe.call(plugin, add, "{"));
            failures.add(probe.call(
                    plugin, add, good.deepCopy().put("cniVersion", "9.9.9").toString()));
            failures.add(
                    probe.call(plugin, add, good.deepCopy().put("name", "../x").toString()));
            failures.add(probe.call(plugin, probe.env("NONSENSE", container), good.toString()));
        }
        Map<String, String> nowhere = probe.env("ADD", container);
        nowhere.put("CNI_NETNS", "/run/netns/podwire-conformance-nowhere");
        failures.add(probe.call(0, nowhere, probe.stdin(0).toString()));
        return failures.stream().filter(execution -> !execution.ok()).toList();
    }

    private static void errorsAreObjects(Probe probe) {
        for (CniExecution failure : failures(probe)) {
            Optional<JsonNode> error = failure.json().filter(JsonNode::isObject);
            if (error.isEmpty()) {
                probe.problem(failure.plugin() + " fails and prints no error object", failure);
                continue;
            }
            probe.require(
                    CniVersion.of(error.get().path("cniVersion").asText("")).isPresent(),
                    failure.plugin() + " prints an error object without a cniVersion",
                    failure);
            probe.require(
                    error.get().path("code").isInt() && error.get().path("code").intValue() > 0,
                    failure.plugin() + " prints an error object without a code",
                    failure);
            probe.require(
                    !error.get().path("msg").asText("").isBlank(),
                    failure.plugin() + " prints an error object without a msg",
                    failure);
        }
    }

    private static void codesAreKnown(Probe probe) {
        for (CniExecution failure : failures(probe)) {
            int code = failure.errorCode().orElse(-1);
            probe.require(
                    CODES.contains(code) || code >= 100,
                    failure.plugin() + " fails with code " + code + ", which is reserved and has no meaning",
                    failure);
        }
    }

    private static void printsResultsOnly(Probe probe) {
        CniRuntime runtime = probe.runtime();
        Added added = probe.added(runtime);
        for (CniExecution one : added.outcome().executions()) {
            probe.require(
                    one.json().map(JsonNode::isObject).orElse(false),
                    one.plugin() + " prints something else than one JSON object for ADD",
                    one);
        }
        List<CniExecution> silent = new ArrayList<>();
        if (probe.version().atLeast(CniVersion.V0_4_0)) {
            silent.addAll(runtime.check(added.attachment()).executions());
        }
        if (probe.version().atLeast(CniVersion.V1_1_0)) {
            silent.addAll(runtime.status().executions());
            silent.addAll(probe.gc(probe.network(), ValidAttachments.of(added.attachment()))
                    .executions());
        }
        silent.addAll(runtime.del(added.attachment()).executions());
        for (CniExecution one : silent) {
            probe.require(
                    !one.ok() || one.stdout().isBlank(),
                    one.plugin() + " prints something for a " + one.command() + " that succeeds",
                    one);
        }
    }
}

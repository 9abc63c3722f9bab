package io.podwire.cli.conformance;

import static io.podwire.cli.conformance.Check.Authority.PRACTICE;
import static io.podwire.cli.conformance.Check.Authority.SPEC;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.cli.lab.CniExecution;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.cli.lab.CniVersion;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** I: wrong and unusual input. */
final class InputChecks {
    private static final Set<Integer> ENVIRONMENT = Set.of(4);
    private static final Set<Integer> DECODE = Set.of(6);
    private static final Set<Integer> CONFIG = Set.of(7);

    private InputChecks() {}

    static List<Check> all() {
        return List.of(
                new Check(
                        "I1",
                        SPEC,
                        "a missing variable is code 4, and the error names every one that is missing",
                        "ADD, DEL and CHECK of each plugin without variables, one and all",
                        CniVersion.V0_3_1,
                        InputChecks::namesMissingVariables),
                new Check(
                        "I2",
                        SPEC,
                        "a container id is a letter or digit, then letters, digits, '_', '.', '-'; else code 4",
                        "ADD of each plugin with ids that are none, and with one of 300 characters, which no file can be"
                                + " named after",
                        CniVersion.V0_3_1,
                        InputChecks::refusesContainerIds),
                new Check(
                        "I3",
                        SPEC,
                        "an interface name has 1 to 15 bytes, is not . or .., has no slash, colon or white space; else"
                                + " code 4",
                        "ADD of each plugin with names that are none, and with eth%d, which the kernel would number",
                        CniVersion.V0_3_1,
                        InputChecks::refusesInterfaceNames),
                new Check(
                        "I4",
                        SPEC,
                        "a network's name is there and keeps the rule of container ids; else code 7",
                        "ADD of each plugin without a name, and with names that are none",
                        CniVersion.V0_3_1,
                        InputChecks::refusesNetworkNames),
                new Check(
                        "I5",
                        SPEC,
                        "standard input that is no JSON object is code 6; one that cannot be read is code 5",
                        "ADD of each plugin with nothing, half an object, a list, text behind the object, bytes that are"
                                + " no UTF-8, a key given twice, and a directory as standard input",
                        CniVersion.V0_3_1,
                        InputChecks::refusesWhatIsNoJson),
                new Check(
                        "I6",
                        SPEC,
                        "a configuration that is wrong is refused with code 7, or 6 or 2",
                        "ADD of each plugin with a string for prevResult and for dns",
                        CniVersion.V0_3_1,
                        InputChecks::refusesWrongConfigurations),
                new Check(
                        "I7",
                        PRACTICE,
                        "CNI_NETNS that is the plugin's own namespace is code 8, unless CNI_NETNS_OVERRIDE is set",
                        "ADD of the chain into the host's namespace, without and with CNI_NETNS_OVERRIDE=1",
                        CniVersion.V0_3_1,
                        InputChecks::refusesItsOwnNamespace),
                new Check(
                        "I8",
                        SPEC,
                        "keys that a plugin does not know are tolerated, and those that the runtime sets",
                        "ADD of the chain with an unknown key, args, cni.dev/x and undeclared runtimeConfig",
                        CniVersion.V0_3_1,
                        InputChecks::toleratesUnknownKeys));
    }

    private static void namesMissingVariables(Probe probe) {
        List<String> attachment = List.of("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME");
        Map<String, List<String>> required = new LinkedHashMap<>();
        required.put("ADD", attachment);
        required.put("DEL", List.of("CNI_CONTAINERID", "CNI_IFNAME"));
        if (probe.version().atLeast(CniVersion.V0_4_0)) {
            required.put("CHECK", attachment);
        }
        Container container = probe.container();
        for (int plugin : probe.indexes()) {
            required.forEach((command, variables) -> {
                List<List<String>> removals = new ArrayList<>(List.of(variables));
                variables.forEach(variable -> removals.add(List.of(variable)));
                for (List<String> missing : removals) {
                    Map<String, String> env = probe.env(command, container);
                    env.keySet().removeAll(missing);
                    CniExecution refused =
                            probe.call(plugin, env, probe.finalStdin(plugin).toString());
                    probe.requireRefusal(command + " without " + String.join(", ", missing), refused, ENVIRONMENT);
                    probe.require(
                            refused.ok() || missing.stream().allMatch(refused.errorText()::contains),
                            refused.plugin() + " does not name all of " + String.join(", ", missing)
                                    + ", which are missing",
                            refused);
                }
            });
        }
    }

    private static void refusesContainerIds(Probe probe) {
        refused(
                probe,
                "CNI_CONTAINERID",
                List.of("../x", "-rf", "a b", "a/b", "a;b", "\u00fc", "a".repeat(300)),
                ENVIRONMENT);
    }

    private static void refusesInterfaceNames(Probe probe) {
        refused(
                probe,
                "CNI_IFNAME",
                List.of("sixteen-bytes-is", ".", "..", "a/b", "a:b", "eth 0", "eth\t0", "eth%d"),
                ENVIRONMENT);
    }

    private static void refused(Probe probe, String variable, List<String> values, Set<Integer> codes) {
        for (int plugin : probe.indexes()) {
            Container container = probe.container();
            KernelState before = container.namespace().look();
            for (String value : values) {
                Map<String, String> env = probe.env("ADD", container);
                env.put(variable, value);
                CniExecution refused =
                        probe.call(plugin, env, probe.stdin(plugin).toString());
                String shown = value.length() > 20 ? value.length() + " characters" : value.replace("\t", "\\t");
                probe.requireRefusal(variable + "=" + shown, refused, codes);
                if (!refused.ok() && !container.namespace().look().minus(before).isEmpty()) {
                    probe.problem(
                            refused.plugin() + " changes the container before it refuses " + variable + "=" + shown,
                            refused);
                    before = container.namespace().look();
                }
            }
        }
    }

    private static void refusesNetworkNames(Probe probe) {
        Container container = probe.container();
        for (int plugin : probe.indexes()) {
            ObjectNode none = probe.stdin(plugin);
            none.remove("name");
            probe.requireRefusal(
                    "a configuration without a name", add(probe, plugin, container, none.toString()), CONFIG);
            for (String name : List.of("", "../x", "a b", "-x", "a/b")) {
                String stdin = probe.stdin(plugin).put("name", name).toString();
                probe.requireRefusal("the network name \"" + name + "\"", add(probe, plugin, container, stdin), CONFIG);
            }
        }
    }

    private static void refusesWhatIsNoJson(Probe probe) {
        for (int plugin : probe.indexes()) {
            Container container = probe.container();
            KernelState before = container.namespace().look();
            String good = probe.stdin(plugin).toString();
            Map<String, String> cases = new LinkedHashMap<>();
            cases.put("empty standard input", "");
            cases.put("half an object", good.substring(0, good.length() / 2));
            cases.put("a list", "[]");
            cases.put("text behind the object", good + " {}");
            cases.put(
                    "a key given twice (RFC 8259 section 4: its meaning is open)",
                    "{\"name\":\"other\"," + good.substring(1));
            cases.forEach((what, stdin) -> probe.requireRefusal(what, add(probe, plugin, container, stdin), DECODE));
            byte[] notUtf8 = good.replaceFirst("\\{", "{\"x\":\"\u00ff\",").getBytes(StandardCharsets.ISO_8859_1);
            probe.requireRefusal(
                    "bytes that are no UTF-8", probe.call(plugin, probe.env("ADD", container), notUtf8), DECODE);
            probe.requireRefusal(
                    "standard input that cannot be read",
                    probe.callWithUnreadableStdin(plugin, probe.env("ADD", container)),
                    Set.of(5));
            // What was accepted is undone at the end only, and has been reported.
            if (probe.findings().isEmpty()) {
                probe.requireUnchanged(container, before, "by refused ADDs");
            }
        }
    }

    private static void refusesWrongConfigurations(Probe probe) {
        Container container = probe.container();
        for (int plugin : probe.indexes()) {
            for (String key : List.of("prevResult", "dns")) {
                String stdin = probe.stdin(plugin).put(key, "none").toString();
                probe.requireRefusal(
                        "\"" + key + "\": \"none\"", add(probe, plugin, container, stdin), Set.of(2, 6, 7));
            }
        }
    }

    private static CniExecution add(Probe probe, int plugin, Container container, String stdin) {
        CniExecution execution = probe.call(plugin, probe.env("ADD", container), stdin);
        if (execution.ok()) {
            // So that the next case is not refused because the interface is there.
            Map<String, String> del = probe.env("DEL", container);
            var _ = probe.call(plugin, del, probe.stdin(plugin).toString());
        }
        return execution;
    }

    private static void refusesItsOwnNamespace(Probe probe) {
        probe.skipUnless(probe.setup().alone(), "needs a sandbox: a plugin that accepts it would rewire this machine");
        probe.skipUnless(probe.makesInterfaces(), "lo of the host would be adjusted");
        String netns = probe.host().path().toString();
        Container stand = new Container("own", Container.newId());
        Map<String, String> env = probe.env("ADD", stand);
        env.put("CNI_NETNS", netns);
        env.put("CNI_IFNAME", "pwct-own");
        String stdin = probe.stdin(0).toString();
        KernelState before = probe.host().look();
        CniExecution refused = probe.call(0, env, stdin);
        probe.requireRefusal("the host's namespace as CNI_NETNS", refused, Set.of(8));
        if (refused.ok()) {
            del(probe, env, stdin);
        } else {
            probe.requireNoResidue(
                    before, List.of("pwct-own"), "by the refused ADD into the host's namespace", refused);
        }
        env.put("CNI_NETNS_OVERRIDE", "1");
        CniExecution allowed = probe.call(0, env, stdin);
        probe.require(
                allowed.ok(),
                allowed.plugin() + " fails ADD into the host's namespace in spite of CNI_NETNS_OVERRIDE=1: "
                        + allowed.errorText(),
                allowed);
        if (allowed.ok()) {
            probe.require(
                    probe.host().look().link("pwct-own").isPresent(),
                    allowed.plugin() + " made no interface in the host's namespace, which was allowed",
                    allowed);
            if (probe.version().atLeast(CniVersion.V0_4_0)) {
                Map<String, String> check = new LinkedHashMap<>(env);
                check.put("CNI_COMMAND", "CHECK");
                ObjectNode config = Probe.object(stdin);
                config.set("prevResult", allowed.json().orElseThrow());
                CniExecution checked = probe.call(0, check, config.toString());
                probe.require(checked.ok(), "CHECK after it fails: " + checked.errorText(), checked);
            }
        }
        del(probe, env, stdin);
        probe.requireNoResidue(before, List.of("pwct-own"), "by an ADD into the host's namespace and its DEL", allowed);
    }

    private static void del(Probe probe, Map<String, String> env, String stdin) {
        Map<String, String> del = new LinkedHashMap<>(env);
        del.put("CNI_COMMAND", "DEL");
        CniExecution deleted = probe.call(0, del, stdin);
        probe.require(deleted.ok(), "DEL fails after it: " + deleted.errorText(), deleted);
    }

    private static void toleratesUnknownKeys(Probe probe) {
        CniNetwork unusual = probe.network().withPlugins(plugin -> {
            plugin.putObject("io.example.unknown").putArray("list").add(1);
            plugin.putObject("args")
                    .putObject("cni")
                    .putArray("labels")
                    .addObject()
                    .put("key", "app")
                    .put("value", "x");
            plugin.put("cni.dev/example", true);
            plugin.withObject("/runtimeConfig")
                    .putObject("io.kubernetes.cri.pod-annotations")
                    .put("example.org/a", "b");
            return plugin;
        });
        CniRuntime runtime = probe.runtime(unusual);
        Probe.Added added = probe.added(runtime);
        probe.requireUsualCheck(runtime, added.attachment(), "with keys that the plugin does not know");
        probe.requireDel(runtime, added.attachment(), "with keys that the plugin does not know");
    }
}

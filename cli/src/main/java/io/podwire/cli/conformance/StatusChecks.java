package io.podwire.cli.conformance;

import static io.podwire.cli.conformance.Check.Authority.PRACTICE;
import static io.podwire.cli.conformance.Check.Authority.SPEC;

import io.podwire.cli.conformance.Probe.Added;
import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniExecution;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.cli.lab.CniVersion;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** S: STATUS. */
final class StatusChecks {
    /** kubelet asks about every five seconds. */
    private static final Duration FAST = Duration.ofSeconds(1);

    private static final Set<Integer> NOT_AVAILABLE = Set.of(50, 51);

    private StatusChecks() {}

    static List<Check> all() {
        return List.of(
                new Check(
                        "S1",
                        SPEC,
                        "STATUS needs cniVersion 1.1.0: before it ends with code 1",
                        "STATUS of each plugin in this version",
                        CniVersion.V0_3_1,
                        StatusChecks::beginsWith110),
                new Check(
                        "S2",
                        SPEC,
                        "STATUS succeeds only when an ADD would be served now",
                        "STATUS, then ADD; with --addresses, STATUS when the last address is taken and when one is back",
                        CniVersion.V1_1_0,
                        StatusChecks::tellsTheTruth),
                new Check(
                        "S3",
                        SPEC,
                        "a STATUS that fails has code 50 or 51",
                        "STATUS with the key that --daemon-key names set to a socket where nobody listens",
                        CniVersion.V1_1_0,
                        StatusChecks::failsWithItsCodes),
                new Check(
                        "S4",
                        SPEC,
                        "STATUS asks the delegate, and fails when it fails",
                        "with an IPAM plugin of the tester's that writes its calls down, and then fails",
                        CniVersion.V1_1_0,
                        StatusChecks::asksTheDelegate),
                new Check(
                        "S5",
                        SPEC,
                        "ADD and DEL are accepted whatever STATUS said",
                        "ADD and DEL beside an IPAM plugin whose STATUS fails; DEL while the daemon is away",
                        CniVersion.V1_1_0,
                        StatusChecks::bindsNobody),
                new Check(
                        "S6",
                        PRACTICE,
                        "STATUS is fast: kubelet has it asked about every five seconds",
                        "three times, each within " + FAST.toSeconds() + " s",
                        CniVersion.V1_1_0,
                        StatusChecks::isFast),
                new Check(
                        "S7",
                        PRACTICE,
                        "STATUS and GC come with the variables of an attachment present and empty",
                        "STATUS and GC with empty variables, as the CNI library, and with none but CNI_PATH",
                        CniVersion.V1_1_0,
                        StatusChecks::takesEmptyVariables));
    }

    /** The chain as if its daemon was away. */
    static CniNetwork withoutDaemon(Probe probe) {
        String key = probe.setup().daemonKey().orElse("");
        probe.skipUnless(!key.isEmpty(), "--daemon-key is not given: no daemon can be made to be away");
        String nobody = probe.delegate().folder().resolve("nobody.sock").toString();
        return probe.network().withPlugins(plugin -> plugin.has(key) ? plugin.put(key, nobody) : plugin);
    }

    /** Indexes of the plugins that name a daemon. */
    static List<Integer> withDaemon(Probe probe) {
        String key = probe.setup().daemonKey().orElseThrow();
        return probe.indexes().stream()
                .filter(plugin -> probe.network().plugin(plugin).has(key))
                .toList();
    }

    private static void beginsWith110(Probe probe) {
        boolean has = probe.version().atLeast(CniVersion.V1_1_0);
        for (int plugin : probe.indexes()) {
            String type = probe.network().plugins().get(plugin);
            probe.skipUnless(
                    probe.bench().speaks(type, CniVersion.V1_1_0),
                    type + " does not speak 1.1.0, and so knows no GC and STATUS");
            CniExecution asked = probe.call(plugin, GcChecks.env(probe, "STATUS"), status(probe.network(), plugin));
            if (has) {
                probe.require(asked.ok(), type + " fails STATUS: " + asked.errorText(), asked);
                probe.require(
                        !asked.ok() || asked.stdout().isBlank(),
                        type + " prints something for a STATUS that succeeds",
                        asked);
            } else {
                probe.requireRefusal("STATUS with cniVersion " + probe.version(), asked, Set.of(1));
            }
        }
    }

    private static String status(CniNetwork network, int plugin) {
        return network.stdin(
                plugin,
                java.util.Optional.empty(),
                com.fasterxml.jackson.databind.node.JsonNodeFactory.instance.objectNode());
    }

    private static void tellsTheTruth(Probe probe) {
        CniRuntime runtime = probe.runtime();
        CniRuntime.Outcome ready = runtime.status();
        probe.require(
                ready.ok(),
                "STATUS fails, and an ADD is served: " + ready.last().errorText(),
                ready.last());
        var _ = probe.added(runtime);
        probe.setup().addresses().ifPresent(count -> exhausts(probe, runtime, count));
    }

    private static void exhausts(Probe probe, CniRuntime runtime, int count) {
        List<CniAttachment> taken = new ArrayList<>();
        CniRuntime.Outcome refused = null;
        while (refused == null) {
            CniAttachment attachment = probe.container().attachment(probe.ifname());
            CniRuntime.Outcome added = probe.add(runtime, attachment);
            if (added.ok()) {
                taken.add(attachment);
                probe.demand(
                        taken.size() <= count,
                        "the network serves more than the " + count + " ADDs that --addresses names",
                        added.last());
            } else {
                refused = added;
            }
        }
        CniExecution full = runtime.status().last();
        if (full.ok()) {
            probe.problem("STATUS succeeds when every address is taken and ADD fails", refused.last(), full);
        } else {
            probe.requireRefusal("STATUS when every address is taken", full, NOT_AVAILABLE);
        }
        for (CniAttachment attachment : taken) {
            probe.requireDel(runtime, attachment, "of one that took an address");
        }
        CniExecution again = runtime.status().last();
        probe.require(again.ok(), "STATUS fails when all addresses are back: " + again.errorText(), again);
    }

    private static void failsWithItsCodes(Probe probe) {
        CniNetwork away = withoutDaemon(probe);
        for (int plugin : withDaemon(probe)) {
            probe.requireRefusal(
                    "STATUS while its daemon is away",
                    probe.call(plugin, GcChecks.env(probe, "STATUS"), status(away, plugin)),
                    NOT_AVAILABLE);
        }
    }

    private static void asksTheDelegate(Probe probe) {
        probe.skipWithoutDelegate();
        probe.delegate().reset();
        CniRuntime delegating = probe.runtime(probe.delegate().into(probe.network()));
        CniExecution asked = delegating.status().last();
        probe.require(probe.delegate().calls().contains("STATUS"), "the IPAM plugin's STATUS is not called", asked);
        probe.delegate().fail("STATUS");
        CniExecution failed = delegating.status().last();
        probe.require(!failed.ok(), "STATUS succeeds although the IPAM plugin's STATUS fails", failed);
    }

    private static void bindsNobody(Probe probe) {
        boolean daemon = probe.setup().daemonKey().isPresent();
        boolean delegates = Delegate.fits(probe.network());
        probe.skipUnless(daemon || delegates, "STATUS cannot be made to fail: no IPAM plugin, and no --daemon-key");
        if (delegates) {
            probe.delegate().reset();
            probe.delegate().fail("STATUS");
            CniRuntime delegating = probe.runtime(probe.delegate().into(probe.network()));
            var _ = delegating.status();
            Added added = probe.added(delegating);
            probe.requireDel(delegating, added.attachment(), "after a STATUS that failed");
        }
        if (daemon) {
            CniRuntime runtime = probe.runtime();
            Added added = probe.added(runtime);
            CniRuntime away = probe.runtime(withoutDaemon(probe));
            var _ = away.status();
            probe.requireDel(away, added.attachment(), "while the daemon is away");
            Added next = probe.added(runtime);
            probe.requireDel(runtime, next.attachment(), "once the daemon is back");
        }
    }

    private static void isFast(Probe probe) {
        CniRuntime runtime = probe.runtime();
        for (int i = 0; i < 3; i++) {
            CniRuntime.Outcome asked = runtime.status();
            probe.require(
                    asked.took().compareTo(FAST) <= 0,
                    "STATUS takes " + asked.took().toMillis() + " ms",
                    asked.last());
        }
    }

    private static void takesEmptyVariables(Probe probe) {
        for (int plugin : probe.indexes()) {
            for (String command : List.of("STATUS", "GC")) {
                String stdin = Probe.object(status(probe.network(), plugin)).toString();
                if (command.equals("GC")) {
                    var config = Probe.object(stdin);
                    config.putArray("cni.dev/valid-attachments");
                    stdin = config.toString();
                }
                Map<String, String> bare = Map.of(
                        "CNI_COMMAND",
                        command,
                        "CNI_PATH",
                        probe.bench().plugins().path());
                for (Map<String, String> env : List.of(GcChecks.env(probe, command), bare)) {
                    CniExecution asked = probe.call(plugin, env, stdin);
                    probe.require(
                            asked.ok(),
                            asked.plugin() + " fails " + command + " without variables of an attachment: "
                                    + asked.errorText(),
                            asked);
                }
            }
        }
    }
}

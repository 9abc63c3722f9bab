package io.podwire.cli.conformance;

import static io.podwire.cli.conformance.Check.Authority.PRACTICE;
import static io.podwire.cli.conformance.Check.Authority.SPEC;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.cli.conformance.Probe.Added;
import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniExecution;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.cli.lab.CniVersion;
import io.podwire.cli.lab.ValidAttachments;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** G: GC. Each GC is by a runtime with an empty cache, whose own DELs could do the plugin's work otherwise. */
final class GcChecks {
    private static final int ROUNDS = 4;

    private GcChecks() {}

    static List<Check> all() {
        return List.of(
                new Check(
                        "G1",
                        SPEC,
                        "GC needs cniVersion 1.1.0: before it ends with code 1",
                        "GC of each plugin in this version",
                        CniVersion.V0_3_1,
                        GcChecks::beginsWith110),
                new Check(
                        "G2",
                        SPEC,
                        "what cni.dev/valid-attachments names stays, all else of the network goes",
                        "two containers, of which GC names one; once more by the key cni.dev/attachments, which the CNI"
                                + " library sends beside it",
                        CniVersion.V1_1_0,
                        GcChecks::keepsWhatIsValid),
                new Check(
                        "G3",
                        PRACTICE,
                        "an empty list and null mean that nothing is valid; a missing key never deletes anything",
                        "GC without the key, which must fail with 7 or do nothing, with null, and with []",
                        CniVersion.V1_1_0,
                        GcChecks::tellsThreeInputsApart),
                new Check(
                        "G4",
                        SPEC,
                        "GC removes all that is stale in its network, goes on after what it cannot remove, and calls its"
                                + " delegates",
                        "stale containers with and without a namespace, one valid, one of another network",
                        CniVersion.V1_1_0,
                        GcChecks::removesAllThatIsStale),
                new Check(
                        "G5",
                        PRACTICE,
                        "an ADD during GC is whole or undone, never half",
                        ROUNDS + " times an ADD and a GC that does not name it at the same time, then CHECK",
                        CniVersion.V1_1_0,
                        GcChecks::addDuringGcIsWhole),
                new Check(
                        "G6",
                        SPEC,
                        "DEL succeeds after GC, which never replaces it",
                        "ADD, GC that does not name it, DEL",
                        CniVersion.V1_1_0,
                        GcChecks::delSucceedsAfterGc));
    }

    private static void beginsWith110(Probe probe) {
        boolean has = probe.version().atLeast(CniVersion.V1_1_0);
        for (int plugin : probe.indexes()) {
            String type = probe.network().plugins().get(plugin);
            probe.skipUnless(
                    probe.bench().speaks(type, CniVersion.V1_1_0),
                    type + " does not speak 1.1.0, and so knows no GC and STATUS");
            ObjectNode stdin = probe.stdin(plugin);
            stdin.putArray("cni.dev/valid-attachments");
            CniExecution collected = probe.call(plugin, env(probe, "GC"), stdin.toString());
            if (has) {
                probe.require(collected.ok(), type + " fails GC: " + collected.errorText(), collected);
            } else {
                probe.requireRefusal("GC with cniVersion " + probe.version(), collected, Set.of(1));
            }
        }
    }

    /** As the CNI library: the variables of an attachment are there and empty. */
    static Map<String, String> env(Probe probe, String command) {
        Map<String, String> env = new LinkedHashMap<>();
        env.put("CNI_COMMAND", command);
        for (String name : List.of("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS")) {
            env.put(name, "");
        }
        env.put("CNI_PATH", probe.bench().plugins().path());
        return env;
    }

    private static void keepsWhatIsValid(Probe probe) {
        CniRuntime runtime = probe.runtime();
        for (List<String> keys :
                List.of(List.of("cni.dev/valid-attachments", "cni.dev/attachments"), List.of("cni.dev/attachments"))) {
            KernelState before = probe.host().look();
            Added stale = probe.added(runtime);
            List<String> words = probe.words(stale, before);
            Added valid = probe.added(runtime);
            KernelState kept = valid.container().namespace().look();
            String by = "by GC with " + String.join(" and ", keys);
            CniExecution last = null;
            for (int plugin : probe.indexes()) {
                ObjectNode stdin = Probe.object(probe.network()
                        .stdin(
                                plugin,
                                java.util.Optional.empty(),
                                valid.attachment().capabilities()));
                for (String key : keys) {
                    stdin.putArray(key)
                            .addObject()
                            .put("containerID", valid.container().id())
                            .put("ifname", probe.ifname());
                }
                last = probe.call(plugin, env(probe, "GC"), stdin.toString());
                probe.require(last.ok(), last.plugin() + " fails GC: " + last.errorText(), last);
            }
            requireGone(probe, stale, words, "which was stale, " + by, last);
            probe.requireUnchanged(valid.container(), kept, by + ", which named it as valid", last);
            probe.requireCheck(runtime, valid.attachment(), "of what GC named as valid");
            probe.requireDel(runtime, valid.attachment(), "of what GC named as valid");
        }
    }

    /** The device of an attachment is gone from its container, and nothing on the host names it. */
    private static void requireGone(Probe probe, Added stale, List<String> words, String which, CniExecution evidence) {
        if (probe.makesInterfaces()) {
            probe.require(
                    stale.container()
                            .namespace()
                            .look()
                            .link(stale.attachment().ifname())
                            .isEmpty(),
                    "the interface is there still " + which,
                    evidence);
        }
        probe.requireForgotten(words, which, evidence);
    }

    private static void tellsThreeInputsApart(Probe probe) {
        CniRuntime runtime = probe.runtime();
        Added kept = probe.added(runtime);
        KernelState inside = kept.container().namespace().look();
        CniRuntime.Outcome absent = probe.gc(probe.network(), new ValidAttachments.Absent());
        for (CniExecution one : absent.executions()) {
            if (!one.ok()) {
                probe.requireRefusal("GC without the key", one, Set.of(7));
            }
        }
        probe.requireUnchanged(kept.container(), inside, "by GC without the key", absent.last());
        probe.requireCheck(runtime, kept.attachment(), "after GC without the key");

        KernelState before = probe.host().look();
        for (ValidAttachments none : List.of(new ValidAttachments.Null(), ValidAttachments.of())) {
            Added stale = probe.added(runtime);
            List<String> words = probe.words(stale, before);
            CniRuntime.Outcome collected = probe.gc(probe.network(), none);
            String how = none instanceof ValidAttachments.Null ? "null" : "[]";
            probe.require(
                    collected.ok(),
                    "GC with " + how + " fails: " + collected.last().errorText(),
                    collected.last());
            requireGone(probe, stale, words, "after GC with " + how, collected.last());
        }
    }

    private static void removesAllThatIsStale(Probe probe) {
        CniRuntime runtime = probe.runtime();
        CniNetwork elsewhere = probe.network().withName(probe.network().name() + "-other");
        KernelState before = probe.host().look();
        Added stale = probe.added(runtime);
        Added lost = probe.added(runtime);
        List<String> words = new ArrayList<>(probe.words(stale, before));
        words.addAll(probe.words(lost, before));
        Added valid = probe.added(runtime);
        Added other = probe.added(probe.runtime(elsewhere));
        KernelState kept = valid.container().namespace().look();
        KernelState theirs = other.container().namespace().look();
        lost.container().delete();
        CniRuntime.Outcome collected = probe.gc(probe.network(), ValidAttachments.of(valid.attachment()));
        probe.require(collected.ok(), "GC fails: " + collected.last().errorText(), collected.last());
        requireGone(probe, stale, words, "after GC", collected.last());
        probe.requireUnchanged(valid.container(), kept, "by GC, which named it as valid", collected.last());
        probe.requireUnchanged(other.container(), theirs, "by GC of another network", collected.last());
        if (Delegate.fits(probe.network())) {
            probe.delegate().reset();
            CniRuntime.Outcome delegated =
                    probe.gc(probe.delegate().into(probe.network()), ValidAttachments.of(valid.attachment()));
            probe.require(
                    probe.delegate().calls().contains("GC"), "the IPAM plugin's GC is not called", delegated.last());
        }
    }

    private static void addDuringGcIsWhole(Probe probe) {
        CniRuntime runtime = probe.runtime();
        for (int i = 0; i < ROUNDS; i++) {
            Container container = probe.container();
            CniAttachment attachment = container.attachment(probe.ifname());
            List<CniRuntime.Outcome> both = Probe.atOnce(
                    List.of(true, false),
                    adds -> adds ? probe.add(runtime, attachment) : probe.gc(probe.network(), ValidAttachments.of()));
            CniRuntime.Outcome added = both.getFirst();
            boolean there = container.namespace().look().link(probe.ifname()).isPresent();
            if (added.ok() && there) {
                probe.requireCheck(runtime, attachment, "of an ADD that ran beside a GC, and whose device is there");
            }
            probe.require(
                    added.ok() || !there || !probe.makesInterfaces(),
                    "an ADD beside a GC failed, and its device is there",
                    added.last());
            probe.requireDel(runtime, attachment, "of an ADD that ran beside a GC");
        }
    }

    private static void delSucceedsAfterGc(Probe probe) {
        CniRuntime runtime = probe.runtime();
        Added added = probe.added(runtime);
        CniRuntime.Outcome collected = probe.gc(probe.network(), ValidAttachments.of());
        probe.require(collected.ok(), "GC fails: " + collected.last().errorText(), collected.last());
        probe.requireDel(runtime, added.attachment(), "after GC has removed it");
    }
}

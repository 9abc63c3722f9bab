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
import java.util.Locale;
import java.util.Map;

/** D: DEL. */
final class DelChecks {
    private DelChecks() {}

    static List<Check> all() {
        return List.of(
                new Check(
                        "D1",
                        SPEC,
                        "DEL succeeds whatever is gone already, and however often it is called",
                        "DEL after the namespace, with an empty CNI_NETNS, after the interface, without prevResult, three"
                                + " times, and of what was never added",
                        CniVersion.V0_3_1,
                        DelChecks::succeedsWhateverIsGone),
                new Check(
                        "D2",
                        SPEC,
                        "DEL releases the address without the namespace too",
                        "deletes the namespace, then DEL with an empty CNI_NETNS: the IPAM plugin's DEL must be called, and"
                                + " the host must hold nothing of the address",
                        CniVersion.V0_3_1,
                        DelChecks::releasesWithoutNamespace),
                new Check(
                        "D3",
                        PRACTICE,
                        "DEL does all its steps, whichever of them fails, and decides then",
                        "DEL after the container's end of the device is gone, and with an IPAM plugin whose DEL fails",
                        CniVersion.V0_3_1,
                        DelChecks::doesEveryStep),
                new Check(
                        "D4",
                        SPEC,
                        "DEL of the whole chain succeeds after an ADD that failed, with the same values",
                        "DEL without any ADD, after an ADD that fails in a last plugin of the tester's, and after an ADD"
                                + " that refused its CNI_ARGS",
                        CniVersion.V0_3_1,
                        DelChecks::succeedsAfterAFailedAdd),
                new Check(
                        "D5",
                        PRACTICE,
                        "DEL is about (network, container id, interface), never about what lies in CNI_NETNS",
                        "DEL with another id, of another network, and after an ADD that was refused because the name was"
                                + " taken, all in a container that they must not touch",
                        CniVersion.V0_3_1,
                        DelChecks::touchesNobodyElse),
                new Check(
                        "D6",
                        PRACTICE,
                        "no DEL error says \"not found\" or \"no such file or directory\": containerd takes that for"
                                + " success",
                        "makes DEL fail by bad input and by an IPAM plugin that fails or is missing, and reads the errors",
                        CniVersion.V0_3_1,
                        DelChecks::saysNoWordsOfSuccess),
                new Check(
                        "D7",
                        PRACTICE,
                        "what a runtime has lost without a DEL is reaped by GC",
                        "ADD, the namespace goes, no DEL and no cached result; then GC",
                        CniVersion.V1_1_0,
                        DelChecks::lostAttachmentsAreReaped));
    }

    private static void succeedsWhateverIsGone(Probe probe) {
        CniRuntime runtime = probe.runtime();
        Added gone = probe.added(runtime);
        gone.container().delete();
        probe.requireDel(runtime, gone.attachment(), "after the namespace is gone");

        Added empty = probe.added(runtime);
        probe.requireDel(runtime, empty.attachment().withoutNetns(), "with an empty CNI_NETNS");

        Added both = probe.added(runtime);
        both.container().delete();
        probe.requireDel(
                runtime, both.attachment().withoutNetns(), "with an empty CNI_NETNS after the namespace is gone");

        if (probe.makesInterfaces()) {
            Added without = probe.added(runtime);
            without.container().namespace().run("ip", "link", "delete", probe.ifname());
            probe.requireDel(runtime, without.attachment(), "after the interface is gone");
        }

        Added uncached = probe.added(runtime);
        runtime.forget(uncached.attachment());
        probe.requireDel(runtime, uncached.attachment(), "without prevResult");

        Added thrice = probe.added(runtime);
        for (String which : List.of("the first time", "the second time", "the third time")) {
            probe.requireDel(runtime, thrice.attachment(), which);
        }

        Container never = probe.container();
        probe.requireDel(runtime, never.attachment(probe.ifname()), "of what was never added");
    }

    private static void releasesWithoutNamespace(Probe probe) {
        CniRuntime runtime = probe.runtime();
        KernelState before = probe.host().look();
        Added added = probe.added(runtime);
        List<String> words = probe.words(added, before);
        added.container().delete();
        probe.requireDel(runtime, added.attachment().withoutNetns(), "without a namespace");
        probe.requireNoResidue(
                before,
                words,
                "after a DEL without a namespace",
                probe.lastExecution().orElseThrow());
        if (Delegate.fits(probe.network())) {
            CniRuntime delegating = probe.runtime(probe.delegate().into(probe.network()));
            Added delegated = probe.added(delegating);
            probe.delegate().reset();
            delegated.container().delete();
            CniRuntime.Outcome deleted = delegating.del(delegated.attachment().withoutNetns());
            probe.require(
                    probe.delegate().calls().contains("DEL"),
                    "the IPAM plugin's DEL is not called when CNI_NETNS is empty",
                    deleted.last());
        }
    }

    private static void doesEveryStep(Probe probe) {
        CniRuntime runtime = probe.runtime();
        if (probe.makesInterfaces()) {
            KernelState before = probe.host().look();
            Added added = probe.added(runtime);
            List<String> words = probe.words(added, before);
            added.container().namespace().run("ip", "link", "delete", probe.ifname());
            probe.requireDel(runtime, added.attachment(), "after the interface is gone");
            probe.requireNoResidue(
                    before,
                    words,
                    "after a DEL that found no interface",
                    probe.lastExecution().orElseThrow());
        }
        boolean delegates = Delegate.fits(probe.network());
        probe.skipUnless(
                delegates || probe.makesInterfaces(),
                "nothing can be made to fail: lo stays, and there is no IPAM plugin");
        if (delegates) {
            CniRuntime delegating = probe.runtime(probe.delegate().into(probe.network()));
            Added added = probe.added(delegating);
            probe.delegate().fail("DEL");
            CniExecution deleted = delegating.del(added.attachment()).last();
            probe.require(!deleted.ok(), "DEL succeeds although the IPAM plugin's DEL failed", deleted);
            probe.require(
                    !probe.makesInterfaces()
                            || added.container()
                                    .namespace()
                                    .look()
                                    .link(probe.ifname())
                                    .isEmpty(),
                    "DEL leaves the interface where it is when the IPAM plugin's DEL fails",
                    deleted);
            probe.delegate().reset();
            probe.requireDel(delegating, added.attachment(), "once the IPAM plugin works again");
        }
    }

    private static void succeedsAfterAFailedAdd(Probe probe) {
        CniRuntime runtime = probe.runtime();
        Container never = probe.container();
        probe.requireDel(runtime, never.attachment(probe.ifname()), "of what was never added");

        KernelState before = probe.host().look();
        CniRuntime failing = probe.runtime(Delegate.withFailingEnd(probe.network()));
        Container container = probe.container();
        KernelState inside = container.namespace().look();
        CniAttachment attachment = container.attachment(probe.ifname());
        CniRuntime.Outcome failed = probe.add(failing, attachment);
        probe.demand(!failed.ok(), "the tester's last plugin did not fail", failed.last());
        probe.requireDel(failing, attachment, "after an ADD that failed in a later plugin");
        if (probe.makesInterfaces()) {
            probe.requireUnchanged(
                    container,
                    inside,
                    "by an ADD that failed in a later plugin, and its DEL",
                    probe.lastExecution().orElseThrow());
        }
        probe.requireNoResidue(before, List.of(container.id()), "by an ADD that failed in a later plugin, and its DEL");

        for (Map<String, String> args : List.of(Map.of("UNKNOWN", "1"), Map.of("no-value;UNKNOWN", "1"))) {
            Container refused = probe.container();
            CniAttachment bad = refused.withArgs(probe.ifname(), args);
            CniExecution add = probe.add(runtime, bad).last();
            if (!add.ok()) {
                probe.requireDel(
                        runtime, bad, "with CNI_ARGS=" + add.env().get("CNI_ARGS") + ", for which ADD was refused");
            }
        }
    }

    private static void touchesNobodyElse(Probe probe) {
        probe.skipUnless(probe.makesInterfaces(), "lo belongs to nobody");
        CniRuntime runtime = probe.runtime();
        Added added = probe.added(runtime);
        KernelState inside = added.container().namespace().look();
        Container stranger = new Container(added.container().name(), Container.newId());
        CniExecution other = runtime.del(stranger.attachment(probe.ifname())).last();
        probe.requireUnchanged(added.container(), inside, "by a DEL of another container id", other);

        Added again = probe.added(runtime);
        KernelState before = again.container().namespace().look();
        CniExecution elsewhere = probe.runtime(
                        probe.network().withName(probe.network().name() + "-other"))
                .del(again.attachment())
                .last();
        probe.requireUnchanged(again.container(), before, "by a DEL of another network", elsewhere);

        Container taken = AddChecks.takenContainer(probe);
        KernelState theirs = taken.namespace().look();
        CniAttachment attachment = taken.attachment(probe.ifname());
        CniRuntime.Outcome refused = probe.add(runtime, attachment);
        if (!refused.ok()) {
            CniExecution deleted = runtime.del(attachment).last();
            probe.requireUnchanged(taken, theirs, "by a DEL after an ADD that was refused", refused.last(), deleted);
        }
    }

    private static void saysNoWordsOfSuccess(Probe probe) {
        List<CniExecution> failures = new ArrayList<>();
        Container container = probe.container();
        for (int plugin : probe.indexes()) {
            ObjectNode good = probe.finalStdin(plugin);
            Map<String, String> env = probe.env("DEL", container);
            failures.add(probe.call(plugin, env, ""));
            failures.add(probe.call(
                    plugin, env, good.deepCopy().put("cniVersion", "9.9.9").toString()));
            failures.add(
                    probe.call(plugin, env, good.deepCopy().put("name", "../x").toString()));
            Map<String, String> unnamed = new LinkedHashMap<>(env);
            unnamed.remove("CNI_CONTAINERID");
            failures.add(probe.call(plugin, unnamed, good.toString()));
        }
        if (Delegate.fits(probe.network())) {
            probe.delegate().reset();
            CniRuntime delegating = probe.runtime(probe.delegate().into(probe.network()));
            Added added = probe.added(delegating);
            probe.delegate().fail("DEL");
            failures.add(delegating.del(added.attachment()).last());
            probe.delegate().reset();
            CniNetwork without = probe.network().withPlugins(plugin -> {
                if (!plugin.path("ipam").path("type").asText("").isEmpty()) {
                    plugin.putObject("ipam").put("type", "podwire-conformance-nobody");
                }
                return plugin;
            });
            failures.add(probe.runtime(without).del(added.attachment()).last());
        }
        for (CniExecution failure : failures) {
            String said = failure.errorText().toLowerCase(Locale.ROOT);
            for (String words : List.of("not found", "no such file or directory")) {
                probe.require(
                        failure.ok() || !said.contains(words),
                        failure.plugin() + " says \"" + words + "\" in a DEL error: " + failure.errorText(),
                        failure);
            }
        }
    }

    private static void lostAttachmentsAreReaped(Probe probe) {
        CniRuntime runtime = probe.runtime();
        KernelState before = probe.host().look();
        Added lost = probe.added(runtime);
        List<String> words = probe.words(lost, before);
        runtime.forget(lost.attachment());
        lost.container().delete();
        CniRuntime.Outcome collected = probe.gc(probe.network(), ValidAttachments.of());
        probe.require(collected.ok(), "GC fails: " + collected.last().errorText(), collected.last());
        probe.requireNoResidue(before, words, "after GC of an attachment that the runtime had lost", collected.last());
    }
}

package io.podwire.cli.conformance;

import static io.podwire.cli.conformance.Check.Authority.PRACTICE;
import static io.podwire.cli.conformance.Check.Authority.SPEC;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.cli.conformance.KernelState.Link;
import io.podwire.cli.conformance.Probe.Added;
import io.podwire.cli.lab.CniExecution;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.cli.lab.CniVersion;
import io.podwire.cli.lab.Tool;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/** C: CHECK. */
final class CheckChecks {
    /** Tables of iptables-nft: nft cannot write what it reads there, and iptables makes them anew. */
    private static final Pattern IPTABLES = Pattern.compile("(ip|ip6|arp|bridge) (filter|nat|mangle|raw|security)");

    private CheckChecks() {}

    static List<Check> all() {
        return List.of(
                new Check(
                        "C1",
                        SPEC,
                        "CHECK needs cniVersion 0.4.0: before it ends with code 1",
                        "CHECK of each plugin in a version before 0.4.0, and after an ADD from then on",
                        CniVersion.V0_3_1,
                        CheckChecks::beginsWith040),
                new Check(
                        "C2",
                        SPEC,
                        "CHECK fails when a device, address or route of the result is gone, and tolerates others' additions",
                        "takes each of them away in a container of its own; adds an address and a route",
                        CniVersion.V0_4_0,
                        CheckChecks::seesWhatIsGone),
                new Check(
                        "C3",
                        SPEC,
                        "CHECK fails when what the result does not name is damaged: the host's end, firewall rules",
                        "puts the host's end down, takes it off its bridge, deletes the nftables tables that ADD has written"
                                + " to",
                        CniVersion.V0_4_0,
                        CheckChecks::seesDamageOnTheHost),
                new Check(
                        "C4",
                        SPEC,
                        "CHECK calls the delegate's CHECK and passes its errors on",
                        "with an IPAM plugin of the tester's that writes its calls down, and then fails",
                        CniVersion.V0_4_0,
                        CheckChecks::asksTheDelegate),
                new Check(
                        "C5",
                        SPEC,
                        "CHECK right after ADD succeeds",
                        "five containers, ADD and CHECK without a pause",
                        CniVersion.V0_4_0,
                        CheckChecks::succeedsRightAfterAdd),
                new Check(
                        "C6",
                        SPEC,
                        "a CHECK that succeeds prints nothing",
                        "looks at the standard output of each plugin",
                        CniVersion.V0_4_0,
                        CheckChecks::printsNothing),
                new Check(
                        "C7",
                        PRACTICE,
                        "CHECK while the plugin's daemon is away ends with code 11: try again later",
                        "CHECK with the key that --daemon-key names set to a socket where nobody listens",
                        CniVersion.V0_4_0,
                        CheckChecks::daemonAwayIsNoDamage));
    }

    private static void beginsWith040(Probe probe) {
        if (probe.version().atLeast(CniVersion.V0_4_0)) {
            CniRuntime runtime = probe.runtime();
            Added added = probe.added(runtime);
            probe.requireCheck(runtime, added.attachment(), "after an ordinary ADD");
            return;
        }
        Container container = probe.container();
        for (int plugin : probe.indexes()) {
            CniExecution checked = probe.call(
                    plugin,
                    probe.env("CHECK", container),
                    probe.finalStdin(plugin).toString());
            probe.requireRefusal("CHECK with cniVersion " + probe.version(), checked, Set.of(1));
        }
    }

    private static void seesWhatIsGone(Probe probe) {
        probe.skipWithoutUsualCheck();
        CniRuntime runtime = probe.runtime();
        String ifname = probe.ifname();
        mustFail(probe, runtime, "after " + ifname + " was put down", added -> {
            added.container().namespace().run("ip", "link", "set", ifname, "down");
            return true;
        });
        mustFail(probe, runtime, "after " + ifname + " was deleted", added -> {
            if (probe.makesInterfaces()) {
                added.container().namespace().run("ip", "link", "delete", ifname);
            }
            return probe.makesInterfaces();
        });
        for (Cidr address : Probe.addresses(probe.bench().sampleResult())) {
            boolean v6 = address.address().toString().contains(":");
            mustFail(probe, runtime, "after the IPv" + (v6 ? 6 : 4) + " address was taken away", added -> {
                Optional<Cidr> its = Probe.addresses(added.result()).stream()
                        .filter(cidr ->
                                cidr.address().family() == address.address().family())
                        .findFirst();
                its.ifPresent(cidr ->
                        added.container().namespace().run("ip", "address", "delete", cidr.toString(), "dev", ifname));
                return its.isPresent();
            });
        }
        for (JsonNode route : probe.bench().sampleResult().path("routes")) {
            String destination = route.path("dst").asText();
            mustFail(probe, runtime, "after the route to " + destination + " was taken away", added -> {
                added.container()
                        .namespace()
                        .run("ip", destination.contains(":") ? "-6" : "-4", "route", "delete", destination);
                return true;
            });
        }
        Added added = probe.added(runtime);
        added.container().namespace().run("ip", "address", "add", "203.0.113.9/32", "dev", ifname);
        added.container().namespace().run("ip", "route", "add", "203.0.113.128/25", "dev", ifname);
        probe.requireCheck(runtime, added.attachment(), "after somebody added an address and a route");
    }

    /** Does some damage; false when there was nothing to damage. */
    private interface Damage {
        boolean done(Added added);
    }

    private static boolean mustFail(Probe probe, CniRuntime runtime, String when, Damage damage) {
        Added added = probe.added(runtime);
        if (!damage.done(added)) {
            return false;
        }
        CniExecution checked = probe.check(runtime, added.attachment()).orElseThrow();
        probe.require(!checked.ok(), "CHECK succeeds " + when, checked);
        return true;
    }

    /** A plugin with a daemon may have repaired the host's end before the CHECK, or meanwhile. */
    private static boolean mustFailOrBeRepaired(Probe probe, CniRuntime runtime, String when, Damage damage) {
        Added added = probe.added(runtime);
        Optional<Link> whole = hostEnd(probe, added);
        if (!damage.done(added)) {
            return false;
        }
        CniExecution checked = probe.check(runtime, added.attachment()).orElseThrow();
        probe.require(
                !checked.ok() || hostEnd(probe, added).equals(whole),
                "CHECK succeeds " + when + ", and it stays so",
                checked);
        return true;
    }

    private static void seesDamageOnTheHost(Probe probe) {
        probe.skipWithoutUsualCheck();
        CniRuntime runtime = probe.runtime();
        boolean damaged = mustFailOrBeRepaired(probe, runtime, "after the host's end was put down", added -> {
            Optional<Link> end = hostEnd(probe, added);
            end.ifPresent(link -> probe.host().run("ip", "link", "set", link.name(), "down"));
            return end.isPresent();
        });
        damaged |= mustFailOrBeRepaired(probe, runtime, "after the host's end was taken off its bridge", added -> {
            Optional<Link> end =
                    hostEnd(probe, added).filter(link -> !link.master().isEmpty());
            end.ifPresent(link -> probe.host().run("ip", "link", "set", link.name(), "nomaster"));
            return end.isPresent();
        });
        damaged |= rules(probe, runtime);
        probe.skipUnless(damaged, "ADD makes nothing on the host that could be damaged");
    }

    /** The host's end of a veth pair; empty for other kinds of devices. */
    private static Optional<Link> hostEnd(Probe probe, Added added) {
        KernelState host = probe.host().look();
        return added.container()
                .namespace()
                .look()
                .link(probe.ifname())
                .filter(link -> link.kind().equals("veth"))
                .flatMap(inside -> host.links().stream()
                        .filter(link -> link.kind().equals("veth")
                                && link.index() == inside.other()
                                && link.other() == inside.index())
                        .findFirst());
    }

    /** Deletes each table that the ADD wrote to, and puts it back after the CHECK. */
    private static boolean rules(Probe probe, CniRuntime runtime) {
        if (!probe.setup().alone()) {
            return false;
        }
        KernelState before = probe.host().look();
        Added added = probe.added(runtime);
        Map<String, String> tables = new LinkedHashMap<>(probe.host().look().changedTables(before));
        tables.forEach((table, text) -> {
            // With every element and counter, so that it can be put back as it was.
            Tool.Finished whole = probe.host().attempt(("nft list table " + table).split(" "));
            probe.host().run(("nft delete table " + table).split(" "));
            CniExecution checked = probe.check(runtime, added.attachment()).orElseThrow();
            // Others may write to the table too: it is repaired when it names again what it named of the attachment.
            String now = probe.host().look().tables().getOrDefault(table, "");
            boolean repaired = !now.isEmpty()
                    && probe.words(added, before).stream()
                            .filter(text::contains)
                            .allMatch(now::contains);
            probe.require(
                    !checked.ok() || repaired,
                    "CHECK succeeds after the nftables table \"" + table + "\" was deleted, to which ADD had written",
                    checked);
            if (!repaired && !IPTABLES.matcher(table).matches()) {
                probe.host()
                        .run(
                                "table " + table + "\ndelete table " + table + "\n" + whole.stdout(),
                                List.of("nft", "-f", "-"));
            }
        });
        return !tables.isEmpty();
    }

    private static void asksTheDelegate(Probe probe) {
        probe.skipWithoutDelegate();
        probe.skipWithoutUsualCheck();
        CniRuntime delegating = probe.runtime(probe.delegate().into(probe.network()));
        Added added = probe.added(delegating);
        probe.delegate().reset();
        CniExecution checked = probe.check(delegating, added.attachment()).orElseThrow();
        probe.require(probe.delegate().calls().contains("CHECK"), "the IPAM plugin's CHECK is not called", checked);
        probe.delegate().fail("CHECK");
        CniExecution failed = probe.check(delegating, added.attachment()).orElseThrow();
        probe.require(!failed.ok(), "CHECK succeeds although the IPAM plugin's CHECK fails", failed);
    }

    private static void succeedsRightAfterAdd(Probe probe) {
        CniRuntime runtime = probe.runtime();
        for (int i = 0; i < 5; i++) {
            Added added = probe.added(runtime);
            probe.requireCheck(runtime, added.attachment(), "right after ADD");
        }
    }

    private static void printsNothing(Probe probe) {
        probe.skipWithoutUsualCheck();
        CniRuntime runtime = probe.runtime();
        Added added = probe.added(runtime);
        for (CniExecution checked : runtime.check(added.attachment()).executions()) {
            probe.demand(checked.ok(), "CHECK fails after an ordinary ADD: " + checked.errorText(), checked);
            probe.require(
                    checked.stdout().isBlank(),
                    checked.plugin() + " prints something for a CHECK that succeeds",
                    checked);
        }
    }

    private static void daemonAwayIsNoDamage(Probe probe) {
        CniNetwork away = StatusChecks.withoutDaemon(probe);
        Added added = probe.added(probe.runtime());
        for (int plugin : StatusChecks.withDaemon(probe)) {
            String stdin = away.stdin(
                    plugin, Optional.of(added.result()), added.attachment().capabilities());
            CniExecution checked = probe.call(plugin, probe.env("CHECK", added.container()), stdin);
            probe.requireRefusal("CHECK while its daemon is away", checked, Set.of(11));
        }
    }
}

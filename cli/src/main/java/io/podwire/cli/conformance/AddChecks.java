package io.podwire.cli.conformance;

import static io.podwire.cli.conformance.Check.Authority.PRACTICE;
import static io.podwire.cli.conformance.Check.Authority.SPEC;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.cli.conformance.KernelState.Link;
import io.podwire.cli.conformance.Probe.Added;
import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniExecution;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.cli.lab.CniVersion;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** A: ADD. */
final class AddChecks {
    private static final int MANY = 8;

    /** A further interface of a container. */
    static final String SECOND = "net1";

    private AddChecks() {}

    static List<Check> all() {
        return List.of(
                new Check(
                        "A1",
                        SPEC,
                        "ADD makes CNI_IFNAME in the container, or adjusts it; it fails where the name is taken",
                        "ADD, and ADD into a container that has a device of that name already, which must stay as it is",
                        CniVersion.V0_3_1,
                        AddChecks::makesTheInterface),
                new Check(
                        "A2",
                        SPEC,
                        "the result has the shape of the requested version, and is true",
                        "compares the results of a container's first and second interface with the version's types and"
                                + " with the kernel: devices, MAC, MTU, addresses, routes",
                        CniVersion.V0_1_0,
                        AddChecks::answersInTheVersion),
                new Check(
                        "A3",
                        SPEC,
                        "a chained plugin passes prevResult on, changed or not",
                        "looks for each plugin's interfaces and addresses in the result of the next one",
                        CniVersion.V0_3_1,
                        AddChecks::passesPrevResultOn),
                new Check(
                        "A4",
                        SPEC,
                        "a plugin that fails after its delegate's ADD calls the delegate's DEL",
                        "ADD with an IPAM plugin of the tester's, whose results cannot be used",
                        CniVersion.V0_3_1,
                        AddChecks::undoesTheDelegate),
                new Check(
                        "A5",
                        PRACTICE,
                        "a second ADD of the same interface fails, or answers what the first one made; it leaks nothing",
                        "ADD twice, then one DEL",
                        CniVersion.V0_3_1,
                        AddChecks::secondAddLeaksNothing),
                new Check(
                        "A6",
                        SPEC,
                        "ADDs of several containers, and of several interfaces of one, may run at the same time",
                        MANY + " containers at once, and two interfaces of one container at once, then their DELs",
                        CniVersion.V0_3_1,
                        AddChecks::runsAtTheSameTime),
                new Check(
                        "A7",
                        PRACTICE,
                        "an ADD that fails leaves nothing behind",
                        "ADD into a container where the name is taken, and with an IPAM plugin that fails",
                        CniVersion.V0_3_1,
                        AddChecks::failureLeavesNothing));
    }

    private static void makesTheInterface(Probe probe) {
        CniRuntime runtime = probe.runtime();
        Added added = probe.added(runtime);
        Optional<Link> link = added.container().namespace().look().link(probe.ifname());
        probe.require(
                link.isPresent(),
                "the container has no " + probe.ifname() + " after ADD",
                added.outcome().last());
        probe.require(
                link.map(Link::up).orElse(true),
                probe.ifname() + " is down after ADD",
                added.outcome().last());
        probe.requireDel(runtime, added.attachment(), "after an ordinary ADD");
        if (!probe.makesInterfaces()) {
            return;
        }
        probe.require(
                added.container().namespace().look().link(probe.ifname()).isEmpty(),
                probe.ifname() + " is there still after DEL");
        Container taken = takenContainer(probe);
        KernelState before = taken.namespace().look();
        CniExecution refused =
                probe.add(runtime, taken.attachment(probe.ifname())).last();
        probe.require(!refused.ok(), "ADD succeeds where another " + probe.ifname() + " exists", refused);
        probe.requireUnchanged(taken, before, "by an ADD whose name was taken", refused);
    }

    /** A container that has a bridge of the name that ADD is to make. */
    static Container takenContainer(Probe probe) {
        Container container = probe.container();
        container.namespace().run("ip", "link", "add", probe.ifname(), "type", "bridge");
        container.namespace().run("ip", "addr", "add", "203.0.113.9/24", "dev", probe.ifname());
        return container;
    }

    private static void answersInTheVersion(Probe probe) {
        CniRuntime runtime = probe.runtime();
        Container container = probe.container();
        List<String> names = probe.makesInterfaces() ? List.of(probe.ifname(), SECOND) : List.of(probe.ifname());
        for (String ifname : names) {
            boolean first = ifname.equals(probe.ifname());
            CniRuntime.Outcome outcome = probe.add(runtime, container.attachment(ifname));
            CniExecution last = outcome.last();
            probe.demand(outcome.ok() || !first, "an ordinary ADD fails: " + last.errorText(), last);
            if (!outcome.ok()) {
                // That it fails is told by A6.
                return;
            }
            for (CniExecution one : outcome.executions()) {
                JsonNode result = one.json().orElseThrow();
                for (String problem : ResultShape.problems(probe.version(), result)) {
                    probe.problem(one.plugin() + ", interface " + ifname + ": " + problem, one);
                }
            }
            String which = first ? "" : " (a second interface)";
            for (String difference : ResultTruth.differences(
                    outcome.json(),
                    container.netns(),
                    ifname,
                    container.namespace().look(),
                    probe.host().look())) {
                probe.problem("ADD of " + ifname + which + ": " + difference, last);
            }
        }
    }

    private static void passesPrevResultOn(Probe probe) {
        List<CniExecution> sample = probe.bench().sample();
        probe.skipUnless(sample.size() > 1, "the chain has one plugin, which is given no prevResult");
        for (int i = 1; i < sample.size(); i++) {
            CniExecution one = sample.get(i);
            JsonNode given = Probe.object(one.stdin()).path("prevResult");
            JsonNode answered = one.json().orElseThrow();
            for (JsonNode before : given.path("interfaces")) {
                boolean kept = stream(answered.path("interfaces"))
                        .anyMatch(after -> after.path("name").equals(before.path("name"))
                                && after.path("sandbox").equals(before.path("sandbox")));
                probe.require(kept, one.plugin() + " drops interface " + before.path("name") + " of prevResult", one);
            }
            Set<Cidr> addresses = new HashSet<>(Probe.addresses(given));
            Probe.addresses(answered).forEach(addresses::remove);
            probe.require(addresses.isEmpty(), one.plugin() + " drops addresses of prevResult: " + addresses, one);
        }
    }

    private static Stream<JsonNode> stream(JsonNode array) {
        List<JsonNode> members = new ArrayList<>();
        array.forEach(members::add);
        return members.stream();
    }

    private static void undoesTheDelegate(Probe probe) {
        probe.skipWithoutDelegate();
        Delegate delegate = probe.delegate();
        CniRuntime runtime = probe.runtime(delegate.into(probe.network()));
        ObjectNode without = delegate.usual();
        List.of("ips", "ip4", "ip6").forEach(without::remove);
        ObjectNode unreachable = delegate.usual();
        unreachable.withArray("routes").addObject().put("dst", "192.0.2.0/24").put("gw", "203.0.113.77");
        List<String> unusable = List.of(without.toString(), unreachable.toString());
        boolean failed = false;
        for (String answer : unusable) {
            delegate.reset();
            delegate.answer(answer);
            CniExecution added = probe.add(runtime, probe.container().attachment(probe.ifname()))
                    .last();
            if (!added.ok() && delegate.calls().contains("ADD")) {
                failed = true;
                probe.require(
                        delegate.calls().contains("DEL"),
                        added.plugin() + " fails after its IPAM plugin's ADD, and does not call its DEL",
                        added);
            }
        }
        probe.skipUnless(failed, "the chain accepts an IPAM result without addresses and with an unreachable gateway");
    }

    private static void secondAddLeaksNothing(Probe probe) {
        CniRuntime runtime = probe.runtime();
        KernelState before = probe.host().look();
        Added added = probe.added(runtime);
        List<String> words = probe.words(added, before);
        KernelState inside = added.container().namespace().look();
        CniExecution second = probe.add(runtime, added.attachment()).last();
        probe.require(
                !second.ok() || second.json().equals(Optional.of(added.result())),
                "a second ADD succeeds and answers something else than the first one",
                second);
        probe.requireUnchanged(added.container(), inside, "by a second ADD", second);
        probe.requireDel(runtime, added.attachment(), "after a second ADD");
        if (second.ok()) {
            Probe.addresses(second.json().orElseThrow())
                    .forEach(cidr -> words.add(cidr.address().toString()));
        }
        probe.requireNoResidue(before, words, "after two ADDs and one DEL", second);
    }

    private static void runsAtTheSameTime(Probe probe) {
        CniRuntime runtime = probe.runtime();
        KernelState before = probe.host().look();
        List<Container> containers =
                Stream.generate(probe::container).limit(MANY).toList();
        atOnce(
                probe,
                runtime,
                containers.stream()
                        .map(container -> container.attachment(probe.ifname()))
                        .toList(),
                "different containers",
                before);
        if (probe.makesInterfaces()) {
            Container one = probe.container();
            atOnce(
                    probe,
                    runtime,
                    List.of(one.attachment(probe.ifname()), one.attachment(SECOND)),
                    "two interfaces of one container",
                    before);
        }
    }

    private static void atOnce(
            Probe probe, CniRuntime runtime, List<CniAttachment> attachments, String what, KernelState before) {
        List<CniRuntime.Outcome> added = Probe.atOnce(attachments, attachment -> probe.add(runtime, attachment));
        Set<Cidr> addresses = new HashSet<>();
        List<String> words = new ArrayList<>();
        for (CniRuntime.Outcome outcome : added) {
            if (!outcome.ok()) {
                probe.problem(
                        "ADD fails among ADDs of " + what + " at once: "
                                + outcome.last().errorText(),
                        outcome.last());
                continue;
            }
            for (Cidr cidr : Probe.addresses(outcome.json())) {
                words.add(cidr.address().toString());
                probe.require(
                        addresses.add(cidr) || cidr.address().toString().startsWith("127.") || !probe.makesInterfaces(),
                        "address " + cidr + " is given twice among ADDs of " + what + " at once",
                        outcome.last());
            }
        }
        List<CniRuntime.Outcome> deleted = Probe.atOnce(attachments, runtime::del);
        for (CniRuntime.Outcome outcome : deleted) {
            probe.require(
                    outcome.ok(),
                    "DEL fails among DELs of " + what + " at once: "
                            + outcome.last().errorText(),
                    outcome.last());
        }
        probe.requireNoResidue(before, words, "by ADDs and DELs of " + what + " at once");
    }

    private static void failureLeavesNothing(Probe probe) {
        boolean delegates = Delegate.fits(probe.network());
        probe.skipUnless(
                delegates || probe.makesInterfaces(), "lo is always there, and no IPAM plugin can be made to fail");
        KernelState before = probe.host().look();
        if (probe.makesInterfaces()) {
            Container taken = takenContainer(probe);
            KernelState inside = taken.namespace().look();
            CniExecution failed =
                    probe.add(probe.runtime(), taken.attachment(probe.ifname())).last();
            probe.require(!failed.ok(), "ADD succeeds where the name is taken (see A1)", failed);
            probe.requireUnchanged(taken, inside, "by a failed ADD", failed);
            probe.requireNoResidue(before, List.of(taken.id()), "by an ADD whose name was taken", failed);
        }
        if (delegates) {
            probe.delegate().reset();
            probe.delegate().fail("ADD");
            Container container = probe.container();
            KernelState inside = container.namespace().look();
            CniExecution failed = probe.add(
                            probe.runtime(probe.delegate().into(probe.network())), container.attachment(probe.ifname()))
                    .last();
            probe.require(!failed.ok(), "ADD succeeds although the IPAM plugin fails", failed);
            probe.requireUnchanged(container, inside, "by an ADD whose IPAM plugin failed", failed);
            probe.requireNoResidue(before, List.of(container.id()), "by an ADD whose IPAM plugin failed", failed);
        }
    }
}

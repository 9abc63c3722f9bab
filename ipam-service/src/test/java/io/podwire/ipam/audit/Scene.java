package io.podwire.ipam.audit;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.binding.Binding;
import io.podwire.ipam.binding.Binding.Holder;
import io.podwire.ipam.binding.NodeReport;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** A world that tests put together, sound or not. */
final class Scene {
    static final Duration NOW = Duration.ofSeconds(1000);
    static final Instant SINCE = Instant.ofEpochSecond(1_700_000_000);

    Ledger ledger = Ledger.EMPTY;
    final Set<String> requests = new TreeSet<>();
    final TreeMap<String, NodeReport> reports = new TreeMap<>();

    static NodeEpoch epoch(String node) {
        return new NodeEpoch(new NodeName(node), "uid-" + node, "boot", 1);
    }

    Scene pool(Pool pool) {
        ledger = ledger.with(pool);
        return this;
    }

    Scene block(String pool, String cidr, NodeEpoch owner, String request) {
        ledger = ledger.with(new Block(pool, IpPrefix.parse(cidr), owner, request));
        requests.add(request);
        return this;
    }

    Scene own(String pool, String cidr) {
        ledger = ledger.with(new Block(pool, IpPrefix.parse(cidr), AddressRules.SERVICE, "service-" + cidr));
        return this;
    }

    Scene single(String pool, String address, AddressUse use) {
        ledger = ledger.with(new SingleAddress(pool, IpAddress.parse(address), use, SINCE));
        return this;
    }

    static AddressUse ofPod(String node, String pod) {
        return new AddressUse.InUse(
                new AddressOwner("container-" + pod + "/eth0", node, "shop", pod), Optional.empty());
    }

    static AddressUse ofVm(String id, String node) {
        return new AddressUse.InUse(new AddressOwner(id, node, "", ""), Optional.empty());
    }

    static AddressUse reserved(int ordinal) {
        return new AddressUse.Reserved(new Workload("db", "pg", ordinal));
    }

    /** A node that is connected and has said something just now. */
    Scene node(String node) {
        return report(new NodeReport(epoch(node), 1, true, NOW, List.of()));
    }

    Scene report(NodeReport report) {
        reports.put(report.node().value(), report);
        return this;
    }

    Scene away(String node) {
        NodeReport report = reports.get(node);
        return report(new NodeReport(report.epoch(), report.sequence(), false, report.at(), report.bindings()));
    }

    /** The node's own audit finds something. */
    Scene differs(String node, String object, int count) {
        NodeReport report = reports.get(node);
        return report(new NodeReport(
                report.epoch(),
                report.sequence(),
                report.connected(),
                report.at(),
                report.bindings(),
                Map.of(object, count)));
    }

    Scene silent(String node, Duration age) {
        NodeReport report = reports.get(node);
        return report(new NodeReport(report.epoch(), report.sequence(), true, NOW.minus(age), report.bindings()));
    }

    Scene use(String node, String address, String pod) {
        return bind(
                node,
                new Binding(
                        IpAddress.parse(address),
                        Binding.State.IN_USE,
                        new Holder("container-" + pod, "eth0", "shop", pod, "uid-" + pod, "podwire"),
                        SINCE));
    }

    Scene cool(String node, String address) {
        return bind(node, new Binding(IpAddress.parse(address), Binding.State.COOLING, Holder.NOBODY, SINCE));
    }

    Scene bind(String node, Binding binding) {
        drop(node, binding.address());
        NodeReport report = reports.get(node);
        List<Binding> bindings = new ArrayList<>(report.bindings());
        bindings.add(binding);
        bindings.sort(Binding.BY_ADDRESS);
        return report(new NodeReport(report.epoch(), report.sequence(), report.connected(), report.at(), bindings));
    }

    Scene drop(String node, IpAddress address) {
        NodeReport report = reports.get(node);
        List<Binding> bindings = report.bindings().stream()
                .filter(binding -> !binding.address().equals(address))
                .toList();
        return report(new NodeReport(report.epoch(), report.sequence(), report.connected(), report.at(), bindings));
    }

    World world() {
        return new World(ledger, requests, List.copyOf(reports.values()), NOW);
    }
}

package io.podwire.policy;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.policy.compile.DirectionPolicy;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.Rule;
import io.podwire.policy.compile.TierRule;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.model.RuleAction;
import io.podwire.policy.model.Tier;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What nodes that enforce their programs let pass. */
final class Tracer {
    private final Map<IpAddress, Endpoint> endpoints = new HashMap<>();
    private final Map<IpAddress, NodeProgram> programs = new HashMap<>();
    private final boolean knowTiers;

    Tracer(ClusterSnapshot snapshot, PolicyCompiler compiler) {
        this(snapshot, compiler, true);
    }

    /** With nodes of a release that knows tiers, or of one that does not. */
    Tracer(ClusterSnapshot snapshot, PolicyCompiler compiler, boolean knowTiers) {
        this.knowTiers = knowTiers;
        for (NodeName node : snapshot.nodes().keySet()) {
            NodeProgram program = compiler.compile(snapshot, node);
            snapshot.nodes()
                    .get(node)
                    .values()
                    .forEach(endpoint -> endpoint.addresses().forEach(address -> {
                        endpoints.put(address, endpoint);
                        programs.put(address, program);
                    }));
        }
    }

    boolean allowed(IpAddress source, IpAddress destination, Protocol protocol, int port) {
        Endpoint from = endpoints.get(source);
        Endpoint to = endpoints.get(destination);
        if (from != null && to != null && from.pod().equals(to.pod())) {
            return true; // never leaves the pod
        }
        return (from == null || passes(source, from, true, destination, protocol, port))
                && (to == null || passes(destination, to, false, source, protocol, port));
    }

    private boolean passes(
            IpAddress own, Endpoint endpoint, boolean egress, IpAddress peer, Protocol protocol, int port) {
        NodeProgram program = programs.get(own);
        var policy = program.endpoints().get(endpoint.key());
        if (policy == null) {
            return false;
        }
        DirectionPolicy direction = egress ? policy.egress() : policy.ingress();
        if (knowTiers && !direction.tiers().isEmpty()) {
            return tiers(program, direction.tiers(), peer, protocol, port);
        }
        return !direction.isolated()
                || direction.rules().stream().anyMatch(rule -> matches(program, rule, peer, protocol, port));
    }

    private static boolean tiers(
            NodeProgram program, List<TierRule> tiers, IpAddress peer, Protocol protocol, int port) {
        for (Tier tier : Tier.values()) {
            Optional<RuleAction> first = tiers.stream()
                    .filter(step -> step.tier() == tier && matches(program, step.rule(), peer, protocol, port))
                    .map(TierRule::action)
                    .findFirst();
            if (first.isPresent() && first.get() != RuleAction.PASS) {
                return first.get() == RuleAction.ACCEPT;
            }
        }
        return true;
    }

    private static boolean matches(NodeProgram program, Rule rule, IpAddress peer, Protocol protocol, int port) {
        boolean peerMatches = rule.anyPeer()
                || rule.addressSets().stream()
                        .flatMap(id -> program.addressSets().get(id).cidrs().stream())
                        .anyMatch(cidr -> cidr.contains(peer));
        boolean portMatches = rule.anyPort() || rule.ports().stream().anyMatch(range -> range.covers(protocol, port));
        return peerMatches && portMatches;
    }
}

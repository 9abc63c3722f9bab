package io.podwire.policy.answer;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.policy.answer.End.Place;
import io.podwire.policy.compile.DirectionPolicy;
import io.podwire.policy.compile.EndpointPolicy;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.Rule;
import io.podwire.policy.compile.TierRule;
import io.podwire.policy.model.Direction;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.model.RuleAction;
import io.podwire.policy.model.Tier;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;

/**
 * Says what becomes of a connection from the programs that nodes enforce, so that an answer can never differ from what
 * was compiled. One thread uses it.
 */
public final class Judge {
    private final Function<NodeName, NodeProgram> programs;
    private final Map<NodeName, Map<String, Members>> members = new HashMap<>();

    /**
     * A judge.
     *
     * @param programs the program of each node that an end is attached to
     */
    public Judge(Function<NodeName, NodeProgram> programs) {
        this.programs = programs;
    }

    /** What becomes of a connection between two addresses of one family. */
    public Explanation explain(End source, End destination, Protocol protocol, int port) {
        if (samePod(source.place(), destination.place())) {
            return new Explanation(source, destination, new Ruling.WithinPod(), new Ruling.WithinPod());
        }
        return new Explanation(
                source,
                destination,
                ruling(Direction.EGRESS, source, destination, protocol, port),
                ruling(Direction.INGRESS, destination, source, protocol, port));
    }

    /** What a direction of that end is: empty where no node judges it, or does not know its pod yet. */
    Optional<DirectionPolicy> policy(Direction direction, End end) {
        if (!(end.place() instanceof Place.Attached(var _, NodeName node, String key))) {
            return Optional.empty();
        }
        EndpointPolicy policy = programs.apply(node).endpoints().get(key);
        return Optional.ofNullable(policy).map(p -> switch (direction) {
            case INGRESS -> p.ingress();
            case EGRESS -> p.egress();
        });
    }

    static boolean samePod(Place one, Place other) {
        return switch (one) {
            // Bare sandboxes have no name: each is a pod of its own.
            case Place.Attached a ->
                a.equals(other)
                        || (other instanceof Place.Attached b
                                && a.pod().equals(b.pod())
                                && !a.pod().name().isEmpty());
            case Place.Silent a -> other instanceof Place.Silent b && a.pod().equals(b.pod());
            case Place.HostNetwork _, Place.Outside _ -> false;
        };
    }

    private Ruling ruling(Direction direction, End own, End peer, Protocol protocol, int port) {
        if (!(own.place() instanceof Place.Attached(var _, NodeName node, var _))) {
            return new Ruling.NotJudged();
        }
        if (direction == Direction.INGRESS
                && peer.place() instanceof Place.HostNetwork host
                && host.node().equals(node.value())) {
            return new Ruling.OwnNode(node);
        }
        Optional<DirectionPolicy> found = policy(direction, own);
        if (found.isEmpty()) {
            return new Ruling.NotCovered(node);
        }
        DirectionPolicy policy = found.get();
        if (!policy.tiers().isEmpty()) {
            return tiers(node, policy, peer, protocol, port);
        }
        if (!policy.isolated()) {
            return new Ruling.NotIsolated(node);
        }
        for (Rule rule : policy.rules()) {
            Optional<String> matched = matched(node, rule, peer, protocol, port);
            if (matched.isPresent()) {
                return new Ruling.Allowed(node, rule.policy(), rule.index(), matched.get());
            }
        }
        return new Ruling.Isolated(node, policy.isolatedBy());
    }

    private Ruling tiers(NodeName node, DirectionPolicy policy, End peer, Protocol protocol, int port) {
        Optional<Tier> passedOn = Optional.empty();
        for (TierRule step : policy.tiers()) {
            if (passedOn.isPresent() && passedOn.get() == step.tier()) {
                continue;
            }
            Rule rule = step.rule();
            Optional<String> matched = matched(node, rule, peer, protocol, port);
            if (matched.isEmpty()) {
                continue;
            }
            switch (step.action()) {
                case PASS -> passedOn = Optional.of(step.tier());
                case ACCEPT, DENY -> {
                    boolean passes = step.action() == RuleAction.ACCEPT;
                    return switch (step.tier()) {
                        case ADMIN, BASELINE ->
                            new Ruling.ByTier(
                                    node,
                                    step.tier(),
                                    step.priority(),
                                    passes,
                                    rule.policy(),
                                    rule.index(),
                                    step.name(),
                                    matched.get());
                        case NETWORK_POLICY ->
                            passes
                                    ? new Ruling.Allowed(node, rule.policy(), rule.index(), matched.get())
                                    : new Ruling.Isolated(node, policy.isolatedBy());
                    };
                }
            }
        }
        return new Ruling.NotIsolated(node);
    }

    private Optional<String> matched(NodeName node, Rule rule, End peer, Protocol protocol, int port) {
        boolean portMatches = rule.anyPort() || rule.ports().stream().anyMatch(range -> range.covers(protocol, port));
        return portMatches ? peer(node, rule, peer.address()) : Optional.empty();
    }

    /** The rule's peer that the address is; empty text: anyone. */
    private Optional<String> peer(NodeName node, Rule rule, IpAddress address) {
        if (rule.anyPeer()) {
            return Optional.of("");
        }
        Map<String, Members> ofNode = members.computeIfAbsent(node, _ -> new HashMap<>());
        return rule.addressSets().stream()
                .map(id -> ofNode.computeIfAbsent(
                        id,
                        _ -> Members.of(Objects.requireNonNull(
                                programs.apply(node).addressSets().get(id), () -> "set " + id + " of " + node))))
                .filter(set -> set.hold(address))
                .map(Members::description)
                .findFirst();
    }
}

package io.podwire.policy.answer;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.NodeName;
import io.podwire.policy.answer.End.Place;
import io.podwire.policy.compile.DirectionPolicy;
import io.podwire.policy.compile.PortRange;
import io.podwire.policy.model.Direction;
import io.podwire.policy.model.Protocol;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.random.RandomGenerator;

/** Draws connections that are worth to be looked at: from or to pods of some nodes, to ports that rules tell apart. */
public final class Draw {
    private static final int PORTS_END = 65536;

    private final RandomGenerator random;

    /** Draws by this. */
    public Draw(RandomGenerator random) {
        this.random = random;
    }

    /** Two ends, one of which at least is a pod of these nodes; empty when they have none, or nobody to talk to. */
    public Optional<Ends.Pair> pair(Ends ends, Set<NodeName> nodes) {
        List<End> all = ends.all();
        List<End> own = all.stream()
                .filter(end -> end.place() instanceof Place.Attached attached && nodes.contains(attached.node()))
                .toList();
        if (own.isEmpty()) {
            return Optional.empty();
        }
        End pod = own.get(random.nextInt(own.size()));
        List<End> peers = all.stream()
                .filter(end -> end.address().family() == pod.address().family())
                .filter(end -> !end.equals(pod))
                // Which addresses are a node's own, the node knows better: its pods' status may name others.
                .filter(end -> !(end.place() instanceof Place.HostNetwork))
                .toList();
        End peer = peers.isEmpty() || random.nextInt(8) == 0
                ? ends.at(outside(pod.address().family()))
                : peers.get(random.nextInt(peers.size()));
        return Optional.of(random.nextBoolean() ? new Ends.Pair(pod, peer) : new Ends.Pair(peer, pod));
    }

    /** Any address; that it is some pod's does not matter. */
    private IpAddress outside(IpFamily family) {
        byte[] bytes = new byte[family.bits() / 8];
        random.nextBytes(bytes);
        return IpAddress.ofBytes(bytes);
    }

    /** A protocol and port: mostly where a rule about either end begins or ends, or one beside it. */
    public PortRange port(Judge judge, Ends.Pair pair) {
        Direction direction = random.nextBoolean() ? Direction.INGRESS : Direction.EGRESS;
        List<PortRange> ranges = judge
                .policy(direction, direction == Direction.INGRESS ? pair.destination() : pair.source())
                .map(DirectionPolicy::rules)
                .orElse(List.of())
                .stream()
                .flatMap(rule -> rule.ports().stream())
                .toList();
        if (ranges.isEmpty() || random.nextInt(4) == 0) {
            Protocol[] protocols = Protocol.values();
            return one(protocols[random.nextInt(protocols.length)], 1 + random.nextInt(PORTS_END - 1));
        }
        PortRange range = ranges.get(random.nextInt(ranges.size()));
        int near = (random.nextBoolean() ? range.first() : range.last()) + random.nextInt(3) - 1;
        return one(range.protocol(), Math.clamp(near, 1, PORTS_END - 1));
    }

    private static PortRange one(Protocol protocol, int port) {
        return new PortRange(protocol, port, port);
    }
}

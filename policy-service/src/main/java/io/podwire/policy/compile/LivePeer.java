package io.podwire.policy.compile;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.PolicyPort;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A peer that rules name, and who is in it now. Owned by its compiler. */
final class LivePeer {
    private final Peer peer;
    private final LiveSet set;
    /** Kinds of pods that it holds by their labels; none for a block, networks or nodes. */
    final Set<Kind> kinds = new HashSet<>();
    /** For named ports of egress rules. */
    final Map<PolicyPort.Named, LivePorts> ports = new HashMap<>();
    /** Kinds whose rules name it. */
    final Set<Kind> users = new HashSet<>();
    /** Whether namespaces are selected, of those that were asked about. */
    final Map<String, Boolean> namespaces = new HashMap<>();

    LivePeer(Peer peer) {
        this.peer = peer;
        this.set = switch (peer) {
            case Peer.Block(IpPrefix cidr, Set<IpPrefix> except) ->
                new LiveSet(peer.toString(), Cidrs.difference(cidr, except));
            case Peer.Networks networks -> new LiveSet(peer.toString(), networks.disjoint());
            case Peer.InNamespace _, Peer.InNamespaces _, Peer.Nodes _ -> new LiveSet(peer.toString());
        };
    }

    Peer peer() {
        return peer;
    }

    LiveSet set() {
        return set;
    }

    /** Those of a pod's addresses that a block covers. */
    List<IpAddress> covered(Set<IpAddress> addresses) {
        return addresses.stream()
                .filter(address -> set.current().cidrs().stream().anyMatch(cidr -> cidr.contains(address)))
                .toList();
    }
}

package io.podwire.policy.compile;

import io.podwire.common.net.IpAddress;
import io.podwire.policy.model.NamedPort;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Pods that policies cannot tell apart: they share namespace, labels and named ports. Owned by its compiler. */
final class Kind {
    private final Key key;
    /** Pods of it, with the addresses they have. */
    final Set<Placed> pods = Collections.newSetFromMap(new IdentityHashMap<>());
    /** Peers by labels that hold it. */
    final Set<LivePeer> heldBy = new HashSet<>();
    /** Programs that have an endpoint of it, or expect a pod of it. */
    final Set<LiveProgram> programs = new HashSet<>();
    /** What {@link #compiled} uses; what it used last, while that is to be made anew. */
    Uses uses = Uses.NOTHING;

    Optional<Compiled> compiled = Optional.empty();

    /** What makes pods alike. */
    record Key(String namespace, Map<String, String> labels, List<NamedPort> namedPorts) {}

    /**
     * Its policy.
     *
     * @param sets those that its rules name
     */
    record Compiled(DirectionPolicy ingress, DirectionPolicy egress, Set<LiveSet> sets) {}

    /** What its rules depend on. */
    record Uses(Set<LivePeer> peers, Set<LivePorts> ports) {
        static final Uses NOTHING = new Uses(Set.of(), Set.of());
    }

    /** One pod of a kind; two with the same addresses are two. */
    static final class Placed {
        final Kind kind;
        final Set<IpAddress> addresses;

        Placed(Kind kind, Set<IpAddress> addresses) {
            this.kind = kind;
            this.addresses = addresses;
        }
    }

    Kind(Key key) {
        this.key = key;
    }

    Key key() {
        return key;
    }
}

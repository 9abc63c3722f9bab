package io.podwire.policy.compile;

import io.podwire.common.net.IpAddress;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.PolicyPort;
import java.util.Collection;
import java.util.HashSet;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;

/** The numbers that pods of a peer give to a named port, and who gives which. Owned by its compiler. */
final class LivePorts {
    private final Peer peer;
    private final PolicyPort.Named port;
    private final SortedMap<Integer, Numbered> byNumber = new TreeMap<>();
    /** Kinds whose rules depend on which numbers there are. */
    final Set<Kind> users = new HashSet<>();

    private static final class Numbered {
        final LiveSet set;
        int pods;

        Numbered(LiveSet set) {
            this.set = set;
        }
    }

    LivePorts(Peer peer, PolicyPort.Named port) {
        this.peer = peer;
        this.port = port;
    }

    PolicyPort.Named port() {
        return port;
    }

    /** A set for each number. */
    SortedMap<Integer, LiveSet> sets() {
        SortedMap<Integer, LiveSet> sets = new TreeMap<>();
        byNumber.forEach((number, of) -> sets.put(number, of.set));
        return sets;
    }

    /**
     * A pod of the peer comes.
     *
     * @param addresses those of its addresses that the peer covers
     * @param outdated takes the kinds whose rules are to be made anew
     */
    void add(Kind kind, Collection<IpAddress> addresses, Consumer<Kind> outdated) {
        DirectionRules.resolve(port, kind.key().namedPorts()).forEach(number -> {
            Numbered of = byNumber.get(number);
            if (of == null) {
                of = new Numbered(new LiveSet(DirectionRules.definition(peer, port, number)));
                byNumber.put(number, of);
                users.forEach(outdated);
            }
            of.pods++;
            of.set.add(addresses);
        });
    }

    /** A pod of the peer goes; as {@link #add}. */
    void remove(Kind kind, Collection<IpAddress> addresses, Consumer<Kind> outdated) {
        DirectionRules.resolve(port, kind.key().namedPorts()).forEach(number -> {
            Numbered of = byNumber.get(number);
            of.pods--;
            of.set.remove(addresses);
            if (of.pods == 0) {
                byNumber.remove(number);
                users.forEach(outdated);
            }
        });
    }
}

package io.podwire.route.reflect;

import io.podwire.common.net.NodeName;
import io.podwire.route.rib.Refusal;
import io.podwire.route.rib.RouteTable;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * What one reader has yet to be told; owned by the reflector's loop. It keeps names, not messages: however
 * slow the reader, its next message is the newest state of each node that changed.
 */
final class Subscription {
    private final NodeName reader;
    private final SortedSet<NodeName> changed = new TreeSet<>();
    private List<Refusal> refusals = List.of();
    private boolean tellRefusals;
    private long sequence;

    Subscription(NodeName reader) {
        this.reader = reader;
    }

    void changed(Collection<NodeName> nodes) {
        if (sequence > 0) {
            changed.addAll(nodes);
            changed.remove(reader);
        }
    }

    /** Which prefixes of its own announcement are not taken; a new stream believes that all are. */
    void refused(List<Refusal> now) {
        tellRefusals |= !now.equals(refusals);
        refusals = List.copyOf(now);
    }

    /** The next message, full the first time; empty when the reader knows all. */
    Optional<ReaderUpdate> next(RouteTable table) {
        if (sequence == 0) {
            sequence = 1;
            return Optional.of(new ReaderUpdate.Full(sequence, table.seenBy(reader)));
        }
        if (changed.isEmpty() && !tellRefusals) {
            return Optional.empty();
        }
        if (changed.isEmpty()) {
            sequence++;
            tellRefusals = false;
            return Optional.of(new ReaderUpdate.Refused(sequence, refusals));
        }
        sequence++;
        ReaderUpdate update = new ReaderUpdate.Delta(sequence, table.stateOf(changed));
        changed.clear();
        return Optional.of(update);
    }
}

package io.podwire.ipam.binding;

import io.podwire.common.net.IpAddress;
import io.podwire.ipam.core.NodeEpoch;
import java.time.Duration;
import java.util.Collection;
import java.util.Optional;

/**
 * Whose report counts. Of one installation an earlier life never replaces a later one; another installation takes over
 * a name only while the known one's stream is down.
 */
final class ReportRules {
    private ReportRules() {}

    /** Everything that a node has: the first message of a stream. */
    static ReportDecision full(
            Optional<NodeReport> known, NodeEpoch caller, Collection<Binding> bindings, Duration now) {
        if (known.isPresent()) {
            NodeEpoch before = known.get().epoch();
            switch (caller.relationTo(before)) {
                case OLDER -> {
                    return new ReportDecision.Stale(before);
                }
                case OTHER_OWNER -> {
                    if (known.get().connected()) {
                        return new ReportDecision.NameTaken(before);
                    }
                }
                case SAME, NEWER -> {}
            }
        }
        return new ReportDecision.Accept(NodeReport.full(caller, bindings, now));
    }

    /** What changes on a stream whose messages so far make up {@code known}. */
    static ReportDecision delta(
            NodeReport known, long sequence, Collection<Binding> updated, Collection<IpAddress> removed, Duration now) {
        return sequence == known.sequence() + 1
                ? new ReportDecision.Accept(known.with(updated, removed, now))
                : new ReportDecision.Gap(known.sequence() + 1);
    }
}

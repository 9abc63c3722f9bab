package io.podwire.route.reflect;

import io.podwire.route.rib.NodeRoute;
import io.podwire.route.rib.Refusal;
import io.podwire.route.rib.RibDelta;
import java.util.List;

/** One message to a reading node. */
public sealed interface ReaderUpdate {
    /** Its number in the stream, 1 for the first, then one more each. */
    long sequence();

    /** Everybody else's routes, ordered by node. */
    record Full(long sequence, List<NodeRoute> routes) implements ReaderUpdate {
        /** Copies the routes. */
        public Full {
            routes = List.copyOf(routes);
        }
    }

    /** Which prefixes of the reader's own announcement are not taken now, ordered; none: all are. */
    record Refused(long sequence, List<Refusal> refusals) implements ReaderUpdate {
        /** Copies. */
        public Refused {
            refusals = List.copyOf(refusals);
        }
    }

    /** What changed since the message before. */
    record Delta(long sequence, RibDelta delta) implements ReaderUpdate {}
}

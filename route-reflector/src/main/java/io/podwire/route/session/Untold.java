package io.podwire.route.session;

import io.podwire.common.net.IpPrefix;
import java.util.ArrayDeque;
import java.util.LinkedHashSet;

/**
 * Prefixes of which a neighbour has yet to be told, oldest first. A prefix may be there twice, which costs a look; when
 * that has become the rule, as for a neighbour that reads slowly, each is kept once. So its size has a limit: twice the
 * prefixes that there ever were at once. Owned by its session.
 */
final class Untold {
    private static final int LEAST_LIMIT = 1 << 14;

    private ArrayDeque<IpPrefix> queue = new ArrayDeque<>();
    private int limit = LEAST_LIMIT;

    void add(IpPrefix prefix) {
        queue.add(prefix);
        if (queue.size() > limit) {
            queue = new ArrayDeque<>(new LinkedHashSet<>(queue));
            limit = Math.max(LEAST_LIMIT, 2 * queue.size());
        }
    }

    boolean isEmpty() {
        return queue.isEmpty();
    }

    int size() {
        return queue.size();
    }

    /** The oldest one, which is told now. */
    IpPrefix next() {
        return queue.remove();
    }
}

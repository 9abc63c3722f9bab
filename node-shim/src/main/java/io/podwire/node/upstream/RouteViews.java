package io.podwire.node.upstream;

import io.podwire.common.net.NodeName;
import io.podwire.node.plan.RemoteNode;
import io.podwire.node.upstream.RouteMirror.Heard;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What several reflectors know, as one. A node is known as long as one of them knows it. Where they differ, one that is
 * connected and names the node itself is believed before one that is not or does not, and among equals what was heard
 * last. Pure.
 */
final class RouteViews {
    private RouteViews() {}

    /**
     * What one of them knows.
     *
     * @param connected whether its stream is good
     */
    record View(boolean connected, RouteMirror mirror) {}

    private record Candidate(boolean current, Heard heard) {
        private static final Comparator<Candidate> BELIEVED = Comparator.comparing(Candidate::current)
                .thenComparingLong(c -> c.heard().order());
    }

    /** One route a node, by node. */
    static Collection<RemoteNode> merged(Collection<View> views) {
        Map<NodeName, Candidate> best = new TreeMap<>();
        for (View view : views) {
            for (Heard heard : view.mirror().heard()) {
                NodeName node = heard.route().node();
                boolean current = view.connected() && !view.mirror().isStale(node);
                best.merge(
                        node, new Candidate(current, heard), (a, b) -> Candidate.BELIEVED.compare(a, b) >= 0 ? a : b);
            }
        }
        return List.copyOf(best.values().stream().map(c -> c.heard().route()).toList());
    }
}

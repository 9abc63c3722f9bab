package io.podwire.policy.snapshot;

import java.util.ArrayList;
import java.util.List;

/**
 * The snapshot that changes lead to, made when somebody asks for it: to make one costs as much as the cluster is large,
 * however little has changed. One thread uses it.
 */
public final class LateSnapshot {
    /** So many are kept at the most: few, as each is a pause for whoever adds the last of them. */
    private static final int KEPT = 256;

    private final List<Change> since = new ArrayList<>();
    private ClusterSnapshot snapshot = ClusterSnapshot.EMPTY;

    /** Takes changes in. */
    public void add(ClusterDelta delta) {
        since.addAll(delta.changes());
        if (since.size() > KEPT) {
            var _ = get();
        }
    }

    /** The newest one. */
    public ClusterSnapshot get() {
        if (!since.isEmpty()) {
            snapshot = new ClusterDelta(since).applyTo(snapshot);
            since.clear();
        }
        return snapshot;
    }
}

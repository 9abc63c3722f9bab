package io.podwire.policy.snapshot;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * The snapshots of the last revisions: one old snapshot, and what has changed since. Objects that did not change are the same
 * ones in all of them, so that memory grows with what changes, not with the cluster. Belongs to one thread.
 */
public final class History {
    /** Single changes kept at most, however few revisions they are: a list of everything is one of each object. */
    static final int MOST_CHANGES = 50_000;

    private final int most;
    private final Deque<Step> steps = new ArrayDeque<>();
    private Supplier<ClusterSnapshot> base = () -> ClusterSnapshot.EMPTY;
    private long baseRevision;
    private int changes;

    private record Step(long revision, ClusterDelta delta) {}

    /**
     * What leads to a snapshot.
     *
     * @param base an earlier one
     * @param deltas what changed since, in order
     */
    public record Kept(ClusterSnapshot base, List<ClusterDelta> deltas) {
        /** Copies. */
        public Kept {
            deltas = List.copyOf(deltas);
        }

        /** The snapshot; takes as long as its maps are large, and for it once. */
        public ClusterSnapshot snapshot() {
            List<Change> all = new ArrayList<>();
            deltas.forEach(delta -> all.addAll(delta.changes()));
            return new ClusterDelta(all).applyTo(base);
        }
    }

    /**
     * An empty one.
     *
     * @param most revisions that are kept at least, 0 or more, unless they have more than 50,000 changes together; up to
     *     twice as many are, since they are given up in bulk
     */
    public History(int most) {
        this.most = most;
    }

    /**
     * A change led to this revision, which is higher than all before.
     *
     * @param newest has the snapshot of the highest revision, whenever it is asked
     */
    public void add(long revision, ClusterDelta delta, Supplier<ClusterSnapshot> newest) {
        if (most == 0) {
            base = newest;
            baseRevision = revision;
            return;
        }
        steps.add(new Step(revision, delta));
        changes += delta.changes().size();
        if (steps.size() > 2 * most || changes > MOST_CHANGES) {
            forget();
        }
    }

    /** The oldest revision that there is a snapshot of. */
    public long oldest() {
        return baseRevision;
    }

    /** What the cluster was at a revision: after the last change that led to it or to an earlier one. Empty: too old. */
    public Optional<Kept> at(long revision) {
        if (Long.compareUnsigned(revision, baseRevision) < 0) {
            return Optional.empty();
        }
        return Optional.of(new Kept(
                base.get(),
                steps.stream()
                        .takeWhile(step -> Long.compareUnsigned(step.revision(), revision) <= 0)
                        .map(Step::delta)
                        .toList()));
    }

    /** All but the newest {@code most} steps, and of these the oldest while they have too many changes, become the base. */
    private void forget() {
        List<ClusterDelta> old = new ArrayList<>();
        while (steps.size() > most || changes > MOST_CHANGES) {
            Step step = steps.remove();
            old.add(step.delta());
            changes -= step.delta().changes().size();
            baseRevision = step.revision();
        }
        ClusterSnapshot next = new Kept(base.get(), old).snapshot();
        base = () -> next;
    }
}

package io.podwire.policy.publish;

import io.podwire.common.service.ProgramHash;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.ProgramChange;
import io.podwire.policy.compile.SetDeltas;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Supplier;

/**
 * What one node has been sent and has acknowledged, and what has changed since: decides what to send next,
 * without I/O. Owned by the publisher's loop.
 *
 * <p>At most one update is under way. What changes meanwhile waits as one change, not as messages, and
 * goes out as one delta after the answer.
 */
final class NodeSession {
    private final SetDeltas setDeltas;

    /** Revision that the newest program is sent at; 0: there is none yet. */
    private long latestRevision;
    /** True: the node enforces what it acknowledged last; false: it needs the whole program. */
    private boolean known;
    /** What leads from the program that the node enforces, or that is under way to it, to the newest one. */
    private ProgramChange pending = ProgramChange.NONE;

    /** Hash of the program that the node says it enforces; empty: it does not say, or an update followed. */
    private String offered = "";

    /** Revision of the update under way; 0: none is. */
    private long underWay;
    /** What it changes, where the node's program is known. */
    private ProgramChange sent = ProgramChange.NONE;

    /** What {@link #rest} said last; empty: something has happened since. */
    private Optional<Settling> rest = Optional.empty();

    private boolean held;
    private long acked;
    private String failure = "";
    /** Revisions at which the program changed: the newest acknowledged one and all after it. */
    private final NavigableSet<Long> changes = new TreeSet<>();

    NodeSession(SetDeltas setDeltas) {
        this.setDeltas = setDeltas;
    }

    /**
     * A new stream: all that is known of what the node enforces is what it says of it.
     *
     * @param programSha256 as in Hello; empty: it does not say
     */
    void connected(String programSha256) {
        forget();
        offered = programSha256;
        held = false;
    }

    private void forget() {
        known = false;
        pending = ProgramChange.NONE;
        sent = ProgramChange.NONE;
        rest = Optional.empty();
        underWay = 0;
    }

    /**
     * What the program has become at a revision. A whole program is always sent at a revision never sent before.
     *
     * @param change since the last call
     */
    void changed(ProgramChange change, long revision) {
        if (latestRevision == 0 || needsWhole() || !change.isEmpty()) {
            latestRevision = revision;
            changes.add(revision);
        }
        if (known || underWay != 0) {
            pending = pending.then(change);
            rest = Optional.empty();
        }
    }

    /** True when no delta leads from what the node has to what it should have. */
    boolean needsWhole() {
        return !known && underWay == 0;
    }

    /**
     * What to send now; the caller sends it.
     *
     * @param complete false: other nodes, whose pods belong to its sets, may not have come back yet. A node that has a
     *     program goes on with it until they have
     * @param whole the program that the changes have led to
     */
    Optional<Update> next(boolean complete, Supplier<NodeProgram> whole) {
        boolean waits = !complete && !offered.isEmpty();
        if (held || waits || underWay != 0 || latestRevision == 0) {
            return Optional.empty();
        }
        if (known && pending.isEmpty()) {
            // It changed and changed back while an update was under way: the node is there already.
            reached(latestRevision);
            return Optional.empty();
        }
        underWay = latestRevision;
        if (known) {
            Update delta = new Update.Delta(latestRevision, pending.delta(setDeltas));
            sent = pending;
            pending = ProgramChange.NONE;
            return Optional.of(delta);
        }
        NodeProgram program = whole.get();
        boolean same = !offered.isEmpty() && offered.equals(ProgramHash.of(ProgramMapping.toProto(program, 0)));
        offered = "";
        return Optional.of(same ? new Update.Unchanged(latestRevision) : new Update.Full(latestRevision, program));
    }

    /** The node enforces a revision; false when that is not the one under way. */
    boolean acked(long revision) {
        if (underWay == 0 || underWay != revision) {
            return false;
        }
        known = true;
        sent = ProgramChange.NONE;
        rest = Optional.empty();
        underWay = 0;
        failure = "";
        reached(revision);
        return true;
    }

    /** The node could not apply a revision; nothing goes out until {@link #release}. */
    boolean nacked(long revision, String reason) {
        if (underWay == 0 || underWay != revision) {
            return false;
        }
        forget();
        failure = reason;
        held = true;
        return true;
    }

    /** Lets the whole program go out again after a nack, at a new revision. */
    void release(long revision) {
        held = false;
        changed(ProgramChange.NONE, revision);
    }

    /** The newest revision, up to the one asked about, at which the program changed. */
    long target(long revision) {
        Long change = changes.floor(revision);
        // Changes older than the last acknowledged one are forgotten: the node is past them.
        return change == null ? Math.min(revision, acked) : change;
    }

    /** True when the node enforces that revision or a newer one. */
    boolean enforces(long revision) {
        return acked >= target(revision) && latestRevision != 0;
    }

    long acked() {
        return acked;
    }

    String failure() {
        return failure;
    }

    /** Where what the node enforces differs from its program; empty while it is not known what it enforces. */
    Optional<Settling> rest() {
        if (known && rest.isEmpty()) {
            ProgramChange all = sent.then(pending);
            rest = Optional.of(Settling.between(all.before(), all.now()));
        }
        return known ? rest : Optional.empty();
    }

    long latestRevision() {
        return latestRevision;
    }

    private void reached(long revision) {
        acked = revision;
        Long newestReached = changes.floor(revision);
        if (newestReached != null) {
            changes.headSet(newestReached, false).clear();
        }
    }
}

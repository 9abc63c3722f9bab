package io.podwire.policy.publish;

import io.podwire.common.service.ProgramHash;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.ProgramDiff;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeSet;

/**
 * What one node should enforce, has been sent and has acknowledged: decides what to send next,
 * without I/O. Owned by the publisher's loop.
 *
 * <p>At most one update is under way. What changes meanwhile waits as state, not as messages, and
 * goes out as one delta after the answer.
 */
final class NodeSession {
    /** Newest program and the revision it is sent at; revision 0: none yet. */
    private NodeProgram latest = NodeProgram.EMPTY;

    private long latestRevision;
    /** What the node enforces, when that is known; else it needs the whole program. */
    private Optional<NodeProgram> enforced = Optional.empty();

    /** Hash of the program that the node says it enforces; empty: it does not say, or an update followed. */
    private String offered = "";

    private Optional<Update.Full> underWay = Optional.empty();
    private boolean held;
    private long acked;
    private String failure = "";
    /** Revisions at which the program changed: the newest acknowledged one and all after it. */
    private final NavigableSet<Long> changes = new TreeSet<>();

    /**
     * A new stream: all that is known of what the node enforces is what it says of it.
     *
     * @param programSha256 as in Hello; empty: it does not say
     */
    void connected(String programSha256) {
        enforced = Optional.empty();
        offered = programSha256;
        underWay = Optional.empty();
        held = false;
    }

    /** The program at a revision. A whole program is always sent at a revision never sent before. */
    void program(NodeProgram program, long revision) {
        boolean resend = enforced.isEmpty() && underWay.isEmpty();
        if (latestRevision == 0 || resend || !program.equals(latest)) {
            latest = program;
            latestRevision = revision;
            changes.add(revision);
        }
    }

    /**
     * What to send now; the caller sends it.
     *
     * @param complete false: other nodes, whose pods belong to its sets, may not have come back yet. A node that has a
     *     program goes on with it until they have
     */
    Optional<Update> next(boolean complete) {
        boolean waits = !complete && !offered.isEmpty();
        if (held || waits || underWay.isPresent() || latestRevision == 0) {
            return Optional.empty();
        }
        if (enforced.isPresent() && enforced.get().equals(latest)) {
            // It changed and changed back while an update was under way: the node is there already.
            reached(latestRevision);
            return Optional.empty();
        }
        underWay = Optional.of(new Update.Full(latestRevision, latest));
        boolean same = !offered.isEmpty() && offered.equals(ProgramHash.of(ProgramMapping.toProto(latest, 0)));
        offered = "";
        if (same) {
            return Optional.of(new Update.Unchanged(latestRevision));
        }
        return enforced.isPresent()
                ? Optional.of(new Update.Delta(latestRevision, ProgramDiff.between(enforced.get(), latest)))
                : Optional.of(underWay.get());
    }

    /** The node enforces a revision; false when that is not the one under way. */
    boolean acked(long revision) {
        if (underWay.isEmpty() || underWay.get().revision() != revision) {
            return false;
        }
        enforced = Optional.of(underWay.get().program());
        underWay = Optional.empty();
        failure = "";
        reached(revision);
        return true;
    }

    /** The node could not apply a revision; nothing goes out until {@link #release}. */
    boolean nacked(long revision, String reason) {
        if (underWay.isEmpty() || underWay.get().revision() != revision) {
            return false;
        }
        enforced = Optional.empty();
        underWay = Optional.empty();
        failure = reason;
        held = true;
        return true;
    }

    /** Lets the whole program go out again after a nack, at a new revision. */
    void release(long revision) {
        held = false;
        program(latest, revision);
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

    NodeProgram latest() {
        return latest;
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

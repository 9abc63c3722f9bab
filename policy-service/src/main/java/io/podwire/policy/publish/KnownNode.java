package io.podwire.policy.publish;

import io.podwire.common.loop.Backoff;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.publish.StartBarriers.Standing;
import java.util.Optional;
import java.util.SortedMap;
import java.util.function.BooleanSupplier;

/** A node that has introduced itself, by either of its streams. Owned by the publisher's loop. */
final class KnownNode {
    final NodeSession session;
    final Backoff backoff;
    NodeLife life;
    /** By which it is served here. */
    Optional<NodeStream> stream = Optional.empty();
    /** By which it tells every replica of its endpoints. */
    Optional<Announcer> announcer = Optional.empty();
    /** How many times it left. */
    int departures;
    /** True once it has been away for so long that it is not waited for. */
    boolean lost;

    /** What a node tells that may be served elsewhere. */
    record Announcer(AnnounceStream stream, SortedMap<String, Endpoint> endpoints) {}

    KnownNode(NodeLife life, Backoff backoff, NodeSession session) {
        this.session = session;
        this.life = life;
        this.backoff = backoff;
    }

    boolean isOn(NodeStream other) {
        return stream.isPresent() && stream.get().equals(other);
    }

    boolean isAnnouncedBy(AnnounceStream other) {
        return announcer.isPresent() && announcer.get().stream().equals(other);
    }

    /**
     * How it stands to its program.
     *
     * @param moving whether nodes may be on their way from a replica that died
     * @param hasEndpoints whether any endpoint of it is known
     * @return empty for one that enforces its program, and for one that another replica serves
     */
    Optional<Standing> standing(boolean moving, BooleanSupplier hasEndpoints) {
        if (stream.isPresent()) {
            Optional<Settling> rest = session.rest();
            if (rest.isEmpty()) {
                return Optional.of(new Standing.Unknown(
                        session.failure().isEmpty()
                                ? "it has not acknowledged a program yet"
                                : "it could not apply its program: " + session.failure()));
            }
            return rest.get().differing().isEmpty()
                    ? Optional.empty()
                    : Optional.of(new Standing.Behind(rest.get(), session.acked(), session.latestRevision()));
        }
        if (announcer.isPresent()) {
            return moving
                    ? Optional.of(
                            new Standing.Unknown("its replica may have died, and it has not come to this one yet"))
                    : Optional.empty();
        }
        if (!lost) {
            return Optional.of(new Standing.Unknown("its connection broke a moment ago"));
        }
        return hasEndpoints.getAsBoolean() ? Optional.of(new Standing.Away("it is not connected")) : Optional.empty();
    }
}

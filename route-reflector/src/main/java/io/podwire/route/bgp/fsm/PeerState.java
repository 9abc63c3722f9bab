package io.podwire.route.bgp.fsm;

import java.util.Optional;

/**
 * A peer's two connections. There can be two while both sides dial; at most one is established.
 *
 * @param enabled it is to be spoken with
 * @param outgoing the one that we opened
 * @param incoming the one that the peer opened
 * @param failures connections that failed since the last session, 0 or more: each doubles the wait
 */
public record PeerState(boolean enabled, ConnectionState outgoing, ConnectionState incoming, int failures) {
    /** Before its start. */
    public static final PeerState INITIAL =
            new PeerState(false, new ConnectionState.None(), new ConnectionState.None(), 0);

    /** The connection of a side. */
    public ConnectionState get(Side side) {
        return switch (side) {
            case OUTGOING -> outgoing;
            case INCOMING -> incoming;
        };
    }

    /** The established one. */
    public Optional<Side> established() {
        return outgoing instanceof ConnectionState.Established
                ? Optional.of(Side.OUTGOING)
                : incoming instanceof ConnectionState.Established ? Optional.of(Side.INCOMING) : Optional.empty();
    }

    PeerState with(Side side, ConnectionState state) {
        return switch (side) {
            case OUTGOING -> new PeerState(enabled, state, incoming, failures);
            case INCOMING -> new PeerState(enabled, outgoing, state, failures);
        };
    }

    PeerState withEnabled(boolean next) {
        return new PeerState(next, outgoing, incoming, failures);
    }

    PeerState withFailures(int next) {
        return new PeerState(enabled, outgoing, incoming, next);
    }
}

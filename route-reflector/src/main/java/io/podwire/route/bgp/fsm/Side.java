package io.podwire.route.bgp.fsm;

/** Who opened a connection. */
public enum Side {
    /** We did. */
    OUTGOING,
    /** The peer did. */
    INCOMING;

    /** The other one. */
    public Side other() {
        return switch (this) {
            case OUTGOING -> INCOMING;
            case INCOMING -> OUTGOING;
        };
    }
}

package io.podwire.route.bgp.fsm;

import java.util.List;

/**
 * What follows from an event.
 *
 * @param next the state after it
 * @param actions to be done in this order
 */
public record Step(PeerState next, List<PeerAction> actions) {
    /** Copies. */
    public Step {
        actions = List.copyOf(actions);
    }
}

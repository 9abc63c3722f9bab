package io.podwire.route.bgp.fsm;

import io.podwire.route.bgp.message.BgpMessage;
import java.time.Duration;

/** What is to be done, in order. */
public sealed interface PeerAction {
    /** Open a connection; its end is a {@link PeerEvent.TransportUp} or {@link PeerEvent.TransportDown}. */
    record Dial() implements PeerAction {}

    /** Send our OPEN. */
    record SendOpen(Side side) implements PeerAction {}

    /** Send a message. */
    record Send(Side side, BgpMessage message) implements PeerAction {}

    /** End a connection once all was sent; also one that is being made. Its end is no event any more. */
    record Close(Side side) implements PeerAction {}

    /** Set a timer, in place of the one that runs. */
    record Arm(Side side, TimerKind kind, Duration after) implements PeerAction {}

    /** Stop a timer, also one that does not run. */
    record Disarm(Side side, TimerKind kind) implements PeerAction {}

    /** The session is there: routes may be sent. */
    record Up(Side side, Negotiated negotiated) implements PeerAction {}

    /** The message of an established session is to be obeyed. */
    record Deliver(BgpMessage message) implements PeerAction {}

    /**
     * The session that was there has ended.
     *
     * @param keepsRoutes the peer may be restarting: RFC 4724 §4.2
     * @param reason in words
     */
    record Down(boolean keepsRoutes, String reason) implements PeerAction {}

    /** A connection has ended before a session was there. */
    record Failed(String reason) implements PeerAction {}
}

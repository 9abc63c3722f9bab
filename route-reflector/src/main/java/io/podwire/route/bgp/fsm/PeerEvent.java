package io.podwire.route.bgp.fsm;

import io.podwire.route.bgp.message.BgpMessage;
import io.podwire.route.bgp.message.BgpMessage.Notification;
import java.time.Duration;

/** What happens to a peer: the events of RFC 4271 §8.1. */
public sealed interface PeerEvent {
    /** Events 1, 3: it is to be spoken with. */
    record Start() implements PeerEvent {}

    /**
     * Event 2, and an error of a higher level: connections end with this message.
     *
     * @param why what the peer is told
     * @param silence how long it is not spoken with then; negative: until a {@link Start}
     */
    record Stop(Notification why, Duration silence) implements PeerEvent {}

    /** Events 16, 17: there is a connection. */
    record TransportUp(Side side) implements PeerEvent {}

    /** Event 18: it could not be made, or has ended. */
    record TransportDown(Side side) implements PeerEvent {}

    /** Events 19, 24 to 27: a message that could be read. */
    record Received(Side side, BgpMessage message) implements PeerEvent {}

    /** Events 21, 22, 28: one that could not. */
    record Malformed(Side side, Notification answer) implements PeerEvent {}

    /** Events 9, 10, 11. CONNECT_RETRY belongs to the outgoing side. */
    record TimerFired(Side side, TimerKind kind) implements PeerEvent {}
}

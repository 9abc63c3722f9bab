package io.podwire.route.bgp.fsm;

import io.podwire.route.bgp.message.BgpMessage.Open;

/** How far one connection is: the states of RFC 4271 §8.2.2. */
public sealed interface ConnectionState {
    /** There is none. Active for the incoming one, and for the outgoing one while it waits to dial again. */
    record None() implements ConnectionState {}

    /** Connect: dialled, no answer yet. */
    record Connecting() implements ConnectionState {}

    /** Our OPEN is sent. */
    record OpenSent() implements ConnectionState {}

    /** The peer's OPEN is good, its KEEPALIVE is awaited. */
    record OpenConfirm(Open remote) implements ConnectionState {}

    /** Routes flow. */
    record Established(Negotiated negotiated) implements ConnectionState {}
}

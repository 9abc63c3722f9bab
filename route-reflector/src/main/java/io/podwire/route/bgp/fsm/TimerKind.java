package io.podwire.route.bgp.fsm;

/** Timers of RFC 4271 §10. Each connection has its own HOLD and KEEPALIVE. */
public enum TimerKind {
    /** When to dial again. */
    CONNECT_RETRY,
    /** When a silent peer counts as gone. */
    HOLD,
    /** When to send a KEEPALIVE. */
    KEEPALIVE
}

package io.podwire.route.bgp.fsm;

import static io.podwire.route.bgp.message.NotificationCodes.BAD_HOLD_TIME;
import static io.podwire.route.bgp.message.NotificationCodes.BAD_IDENTIFIER;
import static io.podwire.route.bgp.message.NotificationCodes.BAD_PEER_AS;
import static io.podwire.route.bgp.message.NotificationCodes.CEASE;
import static io.podwire.route.bgp.message.NotificationCodes.COLLISION;
import static io.podwire.route.bgp.message.NotificationCodes.FSM;
import static io.podwire.route.bgp.message.NotificationCodes.HOLD_EXPIRED;
import static io.podwire.route.bgp.message.NotificationCodes.NO_CAPABILITY;
import static io.podwire.route.bgp.message.NotificationCodes.OPEN;

import io.podwire.common.net.IpFamily;
import io.podwire.route.bgp.message.BgpMessage;
import io.podwire.route.bgp.message.BgpMessage.EndOfRib;
import io.podwire.route.bgp.message.BgpMessage.Keepalive;
import io.podwire.route.bgp.message.BgpMessage.Notification;
import io.podwire.route.bgp.message.BgpMessage.Open;
import io.podwire.route.bgp.message.BgpMessage.RouteRefresh;
import io.podwire.route.bgp.message.BgpMessage.Update;
import io.podwire.route.bgp.message.Bytes;
import io.podwire.route.bgp.message.Families;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;

/**
 * How a peer's connections go from nothing to a session and back: RFC 4271 §8, §6.8 for two connections at
 * once, RFC 4724 §4.2 for a peer that has restarted unseen. Pure: no clock, no socket.
 *
 * <ul>
 *   <li>A failure is followed by a wait that doubles from 1 s to 60 s; an incoming connection is welcome all
 *       the time, unless the peer is stopped.
 *   <li>Of two connections, the one that the speaker with the higher identifier opened stays.
 *   <li>A second incoming connection takes the place of one that has not become a session: a half-open one
 *       holds up nobody.
 *   <li>A peer that dials while its session is up has restarted, where both agreed on graceful restart:
 *       its new connection takes over. Otherwise the session stays and the new connection is refused.
 * </ul>
 */
public final class PeerMachine {
    /** RFC 4271 §8.2.2 suggests four minutes. A router answers at once, and one that does not is tried again. */
    private static final Duration OPEN_WAIT = Duration.ofSeconds(30);

    private static final Duration DIAL_WAIT = Duration.ofSeconds(10);
    private static final int LONGEST_WAIT_SECONDS = 60;

    private final LocalSettings local;

    /** For one peer. */
    public PeerMachine(LocalSettings local) {
        this.local = local;
    }

    /** What becomes of a connection that the peer opened. */
    public enum Admission {
        /** It is told to the machine as a {@link PeerEvent.TransportUp}. */
        ACCEPT,
        /** The incoming one that is there is told to be down first. */
        REPLACE,
        /** It is closed. */
        REFUSE
    }

    /** What becomes of a connection that the peer opened now. */
    public Admission admit(PeerState state) {
        if (!state.enabled()) {
            return Admission.REFUSE;
        }
        return switch (state.incoming()) {
            case ConnectionState.None() -> Admission.ACCEPT;
            // Who dials anew has given up the one before.
            case ConnectionState.Connecting(), ConnectionState.OpenSent(), ConnectionState.OpenConfirm _ ->
                Admission.REPLACE;
            case ConnectionState.Established(Negotiated negotiated) ->
                restarts(negotiated) ? Admission.REPLACE : Admission.REFUSE;
        };
    }

    private boolean restarts(Negotiated negotiated) {
        return local.restartSeconds() > 0
                && negotiated.remote().gracefulRestart().isPresent();
    }

    /** RFC 5492 §5: the capabilities that were missed. */
    private Bytes families() {
        ByteBuffer data = ByteBuffer.allocate(6 * local.families().size());
        for (IpFamily family : EnumSet.copyOf(local.families())) {
            data.put((byte) 1)
                    .put((byte) 4)
                    .putShort((short) Families.afi(family))
                    .putShort((short) Families.UNICAST);
        }
        return Bytes.of(data.array());
    }

    /** What follows from an event. */
    public Step on(PeerState state, PeerEvent event) {
        Run run = new Run(state);
        switch (event) {
            case PeerEvent.Start() -> run.start();
            case PeerEvent.Stop(Notification why, Duration silence) -> run.stop(why, silence);
            case PeerEvent.TransportUp(Side side) -> run.transportUp(side);
            case PeerEvent.TransportDown(Side side) -> run.transportDown(side);
            case PeerEvent.Received(Side side, BgpMessage message) -> run.received(side, message);
            case PeerEvent.Malformed(Side side, Notification answer) -> run.malformed(side, answer);
            case PeerEvent.TimerFired(Side side, TimerKind kind) -> run.timerFired(side, kind);
        }
        return new Step(run.state, run.actions);
    }

    /** One event's work. */
    private final class Run {
        private PeerState state;
        private final List<PeerAction> actions = new ArrayList<>();

        private Run(PeerState state) {
            this.state = state;
        }

        private void start() {
            if (!state.enabled()) {
                state = state.withEnabled(true).withFailures(0);
                dial();
            }
        }

        private void stop(Notification why, Duration silence) {
            for (Side side : Side.values()) {
                end(side, Optional.of(why), false, "we ended it: " + why);
            }
            actions.add(new PeerAction.Disarm(Side.OUTGOING, TimerKind.CONNECT_RETRY));
            state = state.withEnabled(false);
            if (!silence.isNegative()) {
                actions.add(new PeerAction.Arm(Side.OUTGOING, TimerKind.CONNECT_RETRY, silence));
            }
        }

        private void transportUp(Side side) {
            if (!state.enabled()) {
                actions.add(new PeerAction.Close(side));
                return;
            }
            switch (side) {
                case OUTGOING -> {
                    switch (state.outgoing()) {
                        case ConnectionState.Connecting() -> sendOpen(side);
                        // Given up meanwhile.
                        case ConnectionState.None() -> actions.add(new PeerAction.Close(side));
                        case ConnectionState.OpenSent(), ConnectionState.OpenConfirm _, ConnectionState.Established _ ->
                            throw new IllegalStateException("dialled once, connected twice");
                    }
                }
                case INCOMING -> {
                    switch (state.incoming()) {
                        case ConnectionState.None() -> sendOpen(side);
                        // The session takes connections of this peer only after it closed the one before.
                        case ConnectionState.Connecting(),
                                ConnectionState.OpenSent(),
                                ConnectionState.OpenConfirm _,
                                ConnectionState.Established _ ->
                            throw new IllegalStateException("an incoming connection is there already");
                    }
                }
            }
        }

        private void sendOpen(Side side) {
            state = state.with(side, new ConnectionState.OpenSent());
            actions.add(new PeerAction.Disarm(side, TimerKind.CONNECT_RETRY));
            actions.add(new PeerAction.SendOpen(side));
            actions.add(new PeerAction.Arm(side, TimerKind.HOLD, OPEN_WAIT));
        }

        private void transportDown(Side side) {
            // RFC 4724 §4.2: a connection that just ends is how a restart looks.
            end(side, Optional.empty(), true, "the connection ended");
        }

        private void malformed(Side side, Notification answer) {
            end(side, Optional.of(answer), false, "what the peer sent cannot be read: " + answer);
        }

        private void timerFired(Side side, TimerKind kind) {
            switch (kind) {
                case CONNECT_RETRY -> retry();
                case HOLD -> {
                    switch (state.get(side)) {
                        case ConnectionState.None() -> {}
                        case ConnectionState.Connecting() ->
                            end(side, Optional.empty(), false, "no answer to our connection attempt");
                        case ConnectionState.OpenSent(), ConnectionState.OpenConfirm _, ConnectionState.Established _ ->
                            // RFC 8538 alone would let a NOTIFICATION keep routes; the peer sees none of it.
                            end(
                                    side,
                                    Optional.of(Notification.of(HOLD_EXPIRED, 0)),
                                    true,
                                    "nothing was heard for the hold time");
                    }
                }
                case KEEPALIVE -> {
                    switch (state.get(side)) {
                        case ConnectionState.None(), ConnectionState.Connecting(), ConnectionState.OpenSent() -> {}
                        case ConnectionState.OpenConfirm(Open remote) -> keepalive(side, holdOf(remote));
                        case ConnectionState.Established(Negotiated negotiated) ->
                            keepalive(side, negotiated.holdSeconds());
                    }
                }
            }
        }

        private void retry() {
            if (!state.enabled()) {
                // The silence after a stop is over.
                state = state.withEnabled(true);
            }
            dial();
        }

        private void dial() {
            if (!local.passive()
                    && state.outgoing() instanceof ConnectionState.None
                    && state.established().isEmpty()) {
                state = state.with(Side.OUTGOING, new ConnectionState.Connecting());
                actions.add(new PeerAction.Dial());
                actions.add(new PeerAction.Arm(Side.OUTGOING, TimerKind.HOLD, DIAL_WAIT));
            }
        }

        private void received(Side side, BgpMessage message) {
            if (message instanceof Notification notification) {
                end(side, Optional.empty(), false, "the peer ended it: " + notification);
                return;
            }
            switch (state.get(side)) {
                case ConnectionState.None(), ConnectionState.Connecting() -> {}
                case ConnectionState.OpenSent() -> inOpenSent(side, message);
                case ConnectionState.OpenConfirm(Open remote) -> inOpenConfirm(side, remote, message);
                case ConnectionState.Established(Negotiated negotiated) -> inEstablished(side, negotiated, message);
            }
        }

        private void inOpenSent(Side side, BgpMessage message) {
            switch (message) {
                case Open open -> opened(side, open);
                case Update _, EndOfRib _, Keepalive _, RouteRefresh _, Notification _ -> unexpected(side, 1, message);
            }
        }

        private void opened(Side side, Open open) {
            Optional<Notification> refusal = refusal(open);
            if (refusal.isPresent()) {
                end(
                        side,
                        refusal,
                        false,
                        "its OPEN is refused: " + refusal.get() + ", it says AS " + open.asn() + ", identifier "
                                + open.identifier() + ", hold time " + open.holdSeconds() + " s");
                return;
            }
            if (loses(side, open)) {
                end(side, Optional.of(Notification.of(CEASE, COLLISION)), false, "another connection is there");
                return;
            }
            state = state.with(side, new ConnectionState.OpenConfirm(open));
            actions.add(new PeerAction.Send(side, new Keepalive()));
            int hold = holdOf(open);
            armHold(side, hold);
            if (hold > 0) {
                actions.add(new PeerAction.Arm(side, TimerKind.KEEPALIVE, keepaliveOf(hold)));
            }
        }

        /** RFC 4271 §6.2, RFC 6286 §2.1. */
        private Optional<Notification> refusal(Open open) {
            if (open.asn() != local.peerAsn()) {
                return Optional.of(Notification.of(OPEN, BAD_PEER_AS));
            }
            if (local.internal() && open.identifier().equals(local.identifier())) {
                return Optional.of(Notification.of(OPEN, BAD_IDENTIFIER));
            }
            if (open.holdSeconds() == 1 || open.holdSeconds() == 2) {
                return Optional.of(Notification.of(OPEN, BAD_HOLD_TIME));
            }
            if (Negotiated.of(local, open).families().isEmpty()) {
                return Optional.of(new Notification(OPEN, NO_CAPABILITY, families()));
            }
            return Optional.empty();
        }

        /** Whether the connection that this OPEN came by has to go; ends the other one where that has to. */
        private boolean loses(Side side, Open open) {
            Side other = side.other();
            return switch (state.get(other)) {
                // RFC 4271 §6.8: who the other connection leads to is known from its OPEN alone.
                case ConnectionState.None(), ConnectionState.Connecting(), ConnectionState.OpenSent() -> false;
                case ConnectionState.OpenConfirm _ -> {
                    boolean oursStays = local.identifier().compareTo(open.identifier()) > 0
                            || (local.identifier().equals(open.identifier()) && local.asn() > open.asn());
                    Side stays = oursStays ? Side.OUTGOING : Side.INCOMING;
                    if (stays == side) {
                        end(
                                other,
                                Optional.of(Notification.of(CEASE, COLLISION)),
                                false,
                                "another connection is there");
                        yield false;
                    }
                    yield true;
                }
                case ConnectionState.Established(Negotiated negotiated) -> {
                    if (restarts(negotiated)) {
                        end(other, Optional.empty(), true, "the peer has restarted");
                        yield false;
                    }
                    yield true;
                }
            };
        }

        private void inOpenConfirm(Side side, Open remote, BgpMessage message) {
            switch (message) {
                case Keepalive() -> {
                    Negotiated negotiated = Negotiated.of(local, remote);
                    Side other = side.other();
                    // Dialled or not yet identified: whoever it is, the session is there.
                    if (!(state.get(other) instanceof ConnectionState.None)) {
                        end(
                                other,
                                state.get(other) instanceof ConnectionState.Connecting
                                        ? Optional.empty()
                                        : Optional.of(Notification.of(CEASE, COLLISION)),
                                false,
                                "another connection is there");
                    }
                    state = state.with(side, new ConnectionState.Established(negotiated))
                            .withFailures(0);
                    actions.add(new PeerAction.Disarm(Side.OUTGOING, TimerKind.CONNECT_RETRY));
                    armHold(side, negotiated.holdSeconds());
                    actions.add(new PeerAction.Up(side, negotiated));
                }
                case Open _, Update _, EndOfRib _, RouteRefresh _, Notification _ -> unexpected(side, 2, message);
            }
        }

        private void inEstablished(Side side, Negotiated negotiated, BgpMessage message) {
            switch (message) {
                case Keepalive() -> armHold(side, negotiated.holdSeconds());
                case Update _, EndOfRib _, RouteRefresh _ -> {
                    armHold(side, negotiated.holdSeconds());
                    actions.add(new PeerAction.Deliver(message));
                }
                case Open _, Notification _ -> unexpected(side, 3, message);
            }
        }

        private void unexpected(Side side, int subcode, BgpMessage message) {
            end(
                    side,
                    Optional.of(Notification.of(FSM, subcode)),
                    false,
                    "unexpected " + message.getClass().getSimpleName());
        }

        private void keepalive(Side side, int hold) {
            actions.add(new PeerAction.Send(side, new Keepalive()));
            actions.add(new PeerAction.Arm(side, TimerKind.KEEPALIVE, keepaliveOf(hold)));
        }

        private void armHold(Side side, int hold) {
            actions.add(
                    hold > 0
                            ? new PeerAction.Arm(side, TimerKind.HOLD, Duration.ofSeconds(hold))
                            : new PeerAction.Disarm(side, TimerKind.HOLD));
        }

        private int holdOf(Open remote) {
            return Math.min(local.holdSeconds(), remote.holdSeconds());
        }

        /** RFC 4271 §10: a third of the hold time. */
        private Duration keepaliveOf(int hold) {
            return Duration.ofMillis(hold * 1000L / 3);
        }

        /** Ends a connection, and dials again some time later when nothing else is there. */
        private void end(Side side, Optional<Notification> farewell, boolean restart, String reason) {
            ConnectionState was = state.get(side);
            if (was instanceof ConnectionState.None) {
                return;
            }
            state = state.with(side, new ConnectionState.None());
            farewell.ifPresent(notification -> {
                if (!(was instanceof ConnectionState.Connecting)) {
                    actions.add(new PeerAction.Send(side, notification));
                }
            });
            actions.add(new PeerAction.Disarm(side, TimerKind.HOLD));
            actions.add(new PeerAction.Disarm(side, TimerKind.KEEPALIVE));
            actions.add(new PeerAction.Close(side));
            if (was instanceof ConnectionState.Established(Negotiated negotiated)) {
                actions.add(new PeerAction.Down(restart && restarts(negotiated), reason));
            } else {
                actions.add(new PeerAction.Failed(reason));
            }
            if (state.enabled()
                    && state.outgoing() instanceof ConnectionState.None
                    && state.established().isEmpty()
                    && !local.passive()) {
                int failures = state.failures();
                long wait = Math.min(LONGEST_WAIT_SECONDS, 1L << Math.min(failures, 6));
                state = state.withFailures(failures + 1);
                actions.add(new PeerAction.Arm(Side.OUTGOING, TimerKind.CONNECT_RETRY, Duration.ofSeconds(wait)));
            }
        }
    }
}

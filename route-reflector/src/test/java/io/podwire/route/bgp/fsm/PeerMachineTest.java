package io.podwire.route.bgp.fsm;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.testing.Seeds;
import io.podwire.route.bgp.message.BgpMessage;
import io.podwire.route.bgp.message.BgpMessage.EndOfRib;
import io.podwire.route.bgp.message.BgpMessage.Keepalive;
import io.podwire.route.bgp.message.BgpMessage.Notification;
import io.podwire.route.bgp.message.BgpMessage.Open;
import io.podwire.route.bgp.message.Capability;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sessions as rows of events and what is done, in words. */
class PeerMachineTest {
    private static final IpAddress LOW = IpAddress.parse("192.0.2.1");
    private static final IpAddress MIDDLE = IpAddress.parse("192.0.2.2");
    private static final IpAddress HIGH = IpAddress.parse("192.0.2.3");

    private PeerMachine machine = new PeerMachine(settings(MIDDLE, false));
    private PeerState state = PeerState.INITIAL;

    @Test
    void aPeerIsDialledAndASessionComesUp() {
        assertThat(on(new PeerEvent.Start())).containsExactly("dial", "arm out HOLD 10s");
        assertThat(on(up(Side.OUTGOING))).containsExactly("disarm out CONNECT_RETRY", "open out", "arm out HOLD 30s");
        assertThat(on(open(Side.OUTGOING, LOW)))
                .containsExactly("send out Keepalive", "arm out HOLD 30s", "arm out KEEPALIVE 10s");
        assertThat(on(keepalive(Side.OUTGOING)))
                .containsExactly("disarm out CONNECT_RETRY", "arm out HOLD 30s", "up out");
        assertThat(on(keepalive(Side.OUTGOING))).containsExactly("arm out HOLD 30s");
        assertThat(on(new PeerEvent.Received(Side.OUTGOING, new EndOfRib(IpFamily.V4))))
                .containsExactly("arm out HOLD 30s", "deliver EndOfRib");
        assertThat(on(new PeerEvent.TimerFired(Side.OUTGOING, TimerKind.KEEPALIVE)))
                .containsExactly("send out Keepalive", "arm out KEEPALIVE 10s");
        assertThat(on(new PeerEvent.TimerFired(Side.OUTGOING, TimerKind.HOLD)))
                .containsExactly(
                        "send out 4/0",
                        "disarm out HOLD",
                        "disarm out KEEPALIVE",
                        "close out",
                        "down keeping",
                        "arm out CONNECT_RETRY 1s");
    }

    @Test
    void failuresAreFollowedByLongerWaits() {
        on(new PeerEvent.Start());
        for (String wait : List.of("1s", "2s", "4s", "8s", "16s", "32s", "60s", "60s")) {
            assertThat(on(new PeerEvent.TransportDown(Side.OUTGOING))).endsWith("arm out CONNECT_RETRY " + wait);
            assertThat(on(new PeerEvent.TimerFired(Side.OUTGOING, TimerKind.CONNECT_RETRY)))
                    .startsWith("dial");
        }
    }

    /** RFC 4271 §6.2. */
    @ParameterizedTest
    @CsvSource({
        "64999, 192.0.2.1, 90, 2/2",
        "64512, 192.0.2.2, 90, 2/3",
        "64512, 192.0.2.1, 1, 2/6",
        "64512, 192.0.2.1, 2, 2/6",
    })
    void anOpenThatDoesNotFitIsRefused(long asn, String identifier, int hold, String answer) {
        on(new PeerEvent.Start());
        on(up(Side.OUTGOING));
        Open open = new Open(asn, hold, IpAddress.parse(identifier), List.of());
        assertThat(on(new PeerEvent.Received(Side.OUTGOING, open)))
                .startsWith("send out " + answer)
                .contains("close out", "failed");
    }

    @Test
    void aPeerWithoutACommonFamilyIsRefused() {
        on(new PeerEvent.Start());
        on(up(Side.OUTGOING));
        Open open = new Open(64512, 90, LOW, List.of(new Capability.MultiProtocol(25, 70)));
        assertThat(on(new PeerEvent.Received(Side.OUTGOING, open))).startsWith("send out 2/7");
    }

    @Test
    void holdTimeZeroNeedsNoKeepalives() {
        on(new PeerEvent.Start());
        on(up(Side.OUTGOING));
        assertThat(on(new PeerEvent.Received(Side.OUTGOING, new Open(64512, 0, LOW, List.of()))))
                .containsExactly("send out Keepalive", "disarm out HOLD");
    }

    /** RFC 4271 §6.8: the connection of the speaker with the higher identifier stays. */
    @ParameterizedTest
    @CsvSource({"true, INCOMING", "false, OUTGOING"})
    void ofTwoConnectionsTheHigherIdentifiersStays(boolean peerIsHigher, Side stays) {
        IpAddress peer = peerIsHigher ? HIGH : LOW;
        for (Side second : Side.values()) {
            state = PeerState.INITIAL;
            on(new PeerEvent.Start());
            on(up(Side.OUTGOING));
            on(up(Side.INCOMING));
            on(open(second.other(), peer));
            List<String> done = on(open(second, peer));

            assertThat(done).contains("send " + name(stays.other()) + " 6/7", "close " + name(stays.other()));
            assertThat(state.get(stays)).isInstanceOf(ConnectionState.OpenConfirm.class);
            assertThat(state.get(stays.other())).isInstanceOf(ConnectionState.None.class);
            assertThat(on(keepalive(stays))).contains("up " + name(stays));
        }
    }

    @Test
    void aSessionEndsTheOtherAttempt() {
        on(new PeerEvent.Start());
        on(up(Side.OUTGOING));
        on(up(Side.INCOMING));
        on(open(Side.INCOMING, LOW));
        assertThat(on(keepalive(Side.INCOMING))).contains("send out 6/7", "close out", "up in");
        assertThat(on(new PeerEvent.TimerFired(Side.OUTGOING, TimerKind.CONNECT_RETRY)))
                .as("nobody dials a peer whose session is up")
                .isEmpty();
    }

    @Test
    void aRestartedPeerTakesOverWhereBothAgreedOnIt() {
        establish(Side.OUTGOING, restarting());
        on(up(Side.INCOMING));
        assertThat(on(new PeerEvent.Received(Side.INCOMING, restarting())))
                .contains("close out", "down keeping", "send in Keepalive");
        assertThat(on(keepalive(Side.INCOMING))).contains("up in");

        state = PeerState.INITIAL;
        establish(Side.OUTGOING, new Open(64512, 30, LOW, List.of()));
        on(up(Side.INCOMING));
        assertThat(on(open(Side.INCOMING, LOW))).startsWith("send in 6/7").doesNotContain("down keeping", "down");
        assertThat(state.established()).contains(Side.OUTGOING);
    }

    @Test
    void halfOpenConnectionsHoldUpNobody() {
        on(new PeerEvent.Start());
        on(up(Side.INCOMING));
        assertThat(machine.admit(state)).isEqualTo(PeerMachine.Admission.REPLACE);
        on(open(Side.INCOMING, LOW));
        assertThat(machine.admit(state)).isEqualTo(PeerMachine.Admission.REPLACE);
        on(keepalive(Side.INCOMING));
        assertThat(machine.admit(state))
                .as("a restarted peer that always dials")
                .isEqualTo(PeerMachine.Admission.REPLACE);
    }

    @Test
    void aNotificationEndsASessionForGood() {
        establish(Side.INCOMING, restarting());
        assertThat(on(new PeerEvent.Received(Side.INCOMING, Notification.of(6, 2))))
                .containsExactly(
                        "disarm in HOLD", "disarm in KEEPALIVE", "close in", "down", "arm out CONNECT_RETRY 1s");
    }

    @Test
    void whoIsStoppedIsNotSpokenWithUntilItsSilenceIsOver() {
        establish(Side.OUTGOING, restarting());
        assertThat(on(new PeerEvent.Stop(Notification.of(6, 1), Duration.ofMinutes(15))))
                .startsWith("send out 6/1")
                .endsWith("disarm out CONNECT_RETRY", "arm out CONNECT_RETRY 900s");
        assertThat(machine.admit(state)).isEqualTo(PeerMachine.Admission.REFUSE);
        assertThat(on(new PeerEvent.TimerFired(Side.OUTGOING, TimerKind.CONNECT_RETRY)))
                .startsWith("dial");
    }

    /** RFC 6608. */
    @Test
    void messagesOutOfTurnEndTheConnection() {
        on(new PeerEvent.Start());
        on(up(Side.OUTGOING));
        assertThat(on(keepalive(Side.OUTGOING))).startsWith("send out 5/1");
        state = PeerState.INITIAL;
        on(new PeerEvent.Start());
        on(up(Side.OUTGOING));
        on(open(Side.OUTGOING, LOW));
        assertThat(on(new PeerEvent.Received(Side.OUTGOING, new EndOfRib(IpFamily.V4))))
                .startsWith("send out 5/2");
        state = PeerState.INITIAL;
        establish(Side.OUTGOING, restarting());
        assertThat(on(open(Side.OUTGOING, LOW))).startsWith("send out 5/3").contains("down");
    }

    @Test
    void passiveMeansNotToDial() {
        machine = new PeerMachine(settings(MIDDLE, true));
        assertThat(on(new PeerEvent.Start())).isEmpty();
        on(up(Side.INCOMING));
        assertThat(on(new PeerEvent.TransportDown(Side.INCOMING)))
                .contains("failed")
                .noneMatch(a -> a.contains("arm out"));
    }

    /** Whatever happens in whatever order: one session at most, and each Up has its Down before the next. */
    @Test
    void anyOrderOfEventsLeavesOneSessionAtMost() {
        Seeds.forEach(PeerMachineTest.class, 2_000, random -> {
            machine = new PeerMachine(settings(MIDDLE, random.nextBoolean()));
            state = PeerState.INITIAL;
            boolean isUp = false;
            for (int i = 0; i < 60; i++) {
                Side side = random.nextBoolean() ? Side.OUTGOING : Side.INCOMING;
                List<PeerEvent> possible = new ArrayList<>(List.of(
                        new PeerEvent.Start(),
                        new PeerEvent.TransportDown(side),
                        keepalive(side),
                        new PeerEvent.Received(
                                side, random.nextBoolean() ? restarting() : new Open(64512, 30, HIGH, List.of())),
                        new PeerEvent.Malformed(side, Notification.of(3, 1)),
                        new PeerEvent.TimerFired(
                                side, List.of(TimerKind.values()).get(random.nextInt(3))),
                        new PeerEvent.Received(side, Notification.of(6, 4))));
                if (random.nextInt(20) == 0) {
                    possible.add(new PeerEvent.Stop(Notification.of(6, 2), Duration.ofSeconds(1)));
                }
                if (state.outgoing() instanceof ConnectionState.Connecting) {
                    possible.add(up(Side.OUTGOING));
                    possible.add(up(Side.OUTGOING));
                }
                if (machine.admit(state) == PeerMachine.Admission.ACCEPT) {
                    possible.add(up(Side.INCOMING));
                    possible.add(up(Side.INCOMING));
                }
                Step step = machine.on(state, possible.get(random.nextInt(possible.size())));
                state = step.next();
                for (PeerAction action : step.actions()) {
                    if (action instanceof PeerAction.Up) {
                        assertThat(isUp).as("two sessions").isFalse();
                        isUp = true;
                    } else if (action instanceof PeerAction.Down) {
                        assertThat(isUp).as("a session that was not there ends").isTrue();
                        isUp = false;
                    }
                }
                assertThat(state.established().isPresent()).isEqualTo(isUp);
            }
        });
    }

    private void establish(Side side, Open open) {
        on(new PeerEvent.Start());
        on(up(side));
        on(new PeerEvent.Received(side, open));
        assertThat(on(keepalive(side))).contains("up " + name(side));
    }

    private List<String> on(PeerEvent event) {
        Step step = machine.on(state, event);
        state = step.next();
        return step.actions().stream().map(PeerMachineTest::words).toList();
    }

    private static String words(PeerAction action) {
        return switch (action) {
            case PeerAction.Dial() -> "dial";
            case PeerAction.SendOpen(Side side) -> "open " + name(side);
            case PeerAction.Send(Side side, Notification(int code, int subcode, var _)) ->
                "send " + name(side) + " " + code + "/" + subcode;
            case PeerAction.Send(Side side, BgpMessage message) ->
                "send " + name(side) + " " + message.getClass().getSimpleName();
            case PeerAction.Close(Side side) -> "close " + name(side);
            case PeerAction.Arm(Side side, TimerKind kind, Duration after) ->
                "arm " + name(side) + " " + kind + " " + after.toSeconds() + "s";
            case PeerAction.Disarm(Side side, TimerKind kind) -> "disarm " + name(side) + " " + kind;
            case PeerAction.Up(Side side, var _) -> "up " + name(side);
            case PeerAction.Deliver(BgpMessage message) ->
                "deliver " + message.getClass().getSimpleName();
            case PeerAction.Down(boolean keeps, String _) -> keeps ? "down keeping" : "down";
            case PeerAction.Failed(String _) -> "failed";
        };
    }

    private static String name(Side side) {
        return side == Side.OUTGOING ? "out" : "in";
    }

    private static PeerEvent up(Side side) {
        return new PeerEvent.TransportUp(side);
    }

    private static PeerEvent keepalive(Side side) {
        return new PeerEvent.Received(side, new Keepalive());
    }

    private static PeerEvent open(Side side, IpAddress identifier) {
        return new PeerEvent.Received(
                side, new Open(64512, 30, identifier, restarting().capabilities()));
    }

    private static Open restarting() {
        return settings(LOW, false).open(false);
    }

    private static LocalSettings settings(IpAddress identifier, boolean passive) {
        return new LocalSettings(64512, identifier, 64512, 30, Set.of(IpFamily.V4, IpFamily.V6), 120, passive, false);
    }
}

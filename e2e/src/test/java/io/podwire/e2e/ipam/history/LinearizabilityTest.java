package io.podwire.e2e.ipam.history;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.e2e.ipam.history.BlockState.Free;
import io.podwire.e2e.ipam.history.BlockState.Held;
import io.podwire.e2e.ipam.history.Deed.Claim;
import io.podwire.e2e.ipam.history.Deed.Look;
import io.podwire.e2e.ipam.history.Deed.Refusal;
import io.podwire.e2e.ipam.history.Deed.Release;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class LinearizabilityTest {
    private static final Held A = new Held("a", "a-1");
    private static final Held A2 = new Held("a", "a-2");
    private static final Held B = new Held("b", "b-1");

    private static Operation claim(Held by, long invoked, long answered) {
        return new Operation(new Claim(by), invoked, answered);
    }

    private static Operation refusal(Held claimant, long invoked, long answered) {
        return new Operation(new Refusal(claimant), invoked, answered);
    }

    private static Operation release(String node, long invoked, long answered) {
        return new Operation(new Release(node), invoked, answered);
    }

    private static Operation saw(Held held, long invoked, long answered) {
        return new Operation(new Look(held), invoked, answered);
    }

    private static Operation sawFree(long invoked, long answered) {
        return new Operation(new Look(new Free()), invoked, answered);
    }

    private static Operation unansweredClaim(Held by, long invoked) {
        return claim(by, invoked, Operation.NEVER);
    }

    private static Operation unansweredRelease(String node, long invoked) {
        return release(node, invoked, Operation.NEVER);
    }

    private static Arguments history(String name, Operation... operations) {
        return Arguments.of(name, List.of(operations));
    }

    static Stream<Arguments> good() {
        return Stream.of(
                history("nothing"),
                history("one after the other", claim(A, 1, 2), saw(A, 3, 4), release("a", 5, 6), claim(B, 7, 8)),
                history("two claims at once, one refused", claim(A, 1, 4), refusal(B, 2, 3)),
                history("a look beside a claim sees it", claim(A, 1, 4), saw(A, 2, 3)),
                history("a look beside a claim does not see it yet", claim(A, 1, 4), sawFree(2, 3)),
                history("looks beside a claim see it in one order", claim(A, 1, 8), sawFree(2, 3), saw(A, 4, 5)),
                history("handed over inside a long release", claim(A, 1, 2), release("a", 3, 6), claim(B, 4, 5)),
                history("another's release changes nothing", claim(A, 1, 2), release("b", 3, 4), saw(A, 5, 6)),
                history("a release of what is free", release("a", 1, 2), sawFree(3, 4)),
                history("the same claim again", claim(A, 1, 2), claim(A, 3, 4), saw(A, 5, 6)),
                history("unanswered, took effect", unansweredClaim(A, 1), saw(A, 2, 3)),
                history("unanswered, took effect late", unansweredClaim(A, 1), sawFree(2, 3), saw(A, 4, 5)),
                history("unanswered, never took effect", unansweredClaim(A, 1), claim(B, 2, 3), saw(B, 4, 5)),
                history(
                        "an unanswered release, late",
                        claim(A, 1, 2),
                        unansweredRelease("a", 3),
                        saw(A, 4, 5),
                        claim(B, 6, 7)),
                history("an unanswered claim explains a refusal", unansweredClaim(A, 1), refusal(B, 2, 3)),
                history(
                        "two unanswered ones, in the only order",
                        unansweredClaim(A, 1),
                        unansweredRelease("a", 2),
                        saw(A, 3, 4),
                        sawFree(5, 6),
                        claim(B, 7, 8)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("good")
    void goodHistoryIsAccepted(String name, List<Operation> history) {
        assertThat(Linearizability.check(history)).as(name).isInstanceOf(Verdict.Linearizable.class);
        assertThat(Linearizability.check(history.reversed()))
                .as("%s, listed backwards", name)
                .isInstanceOf(Verdict.Linearizable.class);
    }

    static Stream<Arguments> bad() {
        return Stream.of(
                history("two owners", claim(A, 1, 2), claim(B, 3, 4)),
                history("two owners at once", claim(A, 1, 4), claim(B, 2, 3)),
                history("two claims of one node", claim(A, 1, 2), claim(A2, 3, 4)),
                history(
                        "an old owner is seen after release and claim",
                        claim(A, 1, 2),
                        release("a", 3, 4),
                        claim(B, 5, 6),
                        saw(A, 7, 8)),
                history("free is seen after a claim", claim(A, 1, 2), sawFree(3, 4)),
                history("looks go back in time", claim(A, 1, 10), saw(A, 2, 3), sawFree(4, 5)),
                history("a lost claim", claim(A, 1, 2), saw(A, 3, 4), claim(B, 5, 6)),
                history("a lost release", claim(A, 1, 2), release("a", 3, 4), saw(A, 5, 6)),
                history("seen before its call", saw(A, 1, 2), claim(A, 3, 4)),
                history("took effect after its answer", claim(A, 1, 2), sawFree(3, 4), saw(A, 5, 6)),
                history("refused a block that was free", refusal(A, 1, 2), claim(B, 3, 4)),
                history("refused after the release", claim(A, 1, 2), release("a", 3, 4), refusal(B, 5, 6)),
                history("refused its own block", claim(A, 1, 2), refusal(A, 3, 4)),
                history("another's release took effect", claim(A, 1, 2), release("b", 3, 4), sawFree(5, 6)),
                history("seen without a claim", saw(A, 1, 2)),
                history(
                        "an unanswered claim took effect twice",
                        unansweredClaim(A, 1),
                        saw(A, 2, 3),
                        release("a", 4, 5),
                        sawFree(6, 7),
                        saw(A, 8, 9)),
                history(
                        "an unanswered release took effect twice",
                        claim(A, 1, 2),
                        unansweredRelease("a", 3),
                        sawFree(4, 5),
                        claim(A2, 6, 7),
                        saw(A2, 8, 9),
                        sawFree(10, 11)),
                history("an unanswered claim took effect before its call", saw(A, 1, 2), unansweredClaim(A, 3)),
                history("an unanswered claim took a held block", claim(B, 1, 2), unansweredClaim(A, 3), saw(A, 4, 5)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("bad")
    void brokenHistoryIsRejected(String name, List<Operation> history) {
        assertThat(Linearizability.check(history)).as(name).isInstanceOf(Verdict.Broken.class);
    }

    @Test
    void orderOfAnAcceptedHistoryIsTold() {
        Operation refused = refusal(B, 2, 3);
        Operation claimed = claim(A, 1, 4);
        assertThat(Linearizability.check(List.of(refused, claimed)))
                .isEqualTo(new Verdict.Linearizable(List.of(claimed, refused)));
    }

    @Test
    void reasonNamesTheOperationThatHasNoPlace() {
        Operation first = claim(A, 1, 2);
        Operation second = claim(B, 3, 4);
        assertThat(Linearizability.check(List.of(first, second)))
                .isEqualTo(new Verdict.Broken(List.of(first), A, second))
                .asString()
                .contains("no place for", "claim=b-1");
    }

    @Test
    void blocksAreJudgedOneByOne() {
        assertThat(Linearizability.broken(
                        Map.of("good", List.of(claim(A, 1, 2)), "bad", List.of(claim(A, 3, 4), claim(B, 5, 6)))))
                .containsOnlyKeys("bad");
    }

    @Test
    void longHistoryWithManyUnansweredIsJudgedFast() {
        List<Operation> history = new ArrayList<>();
        long moment = 1;
        for (int i = 0; i < 20; i++) {
            history.add(unansweredClaim(new Held("lost", "lost-" + i), moment++));
        }
        for (int i = 0; i < 1_000; i++) {
            Held by = new Held("n" + i % 5, "c" + i);
            // Each claim is under way while the last owner's release is, and two look meanwhile.
            history.add(claim(by, moment, moment + 5));
            history.add(saw(by, moment + 1, moment + 7));
            history.add(release(by.node(), moment + 6, moment + 9));
            history.add(sawFree(moment + 8, moment + 10));
            moment += 11;
        }
        assertThat(Linearizability.check(history)).isInstanceOf(Verdict.Linearizable.class);
        history.add(saw(A, moment, moment + 1));
        assertThat(Linearizability.check(history)).isInstanceOf(Verdict.Broken.class);
    }

    @Test
    void operationsThatShareAMomentAreRefused() {
        assertThatThrownBy(() -> Linearizability.check(List.of(claim(A, 1, 2), claim(B, 2, 3))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("share moment 2");
        assertThatThrownBy(() -> claim(A, 2, 2)).isInstanceOf(IllegalArgumentException.class);
    }
}

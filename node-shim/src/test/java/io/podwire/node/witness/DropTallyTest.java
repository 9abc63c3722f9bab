package io.podwire.node.witness;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.node.netlink.nft.Expression;
import io.podwire.node.netlink.nft.KernelRule;
import io.podwire.node.netlink.nft.SetVerdict;
import io.podwire.node.plan.DropCause;
import io.podwire.node.plan.DropCause.Direction;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class DropTallyTest {
    private static final int INET = 1;
    private static final DropCause BY_A = new DropCause.DefaultDeny(Direction.INGRESS, List.of("ns/a"));

    private final DropTally tally = new DropTally();
    private long seconds;

    @Test
    void theFirstLookIsWhereCountingBegins() {
        look(rule(7, "denied:ns/a", 100));
        assertThat(tally.counts()).isEmpty();
        look(rule(7, "denied:ns/a", 103));
        assertThat(tally.counts().get(BY_A).packets()).isEqualTo(3);
        assertThat(tally.counts().get(BY_A).bytes()).isEqualTo(180);
        assertThat(tally.counts().get(BY_A).lastRisen()).contains(Instant.ofEpochSecond(2));
        look(rule(7, "denied:ns/a", 103));
        assertThat(tally.counts().get(BY_A).lastRisen()).as("it did not rise").contains(Instant.ofEpochSecond(2));
    }

    @Test
    void aRuleThatIsWrittenAnewCountsFromZeroAndNothingTwice() {
        look(rule(7, "denied:ns/a", 0));
        look(rule(7, "denied:ns/a", 5));
        look(rule(8, "denied:ns/a", 2));
        look(rule(8, "denied:ns/a", 2));
        assertThat(tally.counts().get(BY_A).packets()).isEqualTo(7);
    }

    @Test
    void chainsOfOneCauseAreOneCount() {
        look();
        look(rule(1, "denied:ns/a", 1), rule(2, "denied:ns/a", 2));
        assertThat(tally.counts()).hasSize(1);
        assertThat(tally.counts().get(BY_A).packets()).isEqualTo(3);
    }

    @Test
    void numbersOfTwoTablesAreTwoRules() {
        tally.look(List.of(), Instant.EPOCH);
        tally.look(
                List.of(
                        new DropTally.Found(INET, rule(1, "denied:ns/a", 1)),
                        new DropTally.Found(7, rule(1, "denied:ns/a", 1))),
                Instant.EPOCH);
        assertThat(tally.counts().get(BY_A).packets()).isEqualTo(2);
    }

    @Test
    void rulesThatPassAreNotCounted() {
        look();
        look(new KernelRule(
                "podwire",
                "ingress-x",
                1,
                "ns/a:0",
                List.of(new Expression.Counter(9, 9), new Expression.Decide(new SetVerdict(SetVerdict.RETURN, "")))));
        assertThat(tally.counts()).isEmpty();
    }

    @Test
    void furtherCausesAreCountedTogether() {
        look();
        look(IntStream.range(0, DropTally.MOST + 3)
                .mapToObj(i -> rule(i, "denied:ns/p" + i, 2))
                .toArray(KernelRule[]::new));
        assertThat(tally.counts()).hasSize(DropTally.MOST);
        assertThat(tally.more().orElseThrow().packets()).isEqualTo(6);
    }

    private void look(KernelRule... rules) {
        seconds++;
        tally.look(
                Arrays.stream(rules)
                        .map(rule -> new DropTally.Found(INET, rule))
                        .toList(),
                Instant.ofEpochSecond(seconds));
    }

    private static KernelRule rule(long handle, String comment, long packets) {
        return new KernelRule(
                "podwire",
                "ingress-x",
                handle,
                comment,
                List.of(
                        new Expression.Counter(packets, packets * 60),
                        new Expression.Decide(new SetVerdict(SetVerdict.DROP, ""))));
    }
}

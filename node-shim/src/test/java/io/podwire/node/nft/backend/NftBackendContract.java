package io.podwire.node.nft.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.testing.Seeds;
import io.podwire.node.nft.diff.ListedTable;
import io.podwire.node.nft.diff.NftDiff;
import io.podwire.node.nft.diff.Rewrite;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Command;
import io.podwire.node.nft.model.Field;
import io.podwire.node.nft.model.Match;
import io.podwire.node.nft.model.NftSet;
import io.podwire.node.nft.model.Rule;
import io.podwire.node.nft.model.Ruleset;
import io.podwire.node.nft.model.Table;
import io.podwire.node.nft.model.TableFamily;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.nft.model.Verdict;
import io.podwire.node.plan.RandomInputs;
import io.podwire.node.plan.RulesetInput;
import io.podwire.node.plan.RulesetPlan;
import io.podwire.node.plan.RulesetPlanner;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What every backend must do. */
abstract class NftBackendContract {
    private static final TableId T = new TableId(TableFamily.INET, "t");
    private static final Chain A = new Chain.Regular("a", List.of(Rule.of(new Verdict.Jump("b"))));
    private static final Chain B = new Chain.Regular("b", List.of(Rule.of(new Verdict.Return())));
    private static final Chain USER =
            new Chain.Regular("user", List.of(Rule.of(new Verdict.Return(), Match.in(Field.FLOW_SOURCE, "s"))));
    private static final NftSet S = new NftSet.Prefixes("s", IpFamily.V4, "a.comment", false, List.of());
    private static final NftSet M = new NftSet.VerdictMap("m", IpFamily.V4, new TreeMap<>());

    private NftBackend backend;

    /** A backend without tables. */
    abstract NftBackend open() throws Exception;

    /** Done with it. */
    abstract void close(NftBackend backend);

    /** How many rounds the random walk takes. */
    abstract int rounds();

    @BeforeEach
    void openBackend() throws Exception {
        backend = open();
    }

    @AfterEach
    void closeBackend() {
        close(backend);
    }

    @Test
    void thereIsNoTableAtFirst() throws Exception {
        assertThat(backend.list(T)).as("nothing was made").isEmpty();
    }

    @Test
    void ruleToMissingChainIsRefusedAsAWhole() throws Exception {
        assertThatThrownBy(() -> apply(add(), chain(A), rules(A)))
                .as("a jump to a chain that is not there")
                .isInstanceOf(NftException.class);
        assertThat(backend.list(T)).as("the table of the refused transaction").isEmpty();
    }

    @Test
    void ruleOnMissingSetIsRefused() {
        assertThatThrownBy(() -> apply(add(), chain(USER), rules(USER)))
                .as("a lookup in a set that is not there")
                .isInstanceOf(NftException.class);
    }

    @Test
    void entryToMissingChainIsRefused() {
        assertThatThrownBy(() -> apply(add(), new Command.AddSet(T, M), elements("m", "10.0.0.1 : goto a")))
                .as("a map entry to a chain that is not there")
                .isInstanceOf(NftException.class);
    }

    @Test
    void chainInUseIsNotDeleted() throws Exception {
        apply(add(), chain(A), chain(B), rules(A), rules(B));
        assertThatThrownBy(() -> apply(new Command.FlushChain(T, "b"), new Command.DeleteChain(T, "b")))
                .as("a jumps to b")
                .isInstanceOf(NftException.class);
        apply(new Command.FlushChain(T, "a"), new Command.FlushChain(T, "b"), new Command.DeleteChain(T, "b"));
        assertThat(backend.list(T).orElseThrow().digests())
                .as("b went together with its last user's rules")
                .containsOnlyKeys("a");
    }

    @Test
    void chainOfAnEntryIsNotDeleted() throws Exception {
        apply(add(), chain(B), new Command.AddSet(T, M), elements("m", "10.0.0.1 : goto b"));
        assertThatThrownBy(() -> apply(new Command.DeleteChain(T, "b")))
                .as("an entry leads to b")
                .isInstanceOf(NftException.class);
        apply(new Command.DeleteElements(T, "m", List.of("10.0.0.1")), new Command.DeleteChain(T, "b"));
        assertThat(backend.list(T).orElseThrow().digests()).as("chains").isEmpty();
    }

    @Test
    void setInUseIsNotDeleted() throws Exception {
        apply(add(), new Command.AddSet(T, S), chain(USER), rules(USER));
        assertThatThrownBy(() -> apply(new Command.DeleteSet(T, "s", false)))
                .as("a rule looks it up")
                .isInstanceOf(NftException.class);
    }

    @Test
    void missingThingsAreNotDeleted() throws Exception {
        apply(add(), new Command.AddSet(T, S));
        for (Command command : List.of(
                new Command.DeleteChain(T, "a"),
                new Command.FlushChain(T, "a"),
                new Command.DeleteSet(T, "m", true),
                new Command.DeleteElements(T, "s", List.of("10.0.0.1")),
                new Command.DeleteTable(new TableId(TableFamily.BRIDGE, "t")))) {
            assertThatThrownBy(() -> apply(command))
                    .as("a transaction is exact: %s", command)
                    .isInstanceOf(NftException.class);
        }
    }

    @Test
    void otherVerdictForAnEntryIsRefused() throws Exception {
        apply(add(), chain(B), new Command.AddSet(T, M), elements("m", "10.0.0.1 : goto b"));
        apply(elements("m", "10.0.0.1 : goto b"));
        assertThatThrownBy(() -> apply(elements("m", "10.0.0.1 : return")))
                .as("an entry is not overwritten")
                .isInstanceOf(NftException.class);
    }

    @Test
    void replaceAllRepairsWhateverIsThere() throws Exception {
        Ruleset wanted = Ruleset.of(table("s", A, B));
        apply(add(), new Command.AddSet(T, M), chain(B), elements("m", "10.0.0.1 : goto b"));
        backend.apply(Transaction.replaceAll(wanted));
        backend.apply(Transaction.replaceAll(wanted));
        assertHolds(wanted, "after replaceAll, twice");
    }

    @Test
    void rewriteMakesAllOfWhateverIsThere() {
        Seeds.forEach(getClass(), rounds(), random -> {
            RandomInputs inputs = new RandomInputs(random);
            Ruleset before = RulesetPlan.plan(inputs.input());
            Ruleset wanted = RulesetPlan.plan(inputs.input());
            backend.apply(Transaction.replaceAll(before));
            rewrite(wanted);
            assertHolds(wanted, "after a rewrite of other rules");
            for (Transaction step : NftDiff.between(wanted, before).steps()) {
                backend.apply(step);
            }
            assertHolds(before, "after a change in steps, on what was rewritten");
        });
    }

    @Test
    void rewriteTouchesNoMemberThatStays() throws Exception {
        Ruleset wanted = Ruleset.of(table("s", USER));
        backend.apply(Transaction.replaceAll(wanted));
        assertThat(Rewrite.of(listed(wanted), wanted).commands())
                .as("what there is to do when all is as it must be")
                .noneMatch(command -> switch (command) {
                    case Command.AddElements _, Command.DeleteElements _, Command.DeleteTable _ -> true;
                    default -> false;
                });
    }

    @Test
    void rewriteRemovesWhatNobodyWanted() throws Exception {
        Ruleset wanted = Ruleset.of(table("s", USER));
        backend.apply(Transaction.replaceAll(wanted));
        apply(
                new Command.AddSet(T, M),
                chain(B),
                elements("m", "10.0.0.1 : goto b"),
                elements("s", "10.0.0.7"),
                new Command.FlushChain(T, "user"));
        rewrite(wanted);
        assertHolds(wanted, "after a rewrite");
    }

    @Test
    void rewriteOfASetOfAnotherKindIsRefused() throws Exception {
        Ruleset wanted = Ruleset.of(table("s", USER));
        apply(add(), new Command.AddSet(T, new NftSet.VerdictMap("s", IpFamily.V4, new TreeMap<>())));
        assertThatThrownBy(() -> rewrite(wanted)).isInstanceOf(NftException.class);
    }

    private void rewrite(Ruleset wanted) throws NftException {
        for (Transaction step : Rewrite.of(listed(wanted), wanted).steps()) {
            backend.apply(step);
        }
    }

    private Map<TableId, ListedTable> listed(Ruleset wanted) throws NftException {
        Map<TableId, ListedTable> listed = new TreeMap<>();
        for (TableId id : wanted.tables().keySet()) {
            backend.list(id).ifPresent(table -> listed.put(id, table));
        }
        return listed;
    }

    @Test
    void kindOfASetChangesUnderItsName() throws Exception {
        Ruleset before = Ruleset.of(table("s", USER));
        NftSet interval = new NftSet.Prefixes("s", IpFamily.V4, "", true, List.of(IpPrefix.parse("10.0.0.0/8")));
        TreeMap<String, NftSet> sets = new TreeMap<>();
        sets.put("s", interval);
        TreeMap<String, Chain> chains = new TreeMap<>();
        chains.put("user", USER);
        Ruleset after = Ruleset.of(new Table(T, sets, chains));
        backend.apply(Transaction.replaceAll(before));
        backend.apply(NftDiff.between(before, after));
        assertHolds(after, "hash became interval");
    }

    @Test
    void countersAreReadByChainAndComment() throws Exception {
        Chain chain = new Chain.Regular("c", List.of(Rule.drop("denied:ns/p")));
        apply(add(), chain(chain), rules(chain));
        assertThat(backend.list(T).orElseThrow().counters())
                .as("counters of the rule and of the digest")
                .containsEntry(new ListedTable.CounterKey("c", "denied:ns/p"), new ListedTable.Counter(0, 0))
                .hasSize(2);
    }

    @Test
    void stepByStepEqualsAtOnce() {
        Seeds.forEach(getClass(), rounds(), random -> {
            RandomInputs inputs = new RandomInputs(random);
            RulesetPlanner planner = new RulesetPlanner();
            Ruleset applied = planner.plan(inputs.input());
            backend.apply(Transaction.replaceAll(applied));
            for (int step = 0; step < 6; step++) {
                RulesetInput input = inputs.input();
                Ruleset desired = planner.plan(input);
                assertThat(desired).as("sharing changes nothing").isEqualTo(RulesetPlan.plan(input));
                backend.apply(NftDiff.between(applied, desired));
                assertHolds(desired, "after step " + step);
                assertThat(NftDiff.between(desired, RulesetPlan.plan(input)).isEmpty())
                        .as("nothing left to do")
                        .isTrue();
                applied = desired;
            }
        });
    }

    void assertHolds(Ruleset wanted, String when) throws NftException {
        for (Table table : wanted.tables().values()) {
            Optional<ListedTable> listed = backend.list(table.id());
            assertThat(listed).as("%s: %s", when, table.id()).isPresent();
            ListedTable expected = ListedTable.expected(table);
            assertThat(listed.get().digests())
                    .as("%s: chains of %s", when, table.id())
                    .isEqualTo(expected.digests());
            assertThat(listed.get().sets())
                    .as("%s: sets of %s", when, table.id())
                    .isEqualTo(expected.sets());
            assertThat(listed.get().sameContent(expected)).as(when).isTrue();
        }
    }

    private static Table table(String set, Chain... chains) {
        TreeMap<String, NftSet> sets = new TreeMap<>();
        sets.put(
                set,
                new NftSet.Prefixes(
                        set, IpFamily.V4, "", false, List.of(IpPrefix.ofHost(IpAddress.parse("10.0.0.1")))));
        TreeMap<String, Chain> byName = new TreeMap<>();
        for (Chain chain : chains) {
            byName.put(chain.name(), chain);
        }
        return new Table(T, sets, byName);
    }

    private void apply(Command... commands) throws NftException {
        backend.apply(new Transaction(List.of(commands)));
    }

    private static Command add() {
        return new Command.AddTable(T);
    }

    private static Command chain(Chain chain) {
        return new Command.AddChain(T, chain);
    }

    private static Command rules(Chain chain) {
        return new Command.AddRules(T, chain);
    }

    private static Command elements(String set, String... elements) {
        return new Command.AddElements(T, set, List.of(elements));
    }
}

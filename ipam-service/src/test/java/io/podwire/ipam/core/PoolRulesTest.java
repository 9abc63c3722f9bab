package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PoolRulesTest {
    private static final Pool A = new Pool("a", IpPrefix.parse("10.1.0.0/24"), 26);
    private static final Pool B = new Pool("b", IpPrefix.parse("10.2.0.0/26"), 26);
    private static final Pool SIX = new Pool("six", IpPrefix.parse("a01::/16"), 122);
    private static final NodeEpoch N1 = new NodeEpoch(new NodeName("n1"), "u1", "boot-1", 1);

    private static Ledger ledger(Block... blocks) {
        return Ledger.of(List.of(B, A, SIX), List.of(blocks), List.of(N1));
    }

    private static Block owned(Pool pool, int index) {
        return new Block(pool.name(), PoolBlocks.block(pool, index), N1, "r" + index);
    }

    private static UpdateDecision update(Ledger ledger, PoolEdit... edits) {
        return PoolRules.update(ledger, PoolSource.Kind.GRPC, "a", List.of(edits));
    }

    private static PoolEdit cidr(String cidr) {
        return new PoolEdit.Cidr(IpPrefix.parse(cidr));
    }

    private static PoolEdit state(PoolState state) {
        return new PoolEdit.State(state);
    }

    private static PoolEdit reserved(String... ranges) {
        return new PoolEdit.Reserved(
                java.util.Arrays.stream(ranges).map(IpPrefix::parse).toList());
    }

    private static UpdateDecision becomes(PoolEdit... edits) {
        return new UpdateDecision.Update(A, A.with(List.of(edits)));
    }

    @Test
    void poolsShareNoAddressAndKeepTheirContent() {
        assertThat(PoolRules.create(ledger(), A)).isEqualTo(new CreateDecision.AlreadyThere());
        assertThat(PoolRules.create(ledger(), new Pool("a", A.cidr(), 27))).isEqualTo(new CreateDecision.NameTaken(A));
        assertThat(PoolRules.create(ledger(), A.with(List.of(state(PoolState.DRAINING)))))
                .isEqualTo(new CreateDecision.NameTaken(A));
        assertThat(PoolRules.create(ledger(), new Pool("c", IpPrefix.parse("10.0.0.0/8"), 26)))
                .isEqualTo(new CreateDecision.Overlap(A));
        assertThat(PoolRules.create(ledger(), new Pool("c", IpPrefix.parse("10.2.0.32/27"), 32)))
                .isEqualTo(new CreateDecision.Overlap(B));
        assertThat(PoolRules.create(ledger(), new Pool("c", IpPrefix.parse("10.2.0.64/26"), 26)))
                .isEqualTo(new CreateDecision.Create());
    }

    @Test
    void familiesDoNotOverlap() {
        assertThat(PoolRules.create(ledger(), new Pool("c", IpPrefix.parse("a01:2::/48"), 122)))
                .isEqualTo(new CreateDecision.Overlap(SIX));
        Ledger sixAlone = Ledger.of(List.of(SIX), List.of(), List.of());
        assertThat(PoolRules.create(sixAlone, A))
                .as("the same leading bits in another family")
                .isEqualTo(new CreateDecision.Create());
    }

    @Test
    void ensuredPoolMayHaveChangedInAllButItsPlaces() {
        Pool changed = A.with(List.of(state(PoolState.DRAINING), reserved("10.1.0.0/32")));
        Ledger ledger = Ledger.of(List.of(changed), List.of(), List.of());
        assertThat(PoolRules.ensure(ledger, A)).isEqualTo(new CreateDecision.AlreadyThere());
        assertThat(PoolRules.ensure(ledger, new Pool("a", A.cidr(), 27)))
                .isEqualTo(new CreateDecision.NameTaken(changed));
        assertThat(PoolRules.ensure(ledger, B)).isEqualTo(new CreateDecision.Create());
    }

    @Test
    void everyFieldChangesAloneOrWithOthers() {
        assertThat(update(ledger(), state(PoolState.DRAINING))).isEqualTo(becomes(state(PoolState.DRAINING)));
        assertThat(update(ledger(), reserved("10.1.0.64/28"))).isEqualTo(becomes(reserved("10.1.0.64/28")));
        assertThat(update(ledger(), new PoolEdit.BlockLength(28))).isEqualTo(becomes(new PoolEdit.BlockLength(28)));
        PoolEdit nodes = new PoolEdit.Nodes(NodeSelector.of(Map.of("zone", "a")));
        assertThat(update(ledger(), nodes)).isEqualTo(becomes(nodes));
        assertThat(update(ledger(), reserved("10.3.0.0/28"), cidr("10.3.0.0/24")))
                .as("each is judged with the others in place")
                .isEqualTo(becomes(reserved("10.3.0.0/28"), cidr("10.3.0.0/24")));
        assertThat(update(ledger(), state(PoolState.ACTIVE), reserved())).isEqualTo(new UpdateDecision.Unchanged(A));
        assertThat(PoolRules.update(ledger(), PoolSource.Kind.GRPC, "c", List.of(state(PoolState.ACTIVE))))
                .isEqualTo(new UpdateDecision.NoSuchPool());
    }

    @Test
    void whatIsNoPoolIsRefusedWithTheReason() {
        assertThat(update(ledger(), new PoolEdit.BlockLength(23)))
                .isEqualTo(
                        new UpdateDecision.Malformed("block length of pool a (10.1.0.0/24) must be 24 to 32, got 23"));
        assertThat(update(ledger(), reserved("10.1.1.0/28")))
                .isEqualTo(new UpdateDecision.Malformed(
                        "reserved range 10.1.1.0/28 of pool a must lie inside 10.1.0.0/24"));
        assertThat(update(ledger(), cidr("fd00::/112"), new PoolEdit.BlockLength(122)))
                .isEqualTo(new UpdateDecision.Malformed(
                        "pool a is IPv4 for good, and fd00::/112 is not; create another pool"));
        assertThat(update(ledger(), cidr("10.0.0.0/8")))
                .isEqualTo(new UpdateDecision.Overlap(A.with(List.of(cidr("10.0.0.0/8"))), B));
    }

    @Test
    void poolGrowsAndShrinksAroundWhatIsOwned() {
        assertThat(update(ledger(owned(A, 3)), cidr("10.1.0.0/16"))).isEqualTo(becomes(cidr("10.1.0.0/16")));
        assertThat(update(ledger(owned(A, 3)), cidr("10.1.0.192/26"))).isEqualTo(becomes(cidr("10.1.0.192/26")));
        assertThat(update(ledger(owned(A, 1), owned(A, 3)), cidr("10.1.0.128/25")))
                .isEqualTo(new UpdateDecision.CutsOff(A.with(List.of(cidr("10.1.0.128/25"))), List.of(owned(A, 1))));
    }

    @Test
    void blockLengthStaysWhileABlockIsOwned() {
        assertThat(update(ledger(owned(A, 0)), new PoolEdit.BlockLength(27)))
                .isEqualTo(new UpdateDecision.SizeInUse(
                        A.with(List.of(new PoolEdit.BlockLength(27))), List.of(owned(A, 0))));
    }

    @Test
    void ownedAddressesAreNotReserved() {
        assertThat(update(ledger(owned(A, 0)), reserved("10.1.0.64/32"))).isEqualTo(becomes(reserved("10.1.0.64/32")));
        assertThat(update(ledger(owned(A, 0), owned(A, 1)), reserved("10.1.0.64/32")))
                .isEqualTo(new UpdateDecision.ReservesOwned(
                        A.with(List.of(reserved("10.1.0.64/32"))), List.of(owned(A, 1))));
    }

    @Test
    void purposeStaysWhileABlockIsOwned() {
        PoolEdit purpose = new PoolEdit.Purpose(PoolPurpose.STATIC);
        assertThat(update(ledger(owned(B, 0)), purpose)).isEqualTo(becomes(purpose));
        assertThat(update(ledger(owned(A, 0)), purpose))
                .isEqualTo(new UpdateDecision.PurposeInUse(A.with(List.of(purpose)), List.of(owned(A, 0))));
    }

    @Test
    void drainingPoolKeepsHowManyBlocksWereOwnedAtItsStart() {
        Pool draining = A.with(List.of(state(PoolState.DRAINING))).drainedFrom(2);
        assertThat(update(ledger(owned(A, 0), owned(A, 1)), state(PoolState.DRAINING)))
                .isEqualTo(new UpdateDecision.Update(A, draining));
        Ledger later = Ledger.of(List.of(draining), List.of(owned(A, 1)), List.of(N1));
        assertThat(update(later, state(PoolState.DRAINING)))
                .as("it drains already")
                .isEqualTo(new UpdateDecision.Unchanged(draining));
        assertThat(update(later, reserved("10.1.0.0/32")))
                .as("another change meanwhile")
                .isEqualTo(new UpdateDecision.Update(draining, draining.with(List.of(reserved("10.1.0.0/32")))));
        assertThat(draining.with(List.of(reserved("10.1.0.0/32"))).drainingFrom())
                .isEqualTo(2);
        assertThat(update(later, state(PoolState.ACTIVE)))
                .as("no trace is left")
                .isEqualTo(new UpdateDecision.Update(draining, A));
        assertThat(PoolRules.create(later, A.with(List.of(state(PoolState.DRAINING)))))
                .as("the same wish, however far it has drained")
                .isEqualTo(new CreateDecision.AlreadyThere());
    }

    @Test
    void poolIsChangedWhereItIsDeclared() {
        Pool declared = A.with(List.of(new PoolEdit.Source(PoolSource.manifest("a.yaml"))));
        Ledger ledger = Ledger.of(List.of(declared), List.of(), List.of());
        PoolEdit draining = state(PoolState.DRAINING);
        assertThat(update(ledger, draining)).isEqualTo(new UpdateDecision.DeclaredElsewhere(declared));
        assertThat(PoolRules.update(ledger, PoolSource.Kind.KUBERNETES, "a", List.of(draining)))
                .isEqualTo(new UpdateDecision.DeclaredElsewhere(declared));
        assertThat(PoolRules.update(ledger, PoolSource.Kind.MANIFEST, "a", List.of(draining)))
                .isEqualTo(new UpdateDecision.Update(declared, declared.with(List.of(draining))));
        assertThat(update(ledger, new PoolEdit.Source(PoolSource.GRPC)))
                .as("taken over")
                .isEqualTo(new UpdateDecision.Update(declared, A));
        assertThat(PoolRules.update(
                        ledger(), PoolSource.Kind.KUBERNETES, "a", List.of(new PoolEdit.Source(PoolSource.KUBERNETES))))
                .as("nobody but a call takes over")
                .isEqualTo(new UpdateDecision.DeclaredElsewhere(A));
        assertThat(PoolRules.create(ledger, A)).isEqualTo(new CreateDecision.AlreadyThere());
    }

    @Test
    void onlyAnEmptyPoolRetires() {
        assertThat(update(ledger(owned(A, 0)), state(PoolState.RETIRED)))
                .isEqualTo(
                        new UpdateDecision.NotEmpty(A.with(List.of(state(PoolState.RETIRED))), List.of(owned(A, 0))));
        assertThat(update(ledger(owned(B, 0)), state(PoolState.RETIRED)))
                .as("another pool's blocks do not matter")
                .isEqualTo(becomes(state(PoolState.RETIRED)));
    }
}

package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.PassedOver.Why;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class BlockRulesTest {
    private static final Pool A = new Pool("a", IpPrefix.parse("10.1.0.0/25"), 26);
    private static final Pool B = new Pool("b", IpPrefix.parse("10.2.0.0/26"), 26);
    private static final NodeEpoch N1 = epoch("n1", "u1", 3);
    private static final NodeEpoch N2 = epoch("n2", "u2", 1);

    private static NodeEpoch epoch(String node, String uid, long counter) {
        return new NodeEpoch(new NodeName(node), uid, "boot-" + counter, counter);
    }

    private static Block block(Pool pool, int index, NodeEpoch owner, String requestId) {
        return new Block(pool.name(), PoolBlocks.block(pool, index), owner, requestId);
    }

    private static Ledger ledger(Block... blocks) {
        return Ledger.of(List.of(B, A), List.of(blocks), List.of(N1, N2));
    }

    private static ClaimDecision claim(Ledger ledger, NodeEpoch caller, String pool, String requestId) {
        return claim(ledger, caller, pool, IpFamily.V4, requestId);
    }

    private static ClaimDecision claim(
            Ledger ledger, NodeEpoch caller, String pool, IpFamily family, String requestId) {
        return BlockRules.claim(ledger, new ClaimRequest(caller, Map.of(), pool, family, requestId));
    }

    private static ClaimDecision noneFree(Pool pool, Why why) {
        return new ClaimDecision.NoneFree(List.of(new PassedOver(pool, why)));
    }

    @Test
    void lowestFreeBlockOfTheFirstPoolByName() {
        assertThat(claim(ledger(), N1, "", "r1")).isEqualTo(new ClaimDecision.Assign(A, block(A, 0, N1, "r1")));
        assertThat(claim(ledger(block(A, 1, N2, "x")), N1, "", "r1"))
                .as("a hole before a taken block is used")
                .isEqualTo(new ClaimDecision.Assign(A, block(A, 0, N1, "r1")));
        assertThat(claim(ledger(block(A, 0, N2, "x"), block(A, 1, N2, "y")), N1, "", "r1"))
                .as("the next pool, once the first is full")
                .isEqualTo(new ClaimDecision.Assign(B, block(B, 0, N1, "r1")));
    }

    @Test
    void namedPoolIsTheOnlyOneTried() {
        assertThat(claim(ledger(), N1, "b", "r1")).isEqualTo(new ClaimDecision.Assign(B, block(B, 0, N1, "r1")));
        assertThat(claim(ledger(block(B, 0, N2, "x")), N1, "b", "r1")).isEqualTo(noneFree(B, Why.FULL));
        assertThat(claim(ledger(), N1, "c", "r1")).isEqualTo(new ClaimDecision.NoSuchPool());
        assertThat(claim(Ledger.of(List.of(), List.of(), List.of()), N1, "", "r1"))
                .isEqualTo(new ClaimDecision.NoneFree(List.of()));
    }

    @Test
    void familyChoosesAmongThePools() {
        Pool six = new Pool("a6", IpPrefix.parse("fd00::/121"), 122);
        Ledger dual = Ledger.of(List.of(six, A, B), List.of(block(A, 0, N2, "x")), List.of(N1, N2));
        assertThat(claim(dual, N1, "", IpFamily.V6, "r1"))
                .isEqualTo(new ClaimDecision.Assign(six, block(six, 0, N1, "r1")));
        assertThat(claim(dual, N1, "", IpFamily.V4, "r1"))
                .isEqualTo(new ClaimDecision.Assign(A, block(A, 1, N1, "r1")));
        assertThat(claim(dual, N1, "a6", IpFamily.V6, "r1"))
                .isEqualTo(new ClaimDecision.Assign(six, block(six, 0, N1, "r1")));
        assertThat(claim(dual, N1, "a6", IpFamily.V4, "r1")).isEqualTo(new ClaimDecision.OtherFamily(six));
        assertThat(claim(dual, N1, "a", IpFamily.V6, "r1")).isEqualTo(new ClaimDecision.OtherFamily(A));
        assertThat(claim(dual, N1, "c", IpFamily.V6, "r1")).isEqualTo(new ClaimDecision.NoSuchPool());
        assertThat(claim(ledger(), N1, "", IpFamily.V6, "r1"))
                .as("no pool of the family")
                .isEqualTo(new ClaimDecision.NoneFree(List.of()));
        assertThat(claim(dual, N2, "", IpFamily.V6, "x"))
                .as("another family is another wish")
                .isEqualTo(new ClaimDecision.RequestIdTaken(block(A, 0, N2, "x")));
    }

    @Test
    void fullFamilyLeavesTheOtherAlone() {
        Pool six = new Pool("six", IpPrefix.parse("fd00::/122"), 122);
        Ledger dual = Ledger.of(List.of(six, B), List.of(block(six, 0, N2, "x")), List.of(N1, N2));
        assertThat(claim(dual, N1, "", IpFamily.V6, "r1")).isEqualTo(noneFree(six, Why.FULL));
        assertThat(claim(dual, N1, "", IpFamily.V4, "r1"))
                .isEqualTo(new ClaimDecision.Assign(B, block(B, 0, N1, "r1")));
    }

    @Test
    void poolThatIsNotActiveGivesNothing() {
        for (PoolState state : List.of(PoolState.DRAINING, PoolState.RETIRED)) {
            Pool closed = A.with(List.of(new PoolEdit.State(state)));
            Ledger ledger = Ledger.of(List.of(closed, B), List.of(block(A, 0, N1, "r0")), List.of(N1, N2));
            assertThat(claim(ledger, N1, "a", "r1")).isEqualTo(noneFree(closed, Why.CLOSED));
            assertThat(claim(ledger, N1, "", "r1"))
                    .as("the next pool")
                    .isEqualTo(new ClaimDecision.Assign(B, block(B, 0, N1, "r1")));
            assertThat(claim(ledger, N1, "a", "r0"))
                    .as("what a request took before stays its own")
                    .isEqualTo(new ClaimDecision.AlreadyHeld(block(A, 0, N1, "r0")));
        }
    }

    @Test
    void blocksWithAReservedAddressAreGivenToNobody() {
        Pool pool = new Pool("a", IpPrefix.parse("10.1.0.0/24"), 26)
                .with(List.of(new PoolEdit.Reserved(
                        List.of(IpPrefix.parse("10.1.0.130/32"), IpPrefix.parse("10.1.0.0/28")))));
        Ledger ledger = Ledger.of(List.of(pool), List.of(), List.of());
        assertThat(claim(ledger, N1, "", "r1")).isEqualTo(new ClaimDecision.Assign(pool, block(pool, 1, N1, "r1")));
        Ledger next = Ledger.of(List.of(pool), List.of(block(pool, 1, N2, "x")), List.of());
        assertThat(claim(next, N1, "", "r1")).isEqualTo(new ClaimDecision.Assign(pool, block(pool, 3, N1, "r1")));
        Ledger full = Ledger.of(List.of(pool), List.of(block(pool, 1, N2, "x"), block(pool, 3, N2, "y")), List.of());
        assertThat(claim(full, N1, "", "r1")).isEqualTo(noneFree(pool, Why.FULL));
    }

    @Test
    void poolsAreForTheNodesOfTheirSelector() {
        Pool zoneA = A.with(List.of(new PoolEdit.Nodes(NodeSelector.of(Map.of("zone", "a", "gpu", "")))));
        Ledger ledger = Ledger.of(List.of(zoneA, B), List.of(), List.of());
        assertThat(BlockRules.claim(
                        ledger, new ClaimRequest(N1, Map.of("zone", "a", "gpu", ""), "", IpFamily.V4, "r1")))
                .isEqualTo(new ClaimDecision.Assign(zoneA, block(A, 0, N1, "r1")));
        assertThat(BlockRules.claim(ledger, new ClaimRequest(N1, Map.of("zone", "a"), "", IpFamily.V4, "r1")))
                .as("one label is missing")
                .isEqualTo(new ClaimDecision.Assign(B, block(B, 0, N1, "r1")));
        assertThat(claim(ledger, N1, "a", "r1")).isEqualTo(noneFree(zoneA, Why.NOT_FOR_NODE));
    }

    @Test
    void nodeNameIsALabelThatNobodyElseCanTell() {
        Pool forN2 = A.with(List.of(new PoolEdit.Nodes(NodeSelector.of(Map.of("podwire.io/node", "n2")))));
        Ledger ledger = Ledger.of(List.of(forN2), List.of(), List.of());
        assertThat(claim(ledger, N2, "", "r1")).isEqualTo(new ClaimDecision.Assign(forN2, block(A, 0, N2, "r1")));
        assertThat(BlockRules.claim(
                        ledger, new ClaimRequest(N1, Map.of("podwire.io/node", "n2"), "", IpFamily.V4, "r1")))
                .isEqualTo(noneFree(forN2, Why.NOT_FOR_NODE));
    }

    @Test
    void onlyPoolsForPodsGiveBlocks() {
        for (PoolPurpose purpose : List.of(PoolPurpose.STATIC, PoolPurpose.LOAD_BALANCER)) {
            Pool single = A.with(List.of(new PoolEdit.Purpose(purpose)));
            Ledger ledger = Ledger.of(List.of(single, B), List.of(), List.of());
            assertThat(claim(ledger, N1, "", "r1")).isEqualTo(new ClaimDecision.Assign(B, block(B, 0, N1, "r1")));
            assertThat(claim(ledger, N1, "a", "r1")).isEqualTo(noneFree(single, Why.NOT_FOR_PODS));
        }
    }

    @Test
    void poolOfNamespacesServesClaimsThatNameItAlone() {
        Pool ofTeam = A.with(List.of(new PoolEdit.Namespaces(NamespaceSelector.of(Map.of("team", "a")))));
        Ledger ledger = Ledger.of(List.of(ofTeam), List.of(), List.of());
        assertThat(claim(ledger, N1, "", "r1")).isEqualTo(noneFree(ofTeam, Why.FOR_NAMESPACES));
        assertThat(claim(ledger, N1, "a", "r1")).isEqualTo(new ClaimDecision.Assign(ofTeam, block(A, 0, N1, "r1")));
    }

    @Test
    void everyPoolThatWasPassedOverIsNamed() {
        Pool closed = A.with(List.of(new PoolEdit.State(PoolState.DRAINING)));
        Ledger ledger = Ledger.of(List.of(closed, B), List.of(block(B, 0, N2, "x")), List.of());
        assertThat(claim(ledger, N1, "", "r1"))
                .isEqualTo(new ClaimDecision.NoneFree(
                        List.of(new PassedOver(closed, Why.CLOSED), new PassedOver(B, Why.FULL))));
    }

    @Test
    void repeatedRequestGetsTheSameBlock() {
        Block held = block(A, 1, N1, "r1");
        assertThat(claim(ledger(held), N1, "", "r1")).isEqualTo(new ClaimDecision.AlreadyHeld(held));
        assertThat(claim(ledger(held), epoch("n1", "u1", 4), "a", "r1"))
                .as("also in the node's next life")
                .isEqualTo(new ClaimDecision.AlreadyHeld(held));
    }

    @Test
    void requestIdOfAnotherClaimIsRefused() {
        Block held = block(A, 1, N1, "r1");
        assertThat(claim(ledger(held), N2, "", "r1")).isEqualTo(new ClaimDecision.RequestIdTaken(held));
        assertThat(claim(ledger(held), epoch("n1", "reinstalled", 1), "", "r1"))
                .isEqualTo(new ClaimDecision.RequestIdTaken(held));
        assertThat(claim(ledger(held), N1, "b", "r1"))
                .as("another pool is another wish")
                .isEqualTo(new ClaimDecision.RequestIdTaken(held));
    }

    @Test
    void olderLifeGetsNothingNotEvenItsOwn() {
        Ledger ledger = ledger(block(A, 0, epoch("n1", "u1", 2), "r1"));
        assertThat(claim(ledger, epoch("n1", "u1", 2), "", "r1")).isEqualTo(new ClaimDecision.Stale(N1));
        assertThat(BlockRules.release(ledger, epoch("n1", "u1", 2), PoolBlocks.block(A, 0), BlockRules.ANY_CLAIM))
                .isEqualTo(new ReleaseDecision.Stale(N1));
    }

    @Test
    void ownerReleasesInTheSameOrANewerLife() {
        Block held = block(A, 0, N1, "r1");
        assertThat(BlockRules.release(ledger(held), N1, PoolBlocks.block(A, 0), BlockRules.ANY_CLAIM))
                .isEqualTo(new ReleaseDecision.Release(held));
        assertThat(BlockRules.release(ledger(held), epoch("n1", "u1", 9), PoolBlocks.block(A, 0), BlockRules.ANY_CLAIM))
                .isEqualTo(new ReleaseDecision.Release(held));
    }

    @Test
    void releaseOfWhatIsNotOwnedChangesNothing() {
        Block ofN2 = block(A, 0, N2, "r1");
        assertThat(BlockRules.release(ledger(ofN2), N1, PoolBlocks.block(A, 0), BlockRules.ANY_CLAIM))
                .as("it has the next owner already")
                .isEqualTo(new ReleaseDecision.NotOwned());
        assertThat(BlockRules.release(ledger(ofN2), N1, PoolBlocks.block(A, 1), BlockRules.ANY_CLAIM))
                .isEqualTo(new ReleaseDecision.NotOwned());
        assertThat(BlockRules.release(ledger(ofN2), N2, IpPrefix.parse("10.1.0.0/27"), BlockRules.ANY_CLAIM))
                .as("a part of a block is no block")
                .isEqualTo(new ReleaseDecision.NotOwned());
    }

    @Test
    void reinstalledNodeInheritsNothing() {
        Block ofOld = block(A, 0, N1, "r1");
        NodeEpoch reinstalled = epoch("n1", "u1-new", 1);
        assertThat(claim(ledger(ofOld), reinstalled, "", "r2"))
                .isEqualTo(new ClaimDecision.Assign(A, block(A, 1, reinstalled, "r2")));
        assertThat(BlockRules.release(ledger(ofOld), reinstalled, PoolBlocks.block(A, 0), BlockRules.ANY_CLAIM))
                .isEqualTo(new ReleaseDecision.OtherInstallation(ofOld));
    }

    @Test
    void aLateReleaseLeavesTheBlockThatWasClaimedAnew() {
        Block held = block(A, 0, N1, "r2");
        assertThat(BlockRules.release(ledger(held), N1, PoolBlocks.block(A, 0), "r1"))
                .isEqualTo(new ReleaseDecision.NotOwned());
        assertThat(BlockRules.release(ledger(held), N1, PoolBlocks.block(A, 0), "r2"))
                .isEqualTo(new ReleaseDecision.Release(held));
    }
}

package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.ReclaimRules.Found;
import io.podwire.ipam.core.ReclaimRules.Patience;
import io.podwire.ipam.core.ReclaimRules.Taken;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class ReclaimRulesTest {
    private static final Pool POOL = new Pool("a", IpPrefix.parse("10.1.0.0/24"), 26);
    private static final Patience PATIENCE = new Patience(Duration.ofSeconds(60), Duration.ofSeconds(600));
    private static final NodeEpoch N1 = epoch("n1", "u1", "b1", 3);
    private static final NodeEpoch N2 = epoch("n2", "u2", "b2", 1);
    private static final NodeEpoch N3 = epoch("n3", "u3", "b3", 1);
    private static final Instant NOW = Instant.ofEpochSecond(1);

    private final Map<NodeEpoch, Long> versions = new HashMap<>();
    private Ledger ledger = Ledger.of(
            List.of(POOL), List.of(block(0, N1, "r1"), block(1, N2, "r2"), block(2, N3, "r3")), List.of(N1, N2, N3));

    private Absences seen = Absences.NONE;
    private Set<NodeEpoch> connected = Set.of();

    private static NodeEpoch epoch(String node, String uid, String boot, long counter) {
        return new NodeEpoch(new NodeName(node), uid, boot, counter);
    }

    private static Block block(int index, NodeEpoch owner, String request) {
        return new Block(POOL.name(), PoolBlocks.block(POOL, index), owner, request);
    }

    private static Set<NodeName> names(String... names) {
        return Arrays.stream(names).map(NodeName::new).collect(Collectors.toSet());
    }

    private Found look(int second, String... listed) {
        Duration at = Duration.ofSeconds(second);
        Found found = ReclaimRules.look(
                seen,
                new NodeLook(at, at, names(listed), connected),
                ledger,
                epoch -> versions.getOrDefault(epoch, 1L),
                PATIENCE);
        seen = found.next();
        return found;
    }

    private List<String> due(int second, String... listed) {
        return look(second, listed).due().stream()
                .map(due -> due.gone().node() + " "
                        + due.gone().lives().stream()
                                .map(life -> life.newest().uid())
                                .sorted()
                                .toList())
                .toList();
    }

    private Taken take(GoneNode gone) {
        return ReclaimRules.takeBack(ledger, epoch -> versions.getOrDefault(epoch, 1L), gone, 50, NOW);
    }

    @Test
    void nodeIsGoneThatWasMissingForTheGrace() {
        assertThat(due(0, "n1", "n2", "n3")).isEmpty();
        assertThat(due(60, "n2", "n3")).as("one look").isEmpty();
        assertThat(due(120, "n2", "n3")).as("two looks, no grace").isEmpty();
        assertThat(due(659, "n2", "n3")).isEmpty();
        Found found = look(660, "n2", "n3");
        assertThat(found.due()).hasSize(1);
        assertThat(found.due().getFirst().lasting()).isEqualTo(Duration.ofMinutes(10));
        assertThat(take(found.due().getFirst().gone()))
                .isEqualTo(new Taken(List.of(N1), List.of(block(0, N1, "r1")), List.of()));
    }

    @Test
    void oneLookIsNotTwoWhateverTheGrace() {
        Found found = ReclaimRules.look(
                Absences.NONE,
                new NodeLook(Duration.ofDays(9), Duration.ofDays(9), names("n2", "n3"), Set.of()),
                ledger,
                _ -> 1,
                new Patience(Duration.ZERO, Duration.ZERO));
        assertThat(found.due()).isEmpty();
        assertThat(found.next().missing()).containsOnlyKeys("n1");
    }

    @Test
    void theGraceBeginsAtTheEndOfALookAndEndsBeforeOne() {
        Duration long1 = Duration.ofSeconds(30);
        Found first = ReclaimRules.look(
                seen, new NodeLook(Duration.ZERO, long1, names("n2", "n3"), Set.of()), ledger, _ -> 1, PATIENCE);
        NodeLook second = new NodeLook(Duration.ofSeconds(629), Duration.ofSeconds(640), names("n2", "n3"), Set.of());
        assertThat(ReclaimRules.look(first.next(), second, ledger, _ -> 1, PATIENCE)
                        .due())
                .isEmpty();
    }

    @Test
    void whoShowsUpOnceBeginsAnew() {
        due(0, "n2", "n3");
        due(500, "n1", "n2", "n3");
        assertThat(due(700, "n2", "n3")).isEmpty();
        assertThat(due(1200, "n2", "n3")).isEmpty();
        assertThat(due(1300, "n2", "n3")).containsExactly("n1 [u1]");
    }

    @Test
    void aFailedLookBreaksTheRow() {
        due(0, "n2", "n3");
        seen = seen.interrupted();
        assertThat(due(700, "n2", "n3")).isEmpty();
        assertThat(due(1300, "n2", "n3")).containsExactly("n1 [u1]");
    }

    @Test
    void whoWritesIsAlive() {
        due(0, "n2", "n3");
        versions.put(N1, 7L);
        assertThat(due(700, "n2", "n3")).as("the same life has claimed since").isEmpty();
        NodeEpoch later = epoch("n1", "u1", "b9", 4);
        ledger = ledger.with(later);
        assertThat(due(1400, "n2", "n3")).as("a newer life").isEmpty();
        assertThat(due(2000, "n2", "n3")).containsExactly("n1 [u1]");
    }

    @Test
    void whoIsConnectedIsAlive() {
        connected = Set.of(N1);
        due(0, "n2", "n3");
        assertThat(due(700, "n2", "n3")).isEmpty();
        connected = Set.of();
        assertThat(due(800, "n2", "n3")).isEmpty();
        assertThat(due(1400, "n2", "n3")).containsExactly("n1 [u1]");
    }

    @Test
    void anEmptyListIsNeverBelieved() {
        for (int second = 0; second < 2000; second += 100) {
            Found found = look(second);
            assertThat(found.doubt()).contains("it is empty");
            assertThat(found.due()).isEmpty();
        }
        assertThat(due(2100, "n2", "n3")).as("the row begins now").isEmpty();
    }

    @Test
    void aListOfOtherNamesIsNeverBelieved() {
        for (int second = 0; second < 2000; second += 100) {
            Found found = look(second, "n1.example", "n2.example", "n3.example");
            assertThat(found.doubt().orElseThrow()).contains("none of the 3 nodes that own blocks is in it");
            assertThat(found.due()).isEmpty();
        }
    }

    @Test
    void aListThatLostMoreThanHalfIsBelievedWhenTheNextAgrees() {
        assertThat(look(0, "n1", "n2", "n3").doubt()).isEmpty();
        assertThat(look(60, "n1").doubt().orElseThrow()).startsWith("it lacks 2 of 3 nodes at once, n2 for example");
        assertThat(due(120, "n1")).as("counts from here").isEmpty();
        assertThat(due(700, "n1")).isEmpty();
        assertThat(due(720, "n1")).containsExactly("n2 [u2]", "n3 [u3]");
    }

    @Test
    void aDoubtfulListEndsWhatOthersHadCounted() {
        due(0, "n2", "n3", "n4", "n5");
        look(660, "n2");
        assertThat(seen.missing()).isEmpty();
    }

    @Test
    void afterARestartTheListIsComparedWithTheOwners() {
        assertThat(look(0, "n1").doubt()).isPresent();
        assertThat(look(60, "n1").doubt()).isEmpty();
    }

    @Test
    void installationIsGoneThatAnotherOneReplacedInAnotherBoot() {
        NodeEpoch reinstalled = epoch("n1", "u9", "b9", 1);
        ledger = ledger.with(reinstalled).with(block(3, reinstalled, "r9"));
        versions.put(reinstalled, 2L);
        due(0, "n1", "n2", "n3");
        assertThat(due(700, "n1", "n2", "n3")).as("nobody knows who is alive").isEmpty();
        connected = Set.of(reinstalled);
        due(800, "n1", "n2", "n3");
        Found found = look(1400, "n1", "n2", "n3");
        assertThat(found.due()).hasSize(1);
        assertThat(take(found.due().getFirst().gone()).blocks()).containsExactly(block(0, N1, "r1"));
    }

    /** A connection may outlive its node, and two machines may have one name. */
    @Test
    void installationIsNotGoneForOneThatWroteNothingSince() {
        NodeEpoch other = epoch("n1", "u0", "b0", 7);
        versions.put(N1, 5L);
        connected = Set.of(other);
        due(0, "n1", "n2", "n3");
        assertThat(due(700, "n1", "n2", "n3")).as("nothing is known of it").isEmpty();
        ledger = ledger.with(other);
        versions.put(other, 4L);
        assertThat(due(1400, "n1", "n2", "n3")).as("it wrote before").isEmpty();
        versions.put(other, 6L);
        due(2100, "n1", "n2", "n3");
        assertThat(due(2800, "n1", "n2", "n3")).as("it wrote after").containsExactly("n1 [u1]");
    }

    @Test
    void installationOfTheSameBootMayHavePodsYet() {
        NodeEpoch wiped = epoch("n1", "u9", N1.bootId(), 1);
        ledger = ledger.with(wiped);
        versions.put(wiped, 2L);
        connected = Set.of(wiped);
        due(0, "n1", "n2", "n3");
        assertThat(due(700, "n1", "n2", "n3")).isEmpty();
    }

    @Test
    void whoHasComeBackMeanwhileKeepsItsBlocks() {
        due(0, "n2", "n3");
        GoneNode gone = look(700, "n2", "n3").due().getFirst().gone();
        Ledger before = ledger;
        ledger = before.with(epoch("n1", "u1", "b9", 4));
        assertThat(take(gone).isNothing()).as("a newer life").isTrue();
        ledger = before;
        versions.put(N1, 2L);
        assertThat(take(gone).isNothing()).as("the same life wrote").isTrue();
        ledger = before.with(N1.reclaimed());
        assertThat(take(gone).blocks()).as("another replica has begun with it").hasSize(1);
    }

    @Test
    void addressesOfItsPodsGoWithIt() {
        AddressOwner pod = new AddressOwner("c1/eth0", "n1", "default", "web");
        AddressOwner vm = new AddressOwner("vm-1", "n1", "", "");
        AddressOwner foreign = new AddressOwner("c2/eth0", "elsewhere", "default", "web");
        Workload workload = new Workload("db", "pg", 0);
        SingleAddress used = single("10.2.0.1", new AddressUse.InUse(pod, Optional.empty()));
        SingleAddress reserved = single("10.2.0.2", new AddressUse.InUse(pod, Optional.of(workload)));
        ledger = ledger.with(used)
                .with(reserved)
                .with(single("10.2.0.3", new AddressUse.InUse(vm, Optional.empty())))
                .with(single("10.2.0.4", new AddressUse.InUse(foreign, Optional.empty())));
        due(0, "n2", "n3");
        GoneNode gone = look(700, "n2", "n3").due().getFirst().gone();
        assertThat(take(gone).addresses())
                .as("a VM may have moved, and 'elsewhere' is no node of ours")
                .containsExactly(
                        new SingleAddress("fixed", used.address(), new AddressUse.Cooling(), NOW),
                        new SingleAddress("fixed", reserved.address(), new AddressUse.Reserved(workload), NOW));

        ledger = ledger.with(single("10.2.0.5", new AddressUse.InUse(pod, Optional.empty())));
        assertThat(due(800, "n2", "n3")).as("a new pod is a sign of life").isEmpty();
    }

    @Test
    void replacedInstallationThatOwnsNothingIsNotMissed() {
        NodeEpoch reinstalled = epoch("n1", "u9", "b9", 1);
        AddressOwner pod = new AddressOwner("c1/eth0", "n1", "default", "web");
        ledger = ledger.with(reinstalled)
                .withoutBlock(POOL.name(), PoolBlocks.block(POOL, 0))
                .with(single("10.2.0.1", new AddressUse.InUse(pod, Optional.empty())));
        versions.put(reinstalled, 2L);
        connected = Set.of(reinstalled);
        assertThat(look(0, "n1", "n2", "n3").next().missing()).isEmpty();
        GoneNode old = new GoneNode(N1.node(), Set.of(new GoneNode.Life(N1, 1)), Set.of());
        assertThat(take(old)).isEqualTo(Taken.NOTHING);
    }

    private static SingleAddress single(String address, AddressUse use) {
        return new SingleAddress("fixed", IpAddress.parse(address), use, Instant.EPOCH);
    }

    @Test
    void aReclaimedLifeIsOverAndTheNextBeginsWithNothing() {
        NodeEpoch fence = N1.reclaimed();
        assertThat(N1.relationTo(fence)).isEqualTo(NodeEpoch.Relation.OLDER);
        assertThat(fence.relationTo(fence)).as("nobody may call itself so").isEqualTo(NodeEpoch.Relation.OLDER);
        assertThat(epoch("n1", "u1", "b1", 4).relationTo(fence)).isEqualTo(NodeEpoch.Relation.NEWER);
        assertThat(epoch("n1", "u9", "b1", 1).relationTo(fence)).isEqualTo(NodeEpoch.Relation.OTHER_OWNER);
        assertThat(fence.isReclaimed()).isTrue();

        Ledger after = ledger.with(fence).withoutBlock("a", PoolBlocks.block(POOL, 0));
        assertThat(BlockRules.release(after, N1, PoolBlocks.block(POOL, 0), BlockRules.ANY_CLAIM))
                .isEqualTo(new ReleaseDecision.Stale(fence));
        assertThat(BlockRules.release(after, N1, PoolBlocks.block(POOL, 1), BlockRules.ANY_CLAIM))
                .as("what is another's by now")
                .isEqualTo(new ReleaseDecision.Stale(fence));
    }

    @Test
    void theBlocksOfTheServiceHaveNoNode() {
        ledger = ledger.with(block(3, AddressRules.SERVICE, "s"));
        assertThat(ReclaimRules.owners(ledger, _ -> 1)).containsOnlyKeys(names("n1", "n2", "n3"));
    }
}

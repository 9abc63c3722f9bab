package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class AddressRulesTest {
    private static final Instant NOW = Instant.ofEpochSecond(1_700_000_000);
    private static final Pool PODS = new Pool("pods", IpPrefix.parse("10.1.0.0/24"), 26);
    private static final Pool FIXED = new Pool("fixed", IpPrefix.parse("10.2.0.0/30"), 31)
            .with(List.of(new PoolEdit.Purpose(PoolPurpose.STATIC)));
    private static final Pool SIX = new Pool("six", IpPrefix.parse("fd00::/64"), 122);
    private static final NodeEpoch N1 = new NodeEpoch(new NodeName("n1"), "u", "b", 1);
    private static final Ledger POOLS = Ledger.of(List.of(PODS, FIXED, SIX), List.of(), List.of());
    private static final AddressOwner VM = new AddressOwner("vm-1", "n1", "", "");
    private static final AddressOwner OTHER = new AddressOwner("vm-2", "", "default", "web");
    private static final Workload PG0 = new Workload("db", "pg", 0);

    private static AddressWish any(IpFamily family, String pool) {
        return new AddressWish.Any(family, pool);
    }

    private static AddressWish one(String address) {
        return new AddressWish.This(IpAddress.parse(address), "");
    }

    private static AddressDecision allocate(Ledger ledger, AddressOwner owner, AddressWish... wishes) {
        return AddressRules.allocate(ledger, owner, List.of(wishes), Optional.empty(), NOW);
    }

    private static AddressDecision allocate(Ledger ledger, AddressOwner owner, Workload workload) {
        return AddressRules.allocate(ledger, owner, List.of(any(IpFamily.V4, "")), Optional.of(workload), NOW);
    }

    private static Ledger after(Ledger ledger, AddressDecision decision) {
        assertThat(decision).isInstanceOf(AddressDecision.Assign.class);
        AddressDecision.Assign assign = (AddressDecision.Assign) decision;
        Ledger next = ledger;
        for (Block block : assign.blocks()) {
            next = next.with(block);
        }
        return after(next, assign.addresses());
    }

    private static Ledger after(Ledger ledger, List<SingleAddress> addresses) {
        Ledger next = ledger;
        for (SingleAddress address : addresses) {
            next = next.with(address);
        }
        return next;
    }

    private static List<String> given(AddressDecision decision) {
        return switch (decision) {
            case AddressDecision.Assign(List<SingleAddress> addresses, List<Block> _) -> texts(addresses);
            case AddressDecision.AlreadyHeld(List<SingleAddress> addresses) -> texts(addresses);
            default -> List.of(decision.toString());
        };
    }

    private static List<String> texts(List<SingleAddress> addresses) {
        return addresses.stream().map(a -> a.address().toString()).toList();
    }

    @Test
    void allFamiliesAreGivenOrNone() {
        AddressDecision both = allocate(POOLS, VM, any(IpFamily.V6, ""), any(IpFamily.V4, ""));
        assertThat(given(both)).as("in the order of the wishes").containsExactly("fd00::", "10.2.0.0");
        assertThat(((AddressDecision.Assign) both).blocks())
                .as("blocks become the service's")
                .allMatch(AddressRules::isOwn)
                .hasSize(2);
        Ledger noSix = Ledger.of(List.of(PODS), List.of(), List.of());
        assertThat(allocate(noSix, VM, any(IpFamily.V4, ""), any(IpFamily.V6, "")))
                .isEqualTo(new AddressDecision.NoneFree(any(IpFamily.V6, ""), List.of()));
    }

    @Test
    void severalWishesGetSeveralAddresses() {
        AddressWish four = any(IpFamily.V4, "fixed");
        assertThat(given(allocate(POOLS, VM, four, four, four)))
                .as("over the end of a block")
                .containsExactly("10.2.0.0", "10.2.0.1", "10.2.0.2");
        assertThat(allocate(POOLS, VM, four, four, four, four, four))
                .isEqualTo(new AddressDecision.NoneFree(four, List.of(FIXED)));
    }

    @Test
    void noWishTakesWhatAnotherOneAloneCanHave() {
        AddressWish four = any(IpFamily.V4, "");
        AddressWish fixed = any(IpFamily.V4, "fixed");
        AddressDecision two = allocate(POOLS, VM, four, one("10.2.0.0"));
        assertThat(given(two)).as("an address of any and one by name").containsExactly("10.2.0.1", "10.2.0.0");
        assertThat(given(allocate(after(POOLS, two), VM, four, one("10.2.0.0"))))
                .as("again")
                .containsExactly("10.2.0.1", "10.2.0.0");
        AddressDecision six = allocate(POOLS, VM, four, fixed, four, fixed, fixed, fixed);
        assertThat(given(six))
                .as("those of any pool are of the other one")
                .containsExactly("10.1.0.0", "10.2.0.0", "10.1.0.1", "10.2.0.1", "10.2.0.2", "10.2.0.3");
        assertThat(given(allocate(after(POOLS, six), VM, four, fixed, four, fixed, fixed, fixed)))
                .as("again")
                .containsExactlyElementsOf(given(six));
    }

    @Test
    void theSameOwnerGetsTheSameAgainAndNothingElse() {
        Ledger held = after(POOLS, allocate(POOLS, VM, any(IpFamily.V4, ""), any(IpFamily.V6, "")));
        assertThat(allocate(held, VM, any(IpFamily.V6, "six"), one("10.2.0.0")))
                .isInstanceOf(AddressDecision.AlreadyHeld.class)
                .satisfies(decision -> assertThat(given(decision)).containsExactly("fd00::", "10.2.0.0"));
        assertThat(allocate(held, VM, any(IpFamily.V4, ""))).as("less").isInstanceOf(AddressDecision.HasOthers.class);
        assertThat(allocate(held, VM, any(IpFamily.V4, ""), any(IpFamily.V4, "")))
                .as("other families")
                .isInstanceOf(AddressDecision.HasOthers.class);
        assertThat(allocate(held, VM, one("10.2.0.1"), any(IpFamily.V6, "")))
                .as("another one")
                .isInstanceOf(AddressDecision.HasOthers.class);
    }

    @Test
    void theHolderOfAWantedAddressIsNamed() {
        Ledger held = after(POOLS, allocate(POOLS, VM, one("10.1.0.77")));
        assertThat(held.block(IpPrefix.parse("10.1.0.64/26")))
                .hasValueSatisfying(b -> assertThat(AddressRules.isOwn(b)).isTrue());
        assertThat(allocate(held, OTHER, one("10.1.0.77")))
                .isInstanceOfSatisfying(
                        AddressDecision.Held.class,
                        by -> assertThat(by.by().use().user()).hasValue(VM));
        assertThat(given(allocate(held, OTHER, one("10.1.0.78")))).containsExactly("10.1.0.78");
    }

    @Test
    void aNodesBlockIsLeftToItsNode() {
        Block ofNode = new Block("pods", IpPrefix.parse("10.1.0.0/26"), N1, "r1");
        Ledger ledger = POOLS.with(ofNode);
        assertThat(allocate(ledger, VM, one("10.1.0.5")))
                .isEqualTo(new AddressDecision.OfNode(IpAddress.parse("10.1.0.5"), ofNode));
        assertThat(given(allocate(ledger, VM, any(IpFamily.V4, "pods")))).containsExactly("10.1.0.64");
        Ledger taken = after(ledger, allocate(ledger, VM, any(IpFamily.V4, "pods")));
        assertThat(BlockRules.claim(taken, new ClaimRequest(N1, Map.of(), "pods", IpFamily.V4, "r2")))
                .as("and the service's to the service")
                .isInstanceOfSatisfying(
                        ClaimDecision.Assign.class,
                        assign -> assertThat(assign.block().cidr()).isEqualTo(IpPrefix.parse("10.1.0.128/26")));
    }

    @Test
    void whatIsForSomeAloneHasToBeNamed() {
        Pool balancers = FIXED.with(List.of(new PoolEdit.Purpose(PoolPurpose.LOAD_BALANCER)));
        Pool zone = PODS.with(List.of(new PoolEdit.Nodes(NodeSelector.of(Map.of("zone", "a")))));
        Ledger ledger = Ledger.of(List.of(balancers, zone), List.of(), List.of());
        assertThat(allocate(ledger, VM, any(IpFamily.V4, ""))).isInstanceOf(AddressDecision.NoneFree.class);
        assertThat(given(allocate(ledger, VM, any(IpFamily.V4, "fixed")))).containsExactly("10.2.0.0");
        assertThat(given(allocate(ledger, VM, any(IpFamily.V4, "pods")))).containsExactly("10.1.0.0");
        assertThat(allocate(ledger, VM, any(IpFamily.V4, "none"))).isEqualTo(new AddressDecision.NoSuchPool("none"));
        assertThat(allocate(ledger, VM, any(IpFamily.V6, "pods"))).isInstanceOf(AddressDecision.NoneFree.class);
    }

    @Test
    void closedPoolsReservedRangesAndTheOutsideGiveNothing() {
        Pool draining = PODS.with(List.of(new PoolEdit.State(PoolState.DRAINING)));
        Pool partly = FIXED.with(List.of(new PoolEdit.Reserved(List.of(IpPrefix.parse("10.2.0.0/31")))));
        Ledger ledger = Ledger.of(List.of(draining, partly), List.of(), List.of());
        assertThat(allocate(ledger, VM, one("10.1.0.5"))).isEqualTo(new AddressDecision.Closed(draining));
        assertThat(allocate(ledger, VM, any(IpFamily.V4, "pods"))).isEqualTo(new AddressDecision.Closed(draining));
        assertThat(allocate(ledger, VM, one("10.2.0.1")))
                .isEqualTo(new AddressDecision.InReservedRange(IpAddress.parse("10.2.0.1"), partly));
        assertThat(given(allocate(ledger, VM, any(IpFamily.V4, ""))))
                .as("the block that is reserved as a whole is passed over")
                .containsExactly("10.2.0.2");
        assertThat(allocate(ledger, VM, one("192.0.2.1")))
                .isEqualTo(new AddressDecision.Outside(IpAddress.parse("192.0.2.1"), ""));
        assertThat(allocate(ledger, VM, new AddressWish.This(IpAddress.parse("10.2.0.2"), "pods")))
                .isEqualTo(new AddressDecision.Outside(IpAddress.parse("10.2.0.2"), "pods"));
    }

    @Test
    void aReleasedAddressIsNobodysUntilItIsForgotten() {
        Ledger held = after(POOLS, allocate(POOLS, VM, any(IpFamily.V4, ""), any(IpFamily.V6, "")));
        assertThat(AddressRules.release(held, "vm-2", List.of(), NOW))
                .as("of another owner")
                .isEmpty();
        List<SingleAddress> released = AddressRules.release(held, "vm-1", List.of(IpAddress.parse("10.2.0.0")), NOW);
        assertThat(texts(released)).containsExactly("10.2.0.0");
        Ledger cooling = after(held, released);
        assertThat(AddressRules.release(cooling, "vm-1", List.of(IpAddress.parse("10.2.0.0")), NOW))
                .isEmpty();
        assertThat(allocate(cooling, OTHER, one("10.2.0.0"))).isInstanceOf(AddressDecision.Cooling.class);
        assertThat(given(allocate(cooling, OTHER, any(IpFamily.V4, "")))).containsExactly("10.2.0.1");

        AddressRules.Forgotten forgotten = AddressRules.forgotten(cooling, released);
        assertThat(forgotten.addresses()).isEqualTo(released);
        assertThat(forgotten.blocks())
                .extracting(Block::cidr)
                .as("the block with nothing left, not that of the other family")
                .containsExactly(IpPrefix.parse("10.2.0.0/31"));
        Ledger other = after(cooling, allocate(cooling, OTHER, any(IpFamily.V4, "")));
        assertThat(AddressRules.forgotten(other, released).blocks())
                .as("a block in use")
                .isEmpty();
        assertThat(AddressRules.forgotten(held, released).addresses())
                .as("in use again")
                .isEmpty();
    }

    @Test
    void aWorkloadKeepsItsAddressWhoeverRunsIt() {
        List<Workload> three =
                IntStream.range(0, 3).mapToObj(i -> new Workload("db", "pg", i)).toList();
        List<AddressWish.Any> four = List.of(new AddressWish.Any(IpFamily.V4, ""));
        assertThat(allocate(POOLS, VM, PG0)).isEqualTo(new AddressDecision.NothingReserved(any(IpFamily.V4, ""), PG0));
        Ledger reserved = after(POOLS, AddressRules.reserve(POOLS, three, four, NOW));
        assertThat(given(AddressRules.reserve(reserved, three, four, NOW)))
                .as("again")
                .containsExactly("10.2.0.0", "10.2.0.1", "10.2.0.2");
        assertThat(allocate(reserved, VM, one("10.2.0.0"))).isInstanceOf(AddressDecision.ReservedFor.class);
        assertThat(given(allocate(reserved, VM, any(IpFamily.V4, "")))).containsExactly("10.2.0.3");

        Ledger first = after(reserved, allocate(reserved, VM, PG0));
        assertThat(first.addressesOf("vm-1")).singleElement().satisfies(a -> {
            assertThat(a.address()).isEqualTo(IpAddress.parse("10.2.0.0"));
            assertThat(a.use().reserved()).hasValue(PG0);
        });
        assertThat(allocate(first, VM, PG0)).as("again").isInstanceOf(AddressDecision.AlreadyHeld.class);
        assertThat(allocate(first, OTHER, PG0))
                .as("before its last pod is gone")
                .isInstanceOf(AddressDecision.Held.class);
        Ledger gone = after(first, AddressRules.release(first, "vm-1", List.of(), NOW));
        assertThat(given(allocate(gone, OTHER, PG0)))
                .as("at once: it is the same workload")
                .containsExactly("10.2.0.0");

        Ledger ended = after(first, AddressRules.unreserve(first, three, NOW));
        assertThat(ended.addressesFor(PG0)).isEmpty();
        assertThat(texts(ended.addressesOf("vm-1"))).as("in use stays in use").containsExactly("10.2.0.0");
        assertThat(ended.address(IpAddress.parse("10.2.0.1")).orElseThrow().use())
                .isEqualTo(new AddressUse.Cooling());
    }

    @Test
    void aPoolWithSingleAddressesIsInUse() {
        Ledger held = after(POOLS, allocate(POOLS, VM, any(IpFamily.V4, "")));
        assertThat(PoolRules.update(
                        held, PoolSource.Kind.GRPC, "fixed", List.of(new PoolEdit.State(PoolState.RETIRED))))
                .isInstanceOf(UpdateDecision.NotEmpty.class);
    }
}

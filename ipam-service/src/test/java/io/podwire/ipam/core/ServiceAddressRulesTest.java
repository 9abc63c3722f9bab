package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.core.BalancedService.Ingress;
import io.podwire.ipam.core.ServiceAddressRules.Next;
import java.time.Instant;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ServiceAddressRulesTest {
    private static final Instant NOW = Instant.ofEpochSecond(1_700_000_000);
    private static final Set<IpFamily> EVERY = EnumSet.allOf(IpFamily.class);
    private static final Map<String, String> NO_LABELS = Map.of();
    private static final Map<String, String> RED = Map.of("team", "red");
    private static final Pool PODS = new Pool("pods", IpPrefix.parse("10.1.0.0/24"), 26);
    private static final Pool LB = balancing("lb", "10.2.0.0/31");
    private static final Pool LB2 = balancing("lb2", "10.3.0.0/30");
    private static final Pool LB6 = balancing("lb6", "fd00::/120");
    private static final Pool OF_RED =
            balancing("red", "10.4.0.0/30").with(List.of(new PoolEdit.Namespaces(NamespaceSelector.of(RED))));

    private Ledger ledger = Ledger.of(List.of(PODS, LB, LB2, LB6), List.of(), List.of());
    private BalancedService web = service("web", IpFamily.V4);

    private static Pool balancing(String name, String cidr) {
        return new Pool(name, IpPrefix.parse(cidr), IpPrefix.parse(cidr).length())
                .with(List.of(new PoolEdit.Purpose(PoolPurpose.LOAD_BALANCER)));
    }

    private static BalancedService service(String name, IpFamily... families) {
        return new BalancedService(
                "shop", name, "u-" + name, true, List.of(families), List.of(), List.of(), "", List.of());
    }

    private static BalancedService wishing(BalancedService of, List<String> addresses, List<String> pools) {
        return new BalancedService(
                of.namespace(),
                of.name(),
                of.uid(),
                of.served(),
                of.families(),
                addresses.stream().map(IpAddress::parse).toList(),
                pools,
                "",
                of.ingress());
    }

    private static BalancedService served(BalancedService of, boolean served, IpFamily... families) {
        return new BalancedService(
                of.namespace(),
                of.name(),
                of.uid(),
                served,
                List.of(families),
                of.addresses(),
                of.pools(),
                "",
                of.ingress());
    }

    private static BalancedService showing(BalancedService of, List<Ingress> ingress) {
        return new BalancedService(
                of.namespace(),
                of.name(),
                of.uid(),
                of.served(),
                of.families(),
                of.addresses(),
                of.pools(),
                of.invalid(),
                ingress);
    }

    private static Ingress plain(String address) {
        return new Ingress(Optional.of(IpAddress.parse(address)), true);
    }

    private static List<IpAddress> addresses(String... texts) {
        return List.of(texts).stream().map(IpAddress::parse).toList();
    }

    private Next next(BalancedService service, Map<String, String> labels) {
        return ServiceAddressRules.next(ledger, service, Optional.of(labels), EVERY, NOW);
    }

    /** Does what there is to do until nothing is left. */
    private BalancedService settle(BalancedService from, Map<String, String> labels) {
        BalancedService now = from;
        for (int i = 0; i < 20; i++) {
            switch (next(now, labels).step()) {
                case ServiceStep.Take(IpFamily family) -> take(now, family, labels);
                case ServiceStep.Show(List<IpAddress> shown) ->
                    now = showing(
                            now,
                            shown.stream()
                                    .map(address -> new Ingress(Optional.of(address), true))
                                    .toList());
                case ServiceStep.Hide(Set<IpAddress> hidden) ->
                    now = showing(
                            now,
                            now.ingress().stream()
                                    .filter(entry -> entry.address().isEmpty()
                                            || !hidden.contains(entry.address().get()))
                                    .toList());
                case ServiceStep.Release(ServiceOwner owner, IpAddress address) -> {
                    for (SingleAddress free : AddressRules.release(ledger, owner.id(), List.of(address), NOW)) {
                        ledger = ledger.with(free);
                    }
                }
                case ServiceStep.Settled() -> {
                    return now;
                }
            }
        }
        throw new AssertionError("no end of steps for " + now + " on " + ledger);
    }

    private void take(BalancedService service, IpFamily family, Map<String, String> labels) {
        AddressDecision decision = ServiceAddressRules.take(ledger, service, family, labels, NOW);
        assertThat(decision).isInstanceOf(AddressDecision.Assign.class);
        AddressDecision.Assign assign = (AddressDecision.Assign) decision;
        for (Block block : assign.blocks()) {
            ledger = ledger.with(block);
        }
        for (SingleAddress address : assign.addresses()) {
            ledger = ledger.with(address);
        }
    }

    private AddressDecision refused(BalancedService service, Map<String, String> labels) {
        return next(service, labels).refused().get(IpFamily.V4);
    }

    private void pool(Pool pool, PoolEdit... edits) {
        ledger = ledger.with(pool.with(List.of(edits)));
    }

    private Optional<AddressUse> use(String address) {
        return ledger.address(IpAddress.parse(address)).map(SingleAddress::use);
    }

    @Test
    void aServiceGetsAnAddressOfEachOfItsFamiliesInTheirOrder() {
        BalancedService dual = settle(service("dual", IpFamily.V6, IpFamily.V4), NO_LABELS);
        assertThat(dual.ingress()).containsExactly(plain("fd00::"), plain("10.2.0.0"));
        assertThat(use("10.2.0.0"))
                .contains(new AddressUse.InUse(
                        new AddressOwner("service/shop/dual/u-dual/ipv4", "", "shop", ""), Optional.empty()));
        assertThat(settle(web, NO_LABELS).ingress()).containsExactly(plain("10.2.0.1"));
    }

    @Test
    void aServiceMadeAnewUnderItsNameIsAnotherOwner() {
        settle(web, NO_LABELS);
        BalancedService anew = new BalancedService(
                "shop", "web", "u-new", true, List.of(IpFamily.V4), List.of(), List.of(), "", List.of());
        assertThat(settle(anew, NO_LABELS).ingress()).containsExactly(plain("10.2.0.1"));
        assertThat(ServiceAddressRules.owners(ledger).keySet())
                .containsExactlyInAnyOrder(web.owner(IpFamily.V4), anew.owner(IpFamily.V4));
    }

    @Test
    void poolsThatSelectTheNamespaceAloneGiveToIt() {
        pool(OF_RED);
        assertThat(settle(web, RED).ingress()).containsExactly(plain("10.4.0.0"));
        assertThat(settle(service("other", IpFamily.V4), NO_LABELS).ingress()).containsExactly(plain("10.2.0.0"));
        pool(OF_RED, new PoolEdit.State(PoolState.DRAINING));
        assertThat(refused(service("late", IpFamily.V4), RED))
                .as("firewalls may know the namespace by its addresses")
                .isInstanceOf(AddressDecision.Closed.class);
        pool(OF_RED, new PoolEdit.State(PoolState.RETIRED));
        assertThat(settle(service("later", IpFamily.V4), RED).ingress()).containsExactly(plain("10.2.0.1"));
        assertThat(settle(showing(web, List.of(plain("10.4.0.0"))), NO_LABELS).ingress())
                .as("what it has it keeps")
                .containsExactly(plain("10.4.0.0"));
    }

    @Test
    void wishesAreFulfilledOrRefusedWithTheReason() {
        assertThat(settle(wishing(web, List.of("10.3.0.2"), List.of()), NO_LABELS)
                        .ingress())
                .containsExactly(plain("10.3.0.2"));
        BalancedService other = service("other", IpFamily.V4);
        assertThat(refused(wishing(other, List.of("10.3.0.2"), List.of()), NO_LABELS))
                .isInstanceOf(AddressDecision.Held.class);
        assertThat(refused(wishing(other, List.of("10.1.0.2"), List.of()), NO_LABELS))
                .as("of a pool for pods")
                .isEqualTo(new AddressDecision.NotForServices(PODS));
        assertThat(refused(wishing(other, List.of("192.0.2.1"), List.of()), NO_LABELS))
                .isInstanceOf(AddressDecision.Outside.class);
        pool(LB2, new PoolEdit.Reserved(List.of(IpPrefix.parse("10.3.0.0/31"))));
        assertThat(refused(wishing(other, List.of("10.3.0.1"), List.of()), NO_LABELS))
                .isInstanceOf(AddressDecision.InReservedRange.class);
        pool(OF_RED);
        assertThat(refused(wishing(other, List.of("10.4.0.1"), List.of()), NO_LABELS))
                .isEqualTo(new AddressDecision.NotForNamespace(OF_RED));
        assertThat(refused(wishing(other, List.of(), List.of("red")), NO_LABELS))
                .isEqualTo(new AddressDecision.NotForNamespace(OF_RED));
        assertThat(refused(wishing(other, List.of(), List.of("pods")), NO_LABELS))
                .isEqualTo(new AddressDecision.NotForServices(PODS));
        assertThat(refused(wishing(other, List.of(), List.of("none", "lb2")), NO_LABELS))
                .isEqualTo(new AddressDecision.NoSuchPool("none"));
        assertThat(settle(wishing(other, List.of(), List.of("lb6", "lb2")), NO_LABELS)
                        .ingress())
                .as("of the pool of its family")
                .containsExactly(plain("10.3.0.3"));
    }

    @Test
    void anotherWishMovesAServiceAndARefusedOneLeavesItWhereItIs() {
        BalancedService has = settle(web, NO_LABELS);
        BalancedService moved = settle(wishing(has, List.of(), List.of("lb2")), NO_LABELS);
        assertThat(moved.ingress()).containsExactly(plain("10.3.0.0"));
        assertThat(use("10.2.0.0")).contains(new AddressUse.Cooling());
        BalancedService back = settle(wishing(moved, List.of("10.2.0.0"), List.of()), NO_LABELS);
        assertThat(back.ingress()).as("that one cools down").isEqualTo(moved.ingress());
        assertThat(refused(back, NO_LABELS)).isInstanceOf(AddressDecision.Cooling.class);
        assertThat(settle(wishing(moved, List.of(), List.of("gone")), NO_LABELS).ingress())
                .isEqualTo(moved.ingress());
    }

    @Test
    void anAddressIsShownNoMoreBeforeItIsGivenBack() {
        BalancedService has = settle(web, NO_LABELS);
        assertThat(next(wishing(has, List.of("10.3.0.1"), List.of()), NO_LABELS).step())
                .isEqualTo(new ServiceStep.Take(IpFamily.V4));
        take(wishing(has, List.of("10.3.0.1"), List.of()), IpFamily.V4, NO_LABELS);
        BalancedService both = wishing(has, List.of("10.3.0.1"), List.of());
        assertThat(next(both, NO_LABELS).step()).isEqualTo(new ServiceStep.Show(addresses("10.3.0.1")));
        BalancedService shown = showing(both, List.of(plain("10.3.0.1")));
        assertThat(next(shown, NO_LABELS).step())
                .isEqualTo(new ServiceStep.Release(web.owner(IpFamily.V4), IpAddress.parse("10.2.0.0")));
    }

    @Test
    void aServiceThatIsNotOursAnyMoreIsLeftWithWhatOthersWrote() {
        Ingress foreign = plain("192.0.2.1");
        BalancedService has = settle(web, NO_LABELS);
        BalancedService gone = served(showing(has, List.of(plain("10.2.0.0"), foreign)), false);
        assertThat(next(gone, NO_LABELS).step()).isEqualTo(new ServiceStep.Hide(Set.copyOf(addresses("10.2.0.0"))));
        assertThat(settle(gone, NO_LABELS).ingress()).containsExactly(foreign);
        assertThat(use("10.2.0.0")).contains(new AddressUse.Cooling());
        assertThat(next(served(service("never", IpFamily.V4), false), NO_LABELS).step())
                .isEqualTo(new ServiceStep.Settled());
    }

    @Test
    void aFamilyThatIsGoneGivesItsAddressBack() {
        BalancedService dual = settle(service("dual", IpFamily.V4, IpFamily.V6), NO_LABELS);
        assertThat(settle(served(dual, true, IpFamily.V4), NO_LABELS).ingress()).containsExactly(plain("10.2.0.0"));
        assertThat(use("fd00::")).contains(new AddressUse.Cooling());
    }

    @Test
    void whatAnotherControllerWroteStaysUntilThereIsSomethingInItsPlace() {
        BalancedService taken = showing(
                wishing(web, List.of(), List.of("none")),
                List.of(plain("192.0.2.1"), new Ingress(Optional.empty(), false)));
        assertThat(next(taken, NO_LABELS).step()).isEqualTo(new ServiceStep.Settled());
        assertThat(settle(wishing(taken, List.of(), List.of()), NO_LABELS).ingress())
                .containsExactly(plain("10.2.0.0"));
    }

    @Test
    void anAddressOfOursThatIsShownIsTakenAgainOrShownNoMore() {
        assertThat(settle(showing(web, List.of(plain("10.3.0.1"))), NO_LABELS).ingress())
                .as("of a ledger that was lost")
                .containsExactly(plain("10.3.0.1"));
        BalancedService thief =
                wishing(showing(service("thief", IpFamily.V4), List.of(plain("10.3.0.1"))), List.of(), List.of("none"));
        assertThat(next(thief, NO_LABELS).step()).as("it is another's").isEqualTo(new ServiceStep.Show(List.of()));
    }

    @Test
    void nothingIsTakenBeforeTheNamespaceIsKnown() {
        BalancedService shown = showing(web, List.of(plain("10.2.0.1")));
        Next next = ServiceAddressRules.next(ledger, shown, Optional.empty(), EVERY, NOW);
        assertThat(next).isEqualTo(new Next(new ServiceStep.Settled(), Map.of()));
    }

    @Test
    void whatCannotBeUnderstoodIsLeftAsItIs() {
        BalancedService dual = settle(service("dual", IpFamily.V4, IpFamily.V6), NO_LABELS);
        BalancedService wrong = new BalancedService(
                "shop", "dual", "u-dual", true, List.of(IpFamily.V4), List.of(), List.of(), "no", dual.ingress());
        assertThat(next(showing(wrong, List.of(plain("10.2.0.0"))), NO_LABELS).step())
                .isEqualTo(new ServiceStep.Settled());
        assertThat(next(showing(wrong, List.of()), NO_LABELS).step())
                .isEqualTo(new ServiceStep.Show(addresses("10.2.0.0")));
    }

    @Test
    void exhaustionAndAbsenceNameWhatThereIs() {
        settle(web, NO_LABELS);
        settle(service("b", IpFamily.V4), NO_LABELS);
        for (String name : List.of("c", "d", "e", "f")) {
            settle(service(name, IpFamily.V4), NO_LABELS);
        }
        assertThat(refused(service("g", IpFamily.V4), NO_LABELS))
                .isInstanceOfSatisfying(
                        AddressDecision.NoneFree.class,
                        none -> assertThat(none.pools()).containsExactly(LB, LB2));
        ledger = Ledger.of(List.of(PODS, LB6), List.of(), List.of());
        BalancedService dual = service("dual", IpFamily.V4, IpFamily.V6);
        assertThat(settle(dual, NO_LABELS).ingress())
                .as("the family that can be had is had")
                .containsExactly(plain("fd00::"));
        assertThat(refused(dual, NO_LABELS)).isEqualTo(new AddressDecision.NoPoolForService(IpFamily.V4));
    }

    @Test
    void ownersAreReadBackFromTheirIds() {
        ServiceOwner owner = new ServiceOwner("shop", "web", "6f1c-2", IpFamily.V6);
        assertThat(ServiceOwner.of(owner.owner())).contains(owner);
        assertThat(owner.owner().toString()).isEqualTo("Service shop/web (uid 6f1c-2)");
        for (String other : List.of("service/shop/web/u/ipv5", "service/shop/web/ipv4", "service/x", "c1/eth0")) {
            assertThat(ServiceOwner.of(new AddressOwner(other, "", "", ""))).isEmpty();
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ServiceOwner("shop", "web/x", "u", IpFamily.V4))
                .withMessageContaining("'shop/web/x', uid 'u', is not a Service");
        String label = "a".repeat(63);
        assertThat(new ServiceOwner(label, label, "u".repeat(64), IpFamily.V4)
                        .owner()
                        .id())
                .hasSizeLessThanOrEqualTo(253);
    }
}

package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.ipam.binding.Binding;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.NamespaceQuotas;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.Workload;
import io.podwire.ipam.store.LedgerSnapshot;
import io.podwire.ipam.store.MemoryIpamStore;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class NamespaceUseTest {
    private static final Pool POOL = new Pool("fixed", IpPrefix.parse("10.2.0.0/27"), 30)
            .with(List.of(new PoolEdit.Purpose(PoolPurpose.STATIC)));
    private static final AddressWish.Any ANY = new AddressWish.Any(IpFamily.V4, "");
    private static final NamespaceQuotas QUOTAS =
            new NamespaceQuotas(Map.of("shop", OptionalInt.of(3)), OptionalInt.empty());

    private final MemoryIpamStore store = new MemoryIpamStore();
    private final CasFlow flow = Interleaving.flow(store);
    private final BindingTable table = new BindingTable(address -> NamespaceUse.isSingle(flow, address));
    private final NamespaceUse use = new NamespaceUse(flow, table, QUOTAS);
    private final AddressFlow addresses = new AddressFlow(flow, TimeSource.SYSTEM, use);

    private static AddressOwner owner(String id, String namespace) {
        return new AddressOwner(id, "", namespace, "");
    }

    private void poolThere() {
        new PoolFlow(flow).create(POOL);
    }

    private void report(String... inUse) {
        List<Binding> bindings = new ArrayList<>();
        for (String address : inUse) {
            bindings.add(new Binding(
                    IpAddress.parse(address),
                    Binding.State.IN_USE,
                    new Binding.Holder("c", "eth0", "shop", "web", "u", "podwire"),
                    Instant.EPOCH));
        }
        table.full(
                new BindingTable.Stream(_ -> {}),
                new NodeEpoch(new NodeName("n1"), "u", "boot", 1),
                bindings,
                Duration.ZERO);
    }

    private void allocate(String id, String namespace, int count) {
        var _ = addresses.allocate(
                owner(id, namespace), java.util.Collections.nCopies(count, (AddressWish) ANY), Optional.empty());
    }

    @Test
    void singleAddressesEndAtTheQuotaAndTheRefusalSaysWhy() {
        poolThere();
        allocate("a", "shop", 2);
        assertThatThrownBy(() -> allocate("b", "shop", 2))
                .isInstanceOfSatisfying(ServiceException.class, e -> {
                    assertThat(e.reason()).isEqualTo(ErrorReason.EXHAUSTED);
                    assertThat(e.facts()).isEqualTo(Map.of("namespace", "shop", "used", "2", "quota", "3"));
                })
                .hasMessageContaining("namespace shop has 2 addresses, wants 2 more, and its quota is 3");
        assertThat(LedgerSnapshot.read(store).ledger().addresses())
                .as("all or none")
                .hasSize(2);
        allocate("b", "shop", 1);
        allocate("a", "shop", 2);
        allocate("other", "else", 2);
        allocate("vm", "", 2);
        assertThat(use.full()).containsExactly("shop");
        addresses.release("b", List.of());
        assertThat(use.full()).isEmpty();
        allocate("c", "shop", 1);
    }

    @Test
    void addressesOfPodsCountToo() {
        poolThere();
        report("10.9.0.1", "10.9.0.2");
        allocate("a", "shop", 1);
        assertThat(use.full()).containsExactly("shop");
        assertThatThrownBy(() -> allocate("b", "shop", 1)).hasMessageContaining("namespace shop has 3 addresses");
        report("10.9.0.1");
        allocate("b", "shop", 1);
        assertThat(use.known()).containsEntry("shop", new NamespaceUse.Of(1, 2, OptionalInt.of(3)));
    }

    @Test
    void aSingleAddressThatItsNodeReportsIsOne() {
        poolThere();
        allocate("a", "shop", 1);
        report("10.2.0.0", "10.9.0.1");
        assertThat(use.known()).containsEntry("shop", new NamespaceUse.Of(1, 1, OptionalInt.of(3)));
    }

    @Test
    void whoTakesAReservedAddressTakesOneOfItsNamespace() {
        poolThere();
        Workload db = new Workload("shop", "db", 0);
        addresses.reserve(List.of(db), List.of(ANY));
        assertThat(use.known())
                .as("reserved, and not in use")
                .containsEntry("shop", new NamespaceUse.Of(0, 0, OptionalInt.of(3)));
        allocate("a", "shop", 3);
        assertThatThrownBy(() -> addresses.allocate(owner("nameless", ""), List.of(ANY), Optional.of(db)))
                .hasMessageContaining("namespace shop has 3 addresses");
        addresses.release("a", List.of(IpAddress.parse("10.2.0.1")));
        var _ = addresses.allocate(owner("nameless", ""), List.of(ANY), Optional.of(db));
        assertThat(use.full()).containsExactly("shop");
    }

    @Test
    void anyInterleavingOfReplicasKeepsTheQuota() {
        Seeds.forEach(NamespaceUseTest.class, 200, random -> {
            MemoryIpamStore shared = new MemoryIpamStore();
            new PoolFlow(Interleaving.flow(shared)).create(POOL);
            Interleaving interleaving = new Interleaving(random, shared, false);
            for (int i = 0; i < 6; i++) {
                String id = "owner-" + i;
                var _ = interleaving.add(replica -> {
                    AddressFlow of = new AddressFlow(
                            replica, TimeSource.SYSTEM, new NamespaceUse(replica, new BindingTable(), QUOTAS));
                    try {
                        return of.allocate(owner(id, "shop"), List.of(ANY), Optional.empty())
                                .toString();
                    } catch (ServiceException e) {
                        return e.reason().name();
                    }
                });
            }
            interleaving.run();
            assertThat(LedgerSnapshot.read(shared).ledger().addressesInUse("shop"))
                    .isEqualTo(3);
        });
    }
}

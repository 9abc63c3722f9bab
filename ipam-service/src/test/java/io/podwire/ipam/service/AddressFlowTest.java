package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.testing.Seeds;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.service.Interleaving.Turn;
import io.podwire.ipam.store.LedgerSnapshot;
import io.podwire.ipam.store.MemoryIpamStore;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AddressFlowTest {
    private static final Pool POOL = new Pool("fixed", IpPrefix.parse("10.2.0.0/29"), 30)
            .with(List.of(new PoolEdit.Purpose(PoolPurpose.STATIC)));
    private static final List<AddressWish> ANY = List.of(new AddressWish.Any(IpFamily.V4, ""));

    private final MemoryIpamStore store = new MemoryIpamStore();
    private volatile Duration now = Duration.ZERO;
    private final TimeSource time = new TimeSource() {
        @Override
        public Duration monotonic() {
            return now;
        }

        @Override
        public Instant wall() {
            return Instant.EPOCH;
        }
    };

    private static AddressOwner owner(String id) {
        return new AddressOwner(id, "", "", "");
    }

    private AddressFlow flow() {
        return new AddressFlow(Interleaving.flow(store), time);
    }

    private void poolThere() {
        new PoolFlow(Interleaving.flow(store)).create(POOL);
    }

    private Ledger ledger() {
        return LedgerSnapshot.read(store).ledger();
    }

    @Test
    void refusalsNameTheHolder() {
        poolThere();
        AddressFlow flow = flow();
        flow.allocate(new AddressOwner("c1/eth0", "n1", "shop", "web"), ANY, Optional.empty());
        List<AddressWish> same = List.of(new AddressWish.This(IpAddress.parse("10.2.0.0"), ""));
        assertThatThrownBy(() -> flow.allocate(owner("vm"), same, Optional.empty()))
                .isInstanceOfSatisfying(
                        ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.OWNED_BY_OTHER))
                .hasMessageContaining("10.2.0.0 belongs to pod shop/web (c1/eth0) on node n1");
    }

    @Test
    void aReleasedAddressIsFreeAgainAfterTheCoolDownSeenByThisReplica() {
        poolThere();
        AddressFlow flow = flow();
        flow.allocate(owner("vm"), ANY, Optional.empty());
        flow.release("vm", List.of());
        flow.release("vm", List.of());
        try (CoolDowns coolDowns = new CoolDowns(flow, time, Duration.ofSeconds(60), Duration.ofMillis(1))) {
            assertThat(coolDowns).isNotNull();
            // Other addresses come and go meanwhile: each look reads.
            await().until(() -> looked(flow, "a"));
            now = Duration.ofSeconds(59);
            await().until(() -> looked(flow, "b"));
            assertThat(ledger().address(IpAddress.parse("10.2.0.0"))
                            .orElseThrow()
                            .use())
                    .isEqualTo(new AddressUse.Cooling());
            now = Duration.ofSeconds(60);
            await().until(() -> ledger().address(IpAddress.parse("10.2.0.0")).isEmpty());
            now = Duration.ofSeconds(200);
            await("and its block is nobody's").until(() -> ledger().blocks().isEmpty());
        }
    }

    /** True when addresses have come and gone. */
    private static boolean looked(AddressFlow flow, String id) {
        flow.allocate(owner(id), ANY, Optional.empty());
        flow.release(id, List.of());
        return true;
    }

    @Test
    void anyInterleavingGivesAnAddressToOneOwnerAndAnOwnerOneSet() {
        Seeds.forEach(AddressFlowTest.class, 300, random -> {
            MemoryIpamStore shared = new MemoryIpamStore();
            new PoolFlow(Interleaving.flow(shared)).create(POOL);
            Interleaving interleaving = new Interleaving(random, shared, false);
            List<Turn> turns = new ArrayList<>();
            List<String> owners = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                String id = "o" + random.nextInt(3);
                owners.add(id);
                int wanted = random.nextInt(8);
                AddressWish wish = random.nextBoolean()
                        ? ANY.getFirst()
                        : new AddressWish.This(IpAddress.parse("10.2.0." + wanted), "");
                turns.add(interleaving.add(flow -> {
                    try {
                        return new AddressFlow(flow, Interleaving.STILL)
                                .allocate(owner(id), List.of(wish), Optional.empty())
                                .getFirst()
                                .address()
                                .toString();
                    } catch (ServiceException e) {
                        return e.reason().name();
                    }
                }));
            }
            Turn retired = interleaving.add(flow -> {
                try {
                    new PoolFlow(flow).update("fixed", List.of(new PoolEdit.State(PoolState.RETIRED)));
                    return "retired";
                } catch (ServiceException e) {
                    return e.reason().name();
                }
            });
            interleaving.run();
            Ledger end = LedgerSnapshot.read(shared).ledger();
            Set<IpAddress> seen = new HashSet<>();
            for (SingleAddress address : end.addresses()) {
                assertThat(seen.add(address.address())).isTrue();
                assertThat(end.block(IpPrefix.containing(address.address(), POOL.blockLength())))
                        .as("block of %s", address)
                        .hasValueSatisfying(
                                block -> assertThat(AddressRules.isOwn(block)).isTrue());
            }
            for (int i = 0; i < turns.size(); i++) {
                String result = turns.get(i).result();
                if (Character.isDigit(result.charAt(0))) {
                    assertThat(end.addressesOf(owners.get(i)))
                            .as("all that %s has", owners.get(i))
                            .singleElement()
                            .satisfies(a -> assertThat(a.address().toString()).isEqualTo(result));
                }
            }
            assertThat(retired.result().equals("retired"))
                    .as("retired only when empty")
                    .isEqualTo(end.addresses().isEmpty());
        });
    }
}

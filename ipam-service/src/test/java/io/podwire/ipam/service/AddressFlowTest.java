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
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.LedgerSnapshot;
import io.podwire.ipam.store.MemoryIpamStore;
import io.podwire.ipam.store.Outcome;
import io.podwire.ipam.store.Reading;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
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

    @Test
    void oneLookFreesAllThatHasCooledDownInWritesOfFifty() {
        CountingStore counting = new CountingStore(store, new ArrayList<>());
        CasFlow commits = new CasFlow(
                counting,
                Duration.ofSeconds(1),
                time,
                _ -> {
                    throw new IllegalStateException("nobody contends");
                },
                new Random(1));
        new PoolFlow(commits)
                .create(new Pool("small", IpPrefix.parse("10.4.0.0/22"), 26)
                        .with(List.of(new PoolEdit.Purpose(PoolPurpose.STATIC))));
        AddressFlow flow = new AddressFlow(commits, time);
        List<AddressWish> eight = Collections.nCopies(8, ANY.getFirst());
        for (int i = 0; i < 128; i++) {
            flow.allocate(owner("vm-" + i), eight, Optional.empty());
        }
        assertThatThrownBy(() -> flow.allocate(owner("late"), ANY, Optional.empty()))
                .isInstanceOfSatisfying(
                        ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.EXHAUSTED));
        for (int i = 0; i < 125; i++) {
            flow.release("vm-" + i, List.of());
        }
        CoolDownLook look = new CoolDownLook(flow, time, Duration.ofSeconds(60));
        look.look();
        now = Duration.ofSeconds(60);
        counting.freed().clear();
        look.look();
        assertThat(counting.freed()).as("1000 addresses, 50 in each write").isEqualTo(Collections.nCopies(20, 50L));
        assertThat(ledger().addresses()).as("those of the three others").hasSize(24);
        assertThat(flow.allocate(owner("late"), ANY, Optional.empty())).hasSize(1);
    }

    /** Counts the addresses that each write makes free. */
    private record CountingStore(IpamStore store, List<Long> freed) implements IpamStore {
        @Override
        public Reading read(long since) {
            return store.read(since);
        }

        @Override
        public long revision() {
            return store.revision();
        }

        @Override
        public Outcome compareAndSet(List<Change> changes) {
            freed.add(changes.stream()
                    .filter(change ->
                            change instanceof Change.Delete && change.key().startsWith("addresses/"))
                    .count());
            return store.compareAndSet(changes);
        }

        @Override
        public boolean connected() {
            return store.connected();
        }

        @Override
        public void close() {
            store.close();
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

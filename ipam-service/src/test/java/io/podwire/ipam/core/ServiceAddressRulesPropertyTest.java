package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.testing.Seeds;
import io.podwire.ipam.core.BalancedService.Ingress;
import io.podwire.ipam.core.ServiceAddressRules.Next;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/**
 * Services come, change and go, while several replicas look at them and do what was to be done at some moment before:
 * late, twice, or never. A status is written only where nobody has written to the Service since it was looked at, as
 * with a resource version; the ledger is written by compare-and-set.
 */
class ServiceAddressRulesPropertyTest {
    private static final Set<IpFamily> EVERY = EnumSet.allOf(IpFamily.class);
    private static final Map<String, String> LABELS = Map.of();
    private static final List<Pool> POOLS = List.of(
            balancing("a", "10.1.0.0/30", 31), balancing("b", "10.2.0.0/31", 32), balancing("six", "fd00::/126", 127));
    private static final List<List<IpFamily>> FAMILIES = List.of(
            List.of(IpFamily.V4),
            List.of(IpFamily.V6),
            List.of(IpFamily.V4, IpFamily.V6),
            List.of(IpFamily.V6, IpFamily.V4));

    private static Pool balancing(String name, String cidr, int block) {
        return new Pool(name, IpPrefix.parse(cidr), block)
                .with(List.of(new PoolEdit.Purpose(PoolPurpose.LOAD_BALANCER)));
    }

    /** A Service in the cluster, with how often it was written. */
    private record Stored(BalancedService service, int version) {}

    /** What a replica is about to do. */
    private record Pending(ServiceStep step, Stored seen) {}

    /** The cluster, the ledger, and what is under way. */
    private static final class World {
        private final RandomGenerator random;
        private final Map<String, Stored> services = new TreeMap<>();
        private final List<Pending> pending = new ArrayList<>();
        private Ledger ledger = Ledger.of(POOLS, List.of(), List.of());
        private int made;

        World(RandomGenerator random) {
            this.random = random;
        }

        void act() {
            switch (random.nextInt(9)) {
                case 0 -> edit("s" + random.nextInt(5));
                case 1 -> services.remove("s" + random.nextInt(5));
                case 2 -> reap();
                case 3 -> {
                    if (!pending.isEmpty()) {
                        pending.remove(random.nextInt(pending.size()));
                    }
                }
                case 4, 5 -> {
                    if (!pending.isEmpty()) {
                        Pending next = pending.get(random.nextInt(pending.size()));
                        obey(next);
                        if (random.nextBoolean()) {
                            pending.remove(next);
                        }
                    }
                }
                case 6 -> coolDown();
                default ->
                    services.values().stream()
                            .skip(services.isEmpty() ? 0 : random.nextInt(services.size()))
                            .findFirst()
                            .ifPresent(
                                    seen -> pending.add(new Pending(next(seen).step(), seen)));
            }
        }

        private void edit(String name) {
            Stored before = services.get(name);
            String uid = before == null ? "u" + ++made : before.service().uid();
            boolean served = random.nextInt(4) > 0;
            List<IpFamily> families = FAMILIES.get(random.nextInt(FAMILIES.size()));
            List<IpAddress> addresses = random.nextInt(3) > 0
                    ? List.of()
                    : List.of(IpAddress.parse(
                            families.getFirst() == IpFamily.V4
                                    ? "10.1.0." + random.nextInt(5)
                                    : "fd00::" + random.nextInt(5)));
            List<String> pools = random.nextInt(3) > 0 ? List.of() : List.of(random.nextBoolean() ? "a" : "b");
            services.put(
                    name,
                    new Stored(
                            new BalancedService(
                                    "shop",
                                    name,
                                    uid,
                                    served,
                                    families,
                                    addresses,
                                    pools,
                                    "",
                                    before == null
                                            ? List.of()
                                            : before.service().ingress()),
                            before == null ? made : before.version() + 1));
        }

        Next next(Stored seen) {
            return ServiceAddressRules.next(ledger, seen.service(), Optional.of(LABELS), EVERY, Instant.EPOCH);
        }

        void obey(Pending pending) {
            BalancedService service = pending.seen().service();
            switch (pending.step()) {
                case ServiceStep.Take(IpFamily family) -> {
                    if (ServiceAddressRules.take(ledger, service, family, LABELS, Instant.EPOCH)
                            instanceof AddressDecision.Assign(var addresses, var blocks)) {
                        blocks.forEach(block -> ledger = ledger.with(block));
                        addresses.forEach(address -> {
                            assertThat(ledger.address(address.address()))
                                    .as("%s is free", address)
                                    .isEmpty();
                            ledger = ledger.with(address);
                        });
                    }
                }
                case ServiceStep.Show(List<IpAddress> shown) ->
                    write(
                            pending.seen(),
                            shown.stream()
                                    .map(address -> new Ingress(Optional.of(address), true))
                                    .toList());
                case ServiceStep.Hide(Set<IpAddress> hidden) ->
                    write(
                            pending.seen(),
                            service.ingress().stream()
                                    .filter(entry ->
                                            !hidden.contains(entry.address().orElseThrow()))
                                    .toList());
                case ServiceStep.Release(ServiceOwner owner, IpAddress address) -> release(owner, List.of(address));
                case ServiceStep.Settled() -> {}
            }
        }

        private void release(ServiceOwner owner, List<IpAddress> addresses) {
            AddressRules.release(ledger, owner.id(), addresses, Instant.EPOCH)
                    .forEach(free -> ledger = ledger.with(free));
        }

        private void write(Stored seen, List<Ingress> ingress) {
            BalancedService s = seen.service();
            if (seen.equals(services.get(s.name()))) {
                services.put(
                        s.name(),
                        new Stored(
                                new BalancedService(
                                        s.namespace(),
                                        s.name(),
                                        s.uid(),
                                        s.served(),
                                        s.families(),
                                        s.addresses(),
                                        s.pools(),
                                        s.invalid(),
                                        ingress),
                                seen.version() + 1));
            }
        }

        /** What Services that are gone have comes back. */
        private void reap() {
            ServiceAddressRules.owners(ledger).keySet().stream()
                    .filter(owner -> services.values().stream()
                            .noneMatch(stored -> stored.service().uid().equals(owner.uid())))
                    .forEach(owner -> release(owner, List.of()));
        }

        /** A cool-down is longer than any step takes, and than the time between two looks. */
        private void coolDown() {
            pending.forEach(this::obey);
            pending.clear();
            settle();
            AddressRules.Forgotten free = AddressRules.forgotten(ledger, ledger.addresses());
            free.addresses().forEach(address -> ledger = ledger.withoutAddress(address.address()));
            free.blocks().forEach(block -> ledger = ledger.withoutBlock(block.pool(), block.cidr()));
        }

        /** All that one replica does that has nobody beside it. */
        void settle() {
            for (String name : List.copyOf(services.keySet())) {
                int steps = 0;
                while (!(next(services.get(name)).step() instanceof ServiceStep.Settled)) {
                    assertThat(steps++).as("steps of %s", services.get(name)).isLessThan(12);
                    obey(new Pending(next(services.get(name)).step(), services.get(name)));
                }
            }
        }

        /** No status tells of what the ledger has given to somebody else, nor do two tell of the same. */
        void check() {
            Map<IpAddress, String> shown = new HashMap<>();
            services.values()
                    .forEach(stored -> stored.service().ingress().forEach(entry -> {
                        IpAddress address = entry.address().orElseThrow();
                        assertThat(shown.put(address, stored.service().name()))
                                .as("also shows %s, as %s does", address, stored)
                                .isNull();
                        ledger.address(address)
                                .flatMap(has -> has.use().user())
                                .ifPresent(owner -> assertThat(ServiceOwner.of(owner)
                                                .orElseThrow()
                                                .uid())
                                        .as("the owner of %s, which is shown by %s", address, stored)
                                        .isEqualTo(stored.service().uid()));
                    }));
        }
    }

    @Test
    void noAddressIsOfTwoAndAllEndWithWhatCanBeHad() {
        int[] whole = new int[1];
        Seeds.forEach(ServiceAddressRulesPropertyTest.class, 400, random -> {
            World world = new World(random);
            for (int i = 0; i < 120; i++) {
                world.act();
                world.check();
            }
            world.reap();
            world.coolDown();
            world.coolDown();
            world.settle();
            world.check();
            for (Stored stored : world.services.values()) {
                BalancedService service = stored.service();
                Next next = world.next(stored);
                assertThat(next.step()).isEqualTo(new ServiceStep.Settled());
                Set<IpAddress> held = new HashSet<>();
                ServiceAddressRules.owners(world.ledger).forEach((owner, addresses) -> {
                    if (owner.uid().equals(service.uid())) {
                        addresses.forEach(address -> held.add(address.address()));
                    }
                });
                assertThat(held)
                        .as("what %s has and shows", stored)
                        .containsExactlyInAnyOrderElementsOf(service.ingress().stream()
                                .map(entry -> entry.address().orElseThrow())
                                .toList());
                if (!service.served()) {
                    assertThat(held).isEmpty();
                    continue;
                }
                service.families().forEach(family -> {
                    boolean has = held.stream().anyMatch(address -> address.family() == family);
                    AddressDecision why = next.refused().get(family);
                    assertThat(has || why != null)
                            .as("%s of %s", family, stored)
                            .isTrue();
                    if (why instanceof AddressDecision.NoneFree none) {
                        none.pools()
                                .forEach(pool -> assertThat(world.ledger.addressesIn(pool.cidr()))
                                        .as("addresses of %s, which has none free for %s", pool, stored)
                                        .hasSize(pool.cidr().size().intValueExact()));
                    }
                    whole[0] += has ? 1 : 0;
                });
            }
        });
        assertThat(whole[0]).as("families that have an address").isGreaterThan(0);
    }
}

package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Skipping full blocks finds what looking at each address of each block finds, whatever happened in whatever order. */
class OpenBlocksPropertyTest {
    private static final Instant NOW = Instant.ofEpochSecond(1_700_000_000);
    private static final AddressOwner VM = new AddressOwner("vm", "", "", "");
    private static final AddressUse IN_USE =
            new AddressUse.InUse(new AddressOwner("another", "", "", ""), Optional.empty());
    private static final NodeEpoch NODE = new NodeEpoch(new NodeName("n1"), "u", "b", 1);
    private static final Pool A = new Pool("a", IpPrefix.parse("10.1.0.0/27"), 30);
    private static final Pool B = new Pool("b", IpPrefix.parse("fd00::/125"), 127);

    @Test
    void theLowestFreeAddressIsTheOneThatLookingAtEachFinds() {
        Seeds.forEach(OpenBlocksPropertyTest.class, 500, random -> {
            Ledger ledger = Ledger.of(List.of(reserving(random, A), reserving(random, B)), List.of(), List.of());
            for (int step = 0; step < 120; step++) {
                ledger = changed(random, ledger);
                for (Pool pool : ledger.pools()) {
                    assertThat(List.copyOf(ledger.openBlocks(pool.name())))
                            .as("open blocks of %s in %s", pool.name(), ledger)
                            .isEqualTo(open(ledger, pool));
                    assertThat(given(ledger, pool))
                            .as("an address of %s in %s", pool.name(), ledger)
                            .isEqualTo(lowest(ledger, pool));
                }
            }
        });
    }

    private static Pool reserving(RandomGenerator random, Pool pool) {
        List<IpPrefix> reserved = new ArrayList<>();
        for (int i = random.nextInt(3); i > 0; i--) {
            int length = pool.blockLength() - 1 + random.nextInt(pool.family().bits() - pool.blockLength() + 2);
            IpPrefix range = IpPrefix.containing(address(random, pool), length);
            if (reserved.stream().noneMatch(range::overlaps)) {
                reserved.add(range);
            }
        }
        return pool.with(List.of(new PoolEdit.Reserved(reserved)));
    }

    private static IpAddress address(RandomGenerator random, Pool pool) {
        return pool.cidr().address().plus(random.nextInt(pool.cidr().size().intValueExact()));
    }

    private static Ledger changed(RandomGenerator random, Ledger ledger) {
        Pool pool = ledger.pools().get(random.nextInt(2));
        IpAddress address = address(random, pool);
        IpPrefix cidr = IpPrefix.containing(address, pool.blockLength());
        return switch (random.nextInt(12)) {
            case 0 -> ledger.with(new Block(pool.name(), cidr, NODE, "r-" + cidr));
            case 1, 2 -> ledger.with(new Block(pool.name(), cidr, AddressRules.SERVICE, "r-" + cidr));
            case 3 -> ledger.withoutBlock(pool.name(), cidr);
            case 4, 5, 6 -> ledger.withoutAddress(address);
            default ->
                ledger.with(new SingleAddress(
                        pool.name(), address, random.nextBoolean() ? IN_USE : new AddressUse.Cooling(), NOW));
        };
    }

    private static List<IpPrefix> open(Ledger ledger, Pool pool) {
        return ledger.blocksOf(pool.name()).stream()
                .filter(AddressRules::isOwn)
                .map(Block::cidr)
                .filter(cidr ->
                        BigInteger.valueOf(ledger.addressesIn(cidr).size()).compareTo(cidr.size()) < 0)
                .toList();
    }

    private static Optional<IpAddress> given(Ledger ledger, Pool pool) {
        AddressDecision decision = AddressRules.allocate(
                ledger, VM, List.of(new AddressWish.Any(pool.family(), pool.name())), Optional.empty(), NOW);
        return decision instanceof AddressDecision.Assign(List<SingleAddress> addresses, List<Block> _)
                ? Optional.of(addresses.getFirst().address())
                : Optional.empty();
    }

    /** The slow obvious version: blocks of the service first, then those of nobody. */
    private static Optional<IpAddress> lowest(Ledger ledger, Pool pool) {
        Stream<IpPrefix> own = ledger.blocksOf(pool.name()).stream()
                .filter(AddressRules::isOwn)
                .map(Block::cidr);
        Stream<IpPrefix> nobodys =
                PoolBlocks.all(pool).stream().filter(cidr -> ledger.block(cidr).isEmpty());
        return Stream.concat(own, nobodys)
                .flatMap(cidr -> IntStream.range(0, cidr.size().intValueExact())
                        .mapToObj(i -> cidr.address().plus(i)))
                .filter(address -> ledger.address(address).isEmpty())
                .filter(address -> pool.reserved().stream().noneMatch(range -> range.contains(address)))
                .findFirst();
    }
}

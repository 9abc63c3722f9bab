package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.testing.Seeds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class FreeBlocksTest {
    private static Pool pool(String cidr, int blockLength) {
        return new Pool("p", IpPrefix.parse(cidr), blockLength);
    }

    private static Optional<IpPrefix> lowest(Pool pool, List<IpPrefix> taken) {
        return FreeBlocks.lowest(pool, taken.stream().sorted());
    }

    private static List<IpPrefix> prefixes(String... texts) {
        return Arrays.stream(texts).map(IpPrefix::parse).toList();
    }

    @Test
    void theFirstGapIsTaken() {
        Pool pool = pool("10.1.0.0/24", 26);
        assertThat(lowest(pool, List.of())).contains(IpPrefix.parse("10.1.0.0/26"));
        assertThat(lowest(pool, prefixes("10.1.0.128/26", "10.1.0.0/26"))).contains(IpPrefix.parse("10.1.0.64/26"));
        assertThat(lowest(pool, prefixes("10.1.0.0/25", "10.1.0.192/32")))
                .as("prefixes longer and shorter than a block")
                .contains(IpPrefix.parse("10.1.0.128/26"));
        assertThat(lowest(pool, prefixes("10.1.0.0/25", "10.1.0.128/26", "10.1.0.255/32")))
                .as("one address makes a block taken")
                .isEmpty();
        assertThat(lowest(pool, prefixes("10.0.0.0/8"))).isEmpty();
    }

    @Test
    void theLastAddressesOfAFamilyEndTheSearch() {
        assertThat(lowest(pool("255.255.255.255/32", 32), prefixes("255.255.255.255/32")))
                .isEmpty();
        assertThat(lowest(
                        pool("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00/120", 121),
                        prefixes("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00/121")))
                .contains(IpPrefix.parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff80/121"));
        assertThat(lowest(
                        pool("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00/120", 120),
                        prefixes("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00/120")))
                .isEmpty();
    }

    /** Walking the 2^74 blocks of such a pool would take longer than the sun has. */
    @Test
    void aHugePoolIsSearchedByItsOwners() {
        Pool pool = pool("fd00:10:1::/48", 122);
        List<IpPrefix> taken = new ArrayList<>(IntStream.range(0, 20_000)
                .mapToObj(i -> PoolBlocks.block(pool, i))
                .toList());
        assertThat(lowest(pool, taken)).contains(IpPrefix.parse("fd00:10:1::13:8800/122"));
        taken.addAll(prefixes("fd00:10:1::/49", "fd00:10:1:8000::/50"));
        assertThat(lowest(pool, taken)).contains(IpPrefix.parse("fd00:10:1:c000::/122"));
    }

    @Test
    void theLowestIsTheOneThatLookingAtEachFinds() {
        Seeds.forEach(FreeBlocksTest.class, 2_000, random -> {
            Pool pool = randomPool(random);
            List<IpPrefix> taken = IntStream.range(0, random.nextInt(20))
                    .mapToObj(_ -> randomPrefix(random, pool))
                    .toList();
            Optional<IpPrefix> lowest = PoolBlocks.all(pool).stream()
                    .filter(block -> taken.stream().noneMatch(block::overlaps))
                    .findFirst();
            assertThat(lowest(pool, taken)).as("%s without %s", pool, taken).isEqualTo(lowest);
        });
    }

    /** As they are in a ledger: owned blocks have the pool's length, or one that it had before. */
    @Test
    void countingFindsWhatLookingAtEachFinds() {
        Seeds.forEach(FreeBlocksTest.class, 2_000, random -> {
            Pool bare = randomPool(random);
            int blocks = bare.totalBlocks().intValueExact();
            List<IpPrefix> reserved = random.nextBoolean()
                    ? List.of()
                    : IntStream.range(0, random.nextInt(3))
                            .mapToObj(_ -> PoolBlocks.block(bare, random.nextInt(blocks)))
                            .toList();
            Pool pool = new Pool(
                    bare.name(),
                    bare.cidr(),
                    bare.blockLength(),
                    PoolState.ACTIVE,
                    reserved,
                    NodeSelector.EVERY_NODE,
                    NamespaceSelector.EVERY_NAMESPACE,
                    PoolPurpose.PODS,
                    CoolDown.OF_NODE,
                    PoolSource.GRPC,
                    0);
            int row = random.nextInt(blocks + 1);
            NavigableMap<IpPrefix, String> owned = new TreeMap<>();
            for (int i = 0; i < blocks; i++) {
                if (i < row ? random.nextInt(16) > 0 : random.nextInt(4) == 0) {
                    owned.put(other(random, PoolBlocks.block(pool, i)), "");
                }
            }
            assertThat(FreeBlocks.lowest(pool, owned))
                    .as("%s without %s", pool, owned.keySet())
                    .isEqualTo(lowest(
                            pool,
                            Stream.concat(owned.keySet().stream(), reserved.stream())
                                    .toList()));
        });
    }

    /** The block itself mostly, or a part of it. */
    private static IpPrefix other(RandomGenerator random, IpPrefix block) {
        int longest = block.family().bits();
        return random.nextInt(64) > 0 ? block : new IpPrefix(block.address(), Math.min(longest, block.length() + 1));
    }

    @Test
    void theLowestAddressIsTheOneThatLookingAtEachFinds() {
        Seeds.forEach(FreeBlocksTest.class, 2_000, random -> {
            IpFamily family = random.nextBoolean() ? IpFamily.V4 : IpFamily.V6;
            IpPrefix range = IpPrefix.containing(randomAddress(random, family), family.bits() - random.nextInt(7));
            int most = range.size().intValueExact();
            int row = random.nextInt(most + 1);
            NavigableMap<IpAddress, String> taken = new TreeMap<>();
            for (int i = 0; i < most; i++) {
                if (i < row ? random.nextInt(16) > 0 : random.nextInt(4) == 0) {
                    taken.put(range.address().plus(i), "");
                }
            }
            Optional<IpAddress> lowest = IntStream.range(0, most)
                    .mapToObj(i -> range.address().plus(i))
                    .filter(address -> !taken.containsKey(address))
                    .findFirst();
            assertThat(FreeBlocks.lowestAddress(range, taken))
                    .as("%s without %s", range, taken.keySet())
                    .isEqualTo(lowest);
        });
    }

    private static Pool randomPool(RandomGenerator random) {
        IpFamily family = random.nextBoolean() ? IpFamily.V4 : IpFamily.V6;
        int blockLength = family.bits() - random.nextInt(17);
        int length = blockLength - random.nextInt(Math.min(6, blockLength));
        return new Pool("p", IpPrefix.containing(randomAddress(random, family), length), blockLength);
    }

    /** All ones and all zeros come often: the ends of the family are where sums overflow. */
    private static IpAddress randomAddress(RandomGenerator random, IpFamily family) {
        byte[] bytes = new byte[family.bits() / 8];
        switch (random.nextInt(3)) {
            case 0 -> Arrays.fill(bytes, (byte) -1);
            case 1 -> random.nextBytes(bytes);
            default -> {}
        }
        return IpAddress.ofBytes(bytes);
    }

    /** In the pool mostly, or around it. */
    private static IpPrefix randomPrefix(RandomGenerator random, Pool pool) {
        int bits = pool.family().bits();
        int blocks = pool.totalBlocks().intValueExact();
        IpPrefix block = PoolBlocks.block(pool, random.nextInt(blocks));
        return random.nextInt(8) == 0
                ? IpPrefix.containing(randomAddress(random, pool.family()), random.nextInt(bits + 1))
                : IpPrefix.containing(
                        block.address().plus(random.nextLong(1L << (bits - pool.blockLength()))),
                        Math.max(
                                pool.cidr().length(),
                                pool.blockLength() - 2 + random.nextInt(bits - pool.blockLength() + 3)));
    }
}

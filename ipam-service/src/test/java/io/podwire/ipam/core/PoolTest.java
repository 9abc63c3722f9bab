package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.IpPrefix;
import io.podwire.common.testing.Seeds;
import java.math.BigInteger;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PoolTest {
    private static Pool pool(String cidr, int blockLength) {
        return new Pool("p", IpPrefix.parse(cidr), blockLength);
    }

    @ParameterizedTest
    @CsvSource({
        "10.1.0.0/16, 26, 1024",
        "10.1.0.0/26, 26, 1",
        "255.0.0.0/8, 32, 16777216",
        "0.0.0.0/0, 32, 4294967296",
        "fd00:10:1::/48, 122, 18889465931478580854784",
        "fd00::/112, 112, 1",
        "::/0, 128, 340282366920938463463374607431768211456",
    })
    void blocksAreCountedWithoutOverflow(String cidr, int blockLength, BigInteger blocks) {
        assertThat(pool(cidr, blockLength).totalBlocks())
                .as("%s in /%d", cidr, blockLength)
                .isEqualTo(blocks);
    }

    @ParameterizedTest
    @CsvSource({
        "10.1.0.0/16, 26",
        "10.1.0.0/26, 26",
        "10.1.0.0/28, 28",
        "fd00:10:1::/48, 122",
        "fd00:10:1::/124, 124",
    })
    void blockOfNoGivenSizeHas64AddressesOrThePools(String cidr, int length) {
        assertThat(Pool.defaultBlockLength(IpPrefix.parse(cidr))).as(cidr).isEqualTo(length);
    }

    @Test
    void wrongSizesAreRefusedWithTheRange() {
        assertThatThrownBy(() -> pool("10.1.0.0/20", 19)).hasMessageContaining("must be 20 to 32, got 19");
        assertThatThrownBy(() -> pool("10.1.0.0/16", 33)).hasMessageContaining("must be 16 to 32, got 33");
        assertThatThrownBy(() -> pool("10.0.0.0/8", 15)).hasMessageContaining("must be 16 to 32, got 15");
        assertThatThrownBy(() -> pool("fd00::/48", 64)).hasMessageContaining("must be 112 to 128, got 64");
        assertThatThrownBy(() -> pool("fd00::/120", 119)).hasMessageContaining("must be 120 to 128, got 119");
        assertThatThrownBy(() -> pool("fd00::/48", 129)).hasMessageContaining("must be 112 to 128, got 129");
        assertThatThrownBy(() -> pool("fd00::/48", -1)).hasMessageContaining("must be 112 to 128, got -1");
    }

    private static Pool reserving(String cidr, int blockLength, String... ranges) {
        return pool(cidr, blockLength)
                .with(List.of(new PoolEdit.Reserved(
                        Arrays.stream(ranges).map(IpPrefix::parse).toList())));
    }

    @Test
    void reservedRangesAreSortedAndInside() {
        assertThat(reserving("10.1.0.0/24", 26, "10.1.0.8/29", "10.1.0.0/30", "10.1.0.8/29")
                        .reserved())
                .hasToString("[10.1.0.0/30, 10.1.0.8/29]");
        assertThatThrownBy(() -> reserving("10.1.0.0/24", 26, "10.1.0.0/23"))
                .hasMessageContaining("reserved range 10.1.0.0/23 of pool p must lie inside 10.1.0.0/24");
        assertThatThrownBy(() -> reserving("10.1.0.0/24", 26, "fd00::/120")).hasMessageContaining("must lie inside");
        String[] many = IntStream.range(0, 257)
                .mapToObj(i -> "fd00::" + Integer.toHexString(i) + "/128")
                .toArray(String[]::new);
        assertThatThrownBy(() -> reserving("fd00::/64", 122, many)).hasMessageContaining("at most 256");
    }

    @Test
    void blocksWithAReservedAddressAreCountedOnce() {
        assertThat(pool("10.1.0.0/24", 26).reservedBlocks()).isZero();
        assertThat(reserving("10.1.0.0/24", 26, "10.1.0.1/32", "10.1.0.2/32").reservedBlocks())
                .as("two addresses of one block")
                .isOne();
        assertThat(reserving("10.1.0.0/24", 26, "10.1.0.0/25", "10.1.0.64/26", "10.1.0.65/32", "10.1.0.200/32")
                        .reservedBlocks())
                .as("ranges inside of others")
                .isEqualTo(3);
        assertThat(reserving("fd00:10:1::/48", 122, "fd00:10:1::/49", "fd00:10:1:8000::1/128")
                        .reservedBlocks())
                .isEqualTo(BigInteger.ONE.shiftLeft(73).add(BigInteger.ONE));
    }

    @Test
    void reservedBlocksAreThoseThatLookingAtEachFinds() {
        Seeds.forEach(PoolTest.class, 500, random -> {
            String[] ranges = IntStream.range(0, random.nextInt(8))
                    .mapToObj(_ -> IpPrefix.containing(
                            IpPrefix.parse("10.1.0.0/24").address().plus(random.nextInt(256)), 24 + random.nextInt(9)))
                    .map(IpPrefix::toString)
                    .toArray(String[]::new);
            Pool pool = reserving("10.1.0.0/24", 24 + random.nextInt(9), ranges);
            long found = PoolBlocks.all(pool).stream()
                    .filter(block -> pool.reserved().stream().anyMatch(block::overlaps))
                    .count();
            assertThat(pool.reservedBlocks()).as(pool.describe()).isEqualTo(found);
        });
    }

    @Test
    void descriptionTellsWhatIsUnusual() {
        Pool pool = pool("10.1.0.0/24", 26);
        assertThat(pool.describe()).isEqualTo("p=10.1.0.0/24/26");
        assertThat(pool.with(List.of(
                                new PoolEdit.State(PoolState.DRAINING),
                                new PoolEdit.Reserved(List.of(IpPrefix.parse("10.1.0.0/30"))),
                                new PoolEdit.Nodes(NodeSelector.of(Map.of("zone", "a", "rack", "7")))))
                        .describe())
                .isEqualTo("p=10.1.0.0/24/26, DRAINING, reserved [10.1.0.0/30], for nodes with rack=7,zone=a");
        assertThat(pool.with(List.of(
                                new PoolEdit.Namespaces(NamespaceSelector.of(Map.of("team", "a"))),
                                new PoolEdit.Purpose(PoolPurpose.LOAD_BALANCER),
                                new PoolEdit.Cooling(new CoolDown.Of(Duration.ofMinutes(2))),
                                new PoolEdit.Source(PoolSource.manifest("p.yaml"))))
                        .describe())
                .isEqualTo("p=10.1.0.0/24/26, for namespaces with team=a, purpose LOAD_BALANCER, cool-down 120 s,"
                        + " of manifest:p.yaml");
    }

    @Test
    void coolDownIsADayAtMost() {
        assertThat(new CoolDown.Of(Duration.ZERO).length()).isZero();
        assertThat(new CoolDown.Of(Duration.ofHours(24)).length()).isEqualTo(Duration.ofDays(1));
        for (Duration wrong : List.of(Duration.ofNanos(-1), Duration.ofHours(24).plusNanos(1))) {
            assertThatThrownBy(() -> new CoolDown.Of(wrong)).hasMessageContaining("must be 0 s to 24 h");
        }
    }

    @Test
    void sourcesReadBack() {
        for (PoolSource source : List.of(PoolSource.GRPC, PoolSource.KUBERNETES, PoolSource.manifest("a b.yaml"))) {
            assertThat(PoolSource.parse(source.toString())).isEqualTo(source);
        }
        assertThatThrownBy(() -> PoolSource.parse("elsewhere"))
                .hasMessageContaining("must be grpc, kubernetes or manifest:FILE, got 'elsewhere'");
    }

    @Test
    void namespaceSelectorHasTheNodeSelectorsRules() {
        assertThat(NamespaceSelector.of(Map.of("team", "a", "x.io/b", ""))).hasToString("team=a,x.io/b=");
        assertThatThrownBy(() -> NamespaceSelector.of(Map.of("a b", "x")))
                .hasMessageContaining("'a b=x' is not a label of a namespace selector");
    }

    @ParameterizedTest
    @CsvSource({"A B, x", "/a, x", "a/, x", "-a, x", "a, -x", "a, 'x y'", "UP.x/a, x"})
    void wrongLabelsAreRefused(String key, String value) {
        assertThatThrownBy(() -> NodeSelector.of(Map.of(key, value)))
                .as("label '%s=%s'", key, value)
                .hasMessageContaining("is not a label of a node selector");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "A", "a/b", "-a", "a-", "a.b", "a b"})
    void wrongNamesAreRefused(String name) {
        assertThatThrownBy(() -> new Pool(name, IpPrefix.parse("10.1.0.0/16"), 26))
                .as("name '%s'", name)
                .isInstanceOf(IllegalArgumentException.class);
    }
}

package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.IpPrefix;
import java.math.BigInteger;
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

    @ParameterizedTest
    @ValueSource(strings = {"", "A", "a/b", "-a", "a-", "a.b", "a b"})
    void wrongNamesAreRefused(String name) {
        assertThatThrownBy(() -> new Pool(name, IpPrefix.parse("10.1.0.0/16"), 26))
                .as("name '%s'", name)
                .isInstanceOf(IllegalArgumentException.class);
    }
}

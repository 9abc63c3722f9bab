package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.IpPrefix;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PoolTest {
    private static Pool pool(String cidr, int blockLength) {
        return new Pool("p", IpPrefix.parse(cidr), blockLength);
    }

    @Test
    void blocksFillThePoolInOrder() {
        Pool pool = pool("10.1.0.0/16", 26);
        assertThat(pool.totalBlocks()).as("a /16 in /26").isEqualTo(1024);
        assertThat(pool.block(0)).hasToString("10.1.0.0/26");
        assertThat(pool.block(5)).hasToString("10.1.1.64/26");
        assertThat(pool.block(1023)).hasToString("10.1.255.192/26");
    }

    @Test
    void poolMayBeOneBlockOrManySingleAddresses() {
        assertThat(pool("10.1.0.0/26", 26).totalBlocks()).as("one block").isEqualTo(1);
        Pool single = pool("255.0.0.0/8", 32);
        assertThat(single.totalBlocks()).as("2^24 addresses").isEqualTo(1 << 24);
        assertThat(single.block((1 << 24) - 1)).hasToString("255.255.255.255/32");
    }

    @Test
    void wrongSizesAreRefusedWithTheRange() {
        assertThatThrownBy(() -> pool("10.1.0.0/16", 15)).hasMessageContaining("must be 16 to 32, got 15");
        assertThatThrownBy(() -> pool("10.1.0.0/16", 33)).hasMessageContaining("must be 16 to 32, got 33");
        assertThatThrownBy(() -> pool("0.0.0.0/4", 29)).hasMessageContaining("must be 4 to 28, got 29");
        assertThatThrownBy(() -> pool("fd00::/64", 120)).hasMessageContaining("IPv4");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "A", "a/b", "-a", "a-", "a.b", "a b"})
    void wrongNamesAreRefused(String name) {
        assertThatThrownBy(() -> new Pool(name, IpPrefix.parse("10.1.0.0/16"), 26))
                .as("name '%s'", name)
                .isInstanceOf(IllegalArgumentException.class);
    }
}

package io.podwire.common.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.podwire.common.testing.Seeds;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** MAC addresses and node names. */
final class NamesTest {
    @Test
    void macsComeBackAsTheyWere() {
        Seeds.forEach(NamesTest.class, 300, random -> {
            byte[] bytes = new byte[6];
            random.nextBytes(bytes);
            MacAddress mac = MacAddress.ofBytes(bytes);
            assertThat(mac.bytes()).isEqualTo(bytes);
            assertThat(mac).hasToString(HexFormat.ofDelimiter(":").formatHex(bytes));
            assertThat(MacAddress.parse(mac.toString())).isEqualTo(mac);
            assertThat(MacAddress.parse(mac.toString().toUpperCase(java.util.Locale.ROOT)))
                    .isEqualTo(mac);
            assertThat(new MacAddress(mac.bits())).isEqualTo(mac);
        });
    }

    @Test
    void aMadeMacIsLocalAndUnicastAndKeepsFortyBits() {
        Seeds.forEach(NamesTest.class, 300, random -> {
            long value = random.nextLong();
            MacAddress mac = MacAddress.locallyAdministered(value);
            assertThat(mac.bytes()[0]).isEqualTo((byte) 2);
            assertThat(mac.bits() & 0xFF_FFFF_FFFFL).isEqualTo(value & 0xFF_FFFF_FFFFL);
        });
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "02:00:00:00:00",
                "02:00:00:00:00:00:00",
                "2:0:0:0:0:0",
                "02-00-00-00-00-00",
                "02:00:00:00:00:0g",
                "020000000000",
                " 02:00:00:00:00:00",
                "02:00:00:00:00:00\n"
            })
    void whatIsNoMacIsRefused(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> MacAddress.parse(text));
    }

    @Test
    void aMacHas48Bits() {
        assertThatIllegalArgumentException().isThrownBy(() -> new MacAddress(1L << 48));
        assertThatIllegalArgumentException().isThrownBy(() -> new MacAddress(-1));
        assertThatIllegalArgumentException().isThrownBy(() -> MacAddress.ofBytes(new byte[5]));
        assertThat(new MacAddress((1L << 48) - 1)).hasToString("ff:ff:ff:ff:ff:ff");
        assertThat(MacAddress.parse("02:00:00:00:00:01")).isLessThan(MacAddress.parse("fe:00:00:00:00:00"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "0", "node-1", "a.b-c.d", "1.2.3.4", "xn--bcher-kva.example"})
    void nodeNamesAreSubdomains(String name) {
        assertThat(new NodeName(name)).hasToString(name);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "A", "a_b", "-a", "a-", "a..b", ".a", "a.", "a b", "a/b", "a\n", "\u00e4", "a.-b", "a-.b"})
    void otherNodeNamesAreRefused(String name) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new NodeName(name))
                .withMessageContaining("is not a node name");
    }

    @Test
    void aNodeNameHasAtMost253Characters() {
        assertThat(new NodeName("a".repeat(253)).value()).hasSize(253);
        assertThatIllegalArgumentException().isThrownBy(() -> new NodeName("a".repeat(254)));
    }
}

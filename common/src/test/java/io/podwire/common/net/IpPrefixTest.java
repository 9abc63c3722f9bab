package io.podwire.common.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.podwire.common.testing.Seeds;
import java.math.BigInteger;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class IpPrefixTest {
    @ParameterizedTest
    @CsvSource({
        "0.0.0.0/0, 0.0.0.0/0, 255.255.255.255",
        "10.1.0.0/26, 10.1.0.0/26, 10.1.0.63",
        "10.1.0.7/32, 10.1.0.7/32, 10.1.0.7",
        "::/0, ::/0, ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:DB8::/32, 2001:db8::/32, 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db8::/64, 2001:db8::/64, 2001:db8::ffff:ffff:ffff:ffff",
        "2001:db8::80/122, 2001:db8::80/122, 2001:db8::bf",
        "::1/128, ::1/128, ::1",
    })
    void textIsReadAndWritten(String text, String canonical, String last) {
        IpPrefix prefix = IpPrefix.parse(text);
        assertThat(prefix).hasToString(canonical);
        assertThat(prefix.last()).hasToString(last);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "/",
                "10.0.0.0",
                "10.0.0.0/",
                "/8",
                "10.0.0.0/33",
                "10.0.0.0/-1",
                "10.0.0.0/+8",
                "10.0.0.0/8 ",
                "10.0.0.0/ 8",
                "10.0.0.0/0x8",
                "10.0.0.0/8/8",
                "10.0.0.1/8",
                "::/129",
                "::1/127",
                "10.0.0.0/1000",
                "::ffff:10.0.0.0/104",
                "x/8"
            })
    void whatIsNoPrefixIsRefused(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> IpPrefix.parse(text));
    }

    @Test
    void hostBitsAreNamedTogetherWithWhatWasMeant() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> IpPrefix.parse("10.1.2.3/16"))
                .withMessageContaining("its network is 10.1.0.0/16");
    }

    /** Against the interval of numbers that a prefix is. */
    @Test
    void everythingAgreesWithTheInterval() {
        Seeds.forEach(IpPrefixTest.class, 1000, random -> {
            IpPrefix a = random(random);
            IpPrefix b = random.nextInt(3) == 0
                    ? IpPrefix.containing(a.last(), random.nextInt(a.length() + 1))
                    : random(random);
            BigInteger size = BigInteger.TWO.pow(a.family().bits() - a.length());
            assertThat(a.size()).isEqualTo(size);
            assertThat(first(a).mod(size)).as("aligned").isEqualTo(BigInteger.ZERO);
            assertThat(last(a)).isEqualTo(first(a).add(size).subtract(BigInteger.ONE));
            boolean same = a.family() == b.family();
            boolean inside = same && first(a).compareTo(first(b)) <= 0 && last(b).compareTo(last(a)) <= 0;
            boolean meet = same && first(a).compareTo(last(b)) <= 0 && first(b).compareTo(last(a)) <= 0;
            assertThat(a.contains(b)).as("%s contains %s", a, b).isEqualTo(inside);
            assertThat(a.overlaps(b)).as("%s overlaps %s", a, b).isEqualTo(meet);
            assertThat(b.overlaps(a)).isEqualTo(meet);
            IpAddress address = random.nextBoolean() ? b.address() : b.last();
            boolean holds = same
                    && first(a).compareTo(address.toBigInteger()) <= 0
                    && address.toBigInteger().compareTo(last(a)) <= 0;
            assertThat(a.contains(address)).as("%s contains %s", a, address).isEqualTo(holds);
            assertThat(IpPrefix.parse(a.toString())).isEqualTo(a);
            assertThat(IpPrefix.containing(a.last(), a.length())).isEqualTo(a);
            assertThat(IpPrefix.ofHost(address).size()).isEqualTo(BigInteger.ONE);
        });
    }

    @Test
    void orderIsByAddressThenShorterFirst() {
        Seeds.forEach(IpPrefixTest.class, 300, random -> {
            IpPrefix a = random(random);
            IpPrefix b = random.nextBoolean()
                    ? IpPrefix.containing(a.address(), random.nextInt(a.length() + 1))
                    : random(random);
            int byAddress = a.address().compareTo(b.address());
            int wanted = byAddress != 0 ? byAddress : Integer.compare(a.length(), b.length());
            assertThat(Integer.signum(a.compareTo(b))).as("%s and %s", a, b).isEqualTo(Integer.signum(wanted));
        });
    }

    private static BigInteger first(IpPrefix prefix) {
        return prefix.address().toBigInteger();
    }

    private static BigInteger last(IpPrefix prefix) {
        return prefix.last().toBigInteger();
    }

    private static IpPrefix random(RandomGenerator random) {
        byte[] bytes = new byte[random.nextBoolean() ? 4 : 16];
        random.nextBytes(bytes);
        // Few different first bytes, so that prefixes meet.
        bytes[0] = (byte) (random.nextInt(3) * 85);
        return IpPrefix.containing(IpAddress.ofBytes(bytes), random.nextInt(bytes.length * 8 + 1));
    }
}

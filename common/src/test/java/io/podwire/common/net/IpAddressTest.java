package io.podwire.common.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.podwire.common.testing.Seeds;
import java.math.BigInteger;
import java.net.InetAddress;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class IpAddressTest {
    @ParameterizedTest
    @CsvSource({
        "0.0.0.0, 0.0.0.0",
        "255.255.255.255, 255.255.255.255",
        "10.1.2.3, 10.1.2.3",
        "::, ::",
        "::1, ::1",
        "2001:DB8:0:0:0:0:0:1, 2001:db8::1",
        "2001:db8:0:1:1:1:1:1, 2001:db8:0:1:1:1:1:1",
        "1:0:0:2:0:0:0:3, 1:0:0:2::3",
        "fe80::1, fe80::1",
        "::ffff:10.0.0.1, 10.0.0.1",
        "64:ff9b::10.0.0.1, 64:ff9b::a00:1",
    })
    void textIsReadAndWrittenAsRfc5952Says(String text, String canonical) {
        assertThat(IpAddress.parse(text)).hasToString(canonical);
        assertThat(IpAddress.parse(canonical)).isEqualTo(IpAddress.parse(text));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "1.2.3",
                "1.2.3.4.5",
                "256.0.0.1",
                "1.2.3.4 ",
                "01.2.3.4",
                "1.2.3.4/32",
                "0x1.2.3.4",
                "localhost",
                "fe80::1%eth0",
                "1::2::3",
                ":::",
                "12345::",
                "1.2.3.-4",
                "\u0661.2.3.4",
                "[::1]",
                "1.2.3.4\n"
            })
    void whatIsNoAddressIsRefusedWithoutAskingDns(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> IpAddress.parse(text))
                .withMessageContaining("is not an IP address");
    }

    @Test
    void bytesAndInetAddressesAgree() {
        Seeds.forEach(IpAddressTest.class, 500, random -> {
            byte[] bytes = new byte[random.nextBoolean() ? 4 : 16];
            random.nextBytes(bytes);
            IpAddress address = IpAddress.ofBytes(bytes);
            assertThat(address.bytes()).isEqualTo(bytes);
            assertThat(address.toInetAddress()).isEqualTo(InetAddress.getByAddress(bytes));
            assertThat(address.toBigInteger()).isEqualTo(new BigInteger(1, bytes));
            assertThat(IpAddress.parse(address.toString())).isEqualTo(address);
            assertThat(InetAddress.getByName(address.toString()).getAddress()).isEqualTo(bytes);
        });
    }

    @Test
    void orderIsThatOfTheFamilyThenOfTheNumber() {
        Seeds.forEach(IpAddressTest.class, 500, random -> {
            IpAddress a = random(random);
            IpAddress b = random.nextInt(5) == 0 ? a : random(random);
            int byFamily = a.family().compareTo(b.family());
            int wanted = byFamily != 0 ? byFamily : a.toBigInteger().compareTo(b.toBigInteger());
            assertThat(Integer.signum(a.compareTo(b))).as("%s and %s", a, b).isEqualTo(Integer.signum(wanted));
            assertThat(a.equals(b)).isEqualTo(wanted == 0);
        });
    }

    @Test
    void plusIsTheNumbersSumOrRefused() {
        Seeds.forEach(IpAddressTest.class, 500, random -> {
            IpAddress address = random.nextInt(3) == 0 ? last(random) : random(random);
            long offset = random.nextBoolean() ? random.nextInt(300) : random.nextLong() >>> 1 >>> random.nextInt(63);
            BigInteger sum = address.toBigInteger().add(BigInteger.valueOf(offset));
            if (sum.bitLength() > address.family().bits()) {
                assertThatIllegalArgumentException()
                        .as("%s + %d", address, offset)
                        .isThrownBy(() -> address.plus(offset))
                        .withMessageContaining("past the last address");
            } else {
                assertThat(address.plus(offset).toBigInteger())
                        .as("%s + %d", address, offset)
                        .isEqualTo(sum);
                assertThat(address.plus(offset).family()).isEqualTo(address.family());
            }
        });
    }

    @Test
    void wrongNumbersAreRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> new IpAddress(IpFamily.V4, 1, 0));
        assertThatIllegalArgumentException().isThrownBy(() -> new IpAddress(IpFamily.V4, 0, 1L << 32));
        assertThatIllegalArgumentException().isThrownBy(() -> new IpAddress(IpFamily.V4, 0, -1));
        assertThatIllegalArgumentException().isThrownBy(() -> IpAddress.ofBytes(new byte[5]));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> IpAddress.parse("10.0.0.1").plus(-1));
        assertThat(IpAddress.ofV4(-1)).hasToString("255.255.255.255");
    }

    private static IpAddress random(RandomGenerator random) {
        byte[] bytes = new byte[random.nextBoolean() ? 4 : 16];
        random.nextBytes(bytes);
        return IpAddress.ofBytes(bytes);
    }

    private static IpAddress last(RandomGenerator random) {
        byte[] bytes = new byte[random.nextBoolean() ? 4 : 16];
        java.util.Arrays.fill(bytes, (byte) 0xff);
        bytes[bytes.length - 1] = (byte) random.nextInt();
        bytes[random.nextInt(bytes.length)] = (byte) (random.nextBoolean() ? 0xff : random.nextInt());
        return IpAddress.ofBytes(bytes);
    }
}

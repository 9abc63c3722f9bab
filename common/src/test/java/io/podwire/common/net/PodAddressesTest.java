package io.podwire.common.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Test;

final class PodAddressesTest {
    private static final IpAddress V4 = IpAddress.parse("10.1.0.5");
    private static final IpAddress V6 = IpAddress.parse("fd00::5");

    @Test
    void ipv4StandsFirstHoweverTheyCome() {
        PodAddresses both = PodAddresses.of(V6, V4);
        assertThat(both.list()).containsExactly(V4, V6);
        assertThat(both.first()).isEqualTo(V4);
        assertThat(both)
                .isEqualTo(PodAddresses.parse(List.of("10.1.0.5", "fd00::5")))
                .hasToString("10.1.0.5, fd00::5");
        assertThat(both.families()).containsExactly(IpFamily.V4, IpFamily.V6);
        assertThat(both.of(IpFamily.V6)).hasValue(V6);
        PodAddresses one = PodAddresses.of(V6);
        assertThat(one.first()).isEqualTo(V6);
        assertThat(one.of(IpFamily.V4)).isEmpty();
    }

    @Test
    void noneAndTwoOfAFamilyAreRefused() {
        assertThatIllegalArgumentException().isThrownBy(PodAddresses::of).withMessageContaining("got []");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PodAddresses.of(V4, IpAddress.parse("10.1.0.6")))
                .withMessageContaining("10.1.0.6");
        assertThatIllegalArgumentException().isThrownBy(() -> PodAddresses.of(V6, V6, V4));
    }
}

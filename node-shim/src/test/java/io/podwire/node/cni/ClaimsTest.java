package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatNoException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.MacAddress;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.HostPort;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.plan.PodRequest;
import io.podwire.node.plan.Shaping;
import io.podwire.node.testing.Attachments;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ClaimsTest {
    private static final EndpointKey A = new EndpointKey("a", "eth0");
    private static final EndpointKey B = new EndpointKey("b", "eth0");
    private static final MacAddress MAC = MacAddress.parse("02:00:00:00:00:07");

    private final Claims claims = new Claims();

    private static HostPort port(String text) {
        String[] words = text.split(" ", -1);
        return new HostPort(
                IpProtocol.of(words[0]).orElseThrow(),
                Integer.parseInt(words[1]),
                80,
                words.length == 2 ? Optional.empty() : Optional.of(IpAddress.parse(words[2])));
    }

    @ParameterizedTest
    @CsvSource({
        "tcp 80, tcp 80, true",
        "tcp 80, udp 80, false",
        "tcp 80, tcp 81, false",
        "tcp 80, tcp 80 192.0.2.1, true",
        "tcp 80 192.0.2.1, tcp 80 192.0.2.2, false",
        "tcp 80 0.0.0.0, tcp 80 192.0.2.2, true",
        "tcp 80 0.0.0.0, tcp 80 ::, false",
    })
    void aPortThatCouldMeanAnotherPodIsRefused(String first, String second, boolean clash) throws CniException {
        claims.claimPorts(A, "shop/web", List.of(port(first)));
        CniException refused = catchThrowableOfType(
                CniException.class, () -> claims.claimPorts(B, "", List.of(port("tcp 9"), port(second))));
        assertThat(refused != null).as("%s beside %s is refused", second, first).isEqualTo(clash);
        if (clash) {
            assertThat(refused.code().value()).isEqualTo(7);
            assertThat(refused.details()).contains("pod shop/web (a/eth0)");
            assertThatNoException()
                    .as("of what was refused nothing is claimed")
                    .isThrownBy(() -> claims.claimPorts(new EndpointKey("c", "eth0"), "", List.of(port("tcp 9"))));
        }
    }

    @Test
    void whatIsGivenBackIsFree() throws CniException {
        claims.claimPorts(A, "", List.of(port("tcp 80")));
        claims.claimMac(A, "", MAC);
        claims.claimMac(A, "", MAC);
        claims.release(A);
        claims.release(A);
        claims.claimPorts(B, "", List.of(port("tcp 80")));
        claims.claimMac(B, "", MAC);
    }

    @Test
    void aMacAddressIsOnePodsAndNeverTheBridges() throws CniException {
        claims.claimMac(A, "shop/web", MAC);
        assertThat(catchThrowableOfType(CniException.class, () -> claims.claimMac(B, "", MAC)))
                .hasMessageContaining("02:00:00:00:00:07 is taken")
                .extracting(CniException::details)
                .asString()
                .contains("pod shop/web (a/eth0)");
        assertThat(catchThrowableOfType(CniException.class, () -> claims.claimMac(B, "", PodNames.BRIDGE_MAC)))
                .extracting(CniException::details)
                .asString()
                .contains("pw0");
    }

    @Test
    void whatTheJournalHasIsClaimed() {
        Attachment attached = Attachments.of("a", "10.1.0.5")
                .asking(new PodRequest(
                        List.of(),
                        Optional.empty(),
                        Optional.empty(),
                        List.of(port("tcp 80")),
                        Shaping.NONE,
                        Optional.empty(),
                        new TreeMap<>(),
                        OptionalInt.empty(),
                        List.of(),
                        false));
        Claims restored = Claims.of(List.of(attached));
        assertThat(catchThrowableOfType(CniException.class, () -> restored.claimPorts(B, "", List.of(port("tcp 80")))))
                .isNotNull();
        assertThat(catchThrowableOfType(CniException.class, () -> restored.claimMac(B, "", attached.mac())))
                .isNotNull();
    }
}

package io.podwire.common.service;

import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.podwire.common.error.ServiceException;
import io.podwire.proto.common.v1.Handshake;
import org.junit.jupiter.api.Test;

class HandshakesTest {
    @Test
    void aLevelThatBothSpeakIsNeeded() {
        Handshakes.check(handshake(1, 1), 1);
        Handshakes.check(handshake(5, 1), 1);
        assertThatExceptionOfType(ServiceException.class)
                .isThrownBy(() -> Handshakes.check(handshake(0, 0), 1))
                .withMessageStartingWith("handshake.protocol: not set");
        assertThatExceptionOfType(ServiceException.class)
                .isThrownBy(() -> Handshakes.check(handshake(5, 2), 1))
                .withMessageContaining("speaks level 1")
                .withMessageContaining("2 to 5");
        assertThatExceptionOfType(ServiceException.class)
                .isThrownBy(() -> Handshakes.check(handshake(1, 1), 2))
                .withMessageContaining("upgrade the older one");
    }

    private static Handshake handshake(int protocol, int minProtocol) {
        return Handshake.newBuilder()
                .setProtocol(protocol)
                .setMinProtocol(minProtocol)
                .build();
    }
}

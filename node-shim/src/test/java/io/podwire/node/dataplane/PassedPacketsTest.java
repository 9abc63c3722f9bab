package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class PassedPacketsTest {
    private static final String TABLE = """
            Inter-|   Receive                                                |  Transmit
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
                lo: 4096       40    0    0    0     0          0         0     4096       40    0    0    0     0       0          0
            pw1abcdefgh1234:123456789  %s   1    2    0     0          0         0 987654321     3    0    4    0     0       0          0
            """;

    @Test
    void whatCameInAndWhatLeftIsOneNumber() {
        PassedPackets before = PassedPackets.parse(TABLE.formatted("100"));
        assertThat(before.byName()).containsEntry("lo", 80L).containsEntry("pw1abcdefgh1234", 103L);
        assertThat(PassedPackets.parse(TABLE.formatted("150")).since(before, "pw1abcdefgh1234"))
                .isEqualTo(50);
    }

    @Test
    void aDeviceThatIsNewOrGoneHasPassedNone() {
        PassedPackets one = PassedPackets.parse(TABLE.formatted("100"));
        assertThat(one.since(PassedPackets.parse(""), "lo")).isZero();
        assertThat(PassedPackets.parse("").since(one, "lo")).isZero();
    }
}

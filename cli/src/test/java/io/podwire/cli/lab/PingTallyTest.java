package io.podwire.cli.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class PingTallyTest {
    @Test
    void gapsAreLostAndTheEndIsNot() {
        assertThat(PingTally.of(
                        "PING 10.244.0.2 (10.244.0.2) 56(84) bytes of data.\n" + reply(1) + reply(2) + reply(5)))
                .as("3 and 4 are missing; 6 may be on its way")
                .isEqualTo(new PingTally(3, List.of(3, 4)));
    }

    @Test
    void aDuplicateIsOneReply() {
        assertThat(PingTally.of(reply(1) + reply(2) + reply(2) + reply(3)))
                .as("DUP!")
                .isEqualTo(new PingTally(3, List.of()));
    }

    @Test
    void noReplyIsNoReply() {
        assertThat(PingTally.of("From 10.244.0.1 icmp_seq=1 Destination Host Unreachable\n"))
                .as("an error is no reply")
                .isEqualTo(new PingTally(0, List.of()));
    }

    @Test
    void theFirstOnesCountToo() {
        assertThat(PingTally.of(reply(3))).as("1 and 2 are lost").isEqualTo(new PingTally(1, List.of(1, 2)));
    }

    private static String reply(int sequence) {
        return "64 bytes from 10.244.0.2: icmp_seq=" + sequence + " ttl=62 time=0.1 ms\n";
    }
}

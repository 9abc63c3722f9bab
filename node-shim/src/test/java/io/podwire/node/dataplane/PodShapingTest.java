package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.node.netlink.rt.TokenBucket;
import io.podwire.node.plan.RateLimit;
import org.junit.jupiter.api.Test;

final class PodShapingTest {
    @Test
    void aBucketHasTheRateInBytesAndAQueueOfTwentyFiveMilliseconds() {
        TokenBucket bucket = PodShaping.bucket(new RateLimit(8_000_000, 64_000), 1450);
        assertThat(bucket).isEqualTo(new TokenBucket(1_000_000, 64_000, 64_000 + 25_000));
    }

    @Test
    void aBurstTakesAWholePacketAndFitsTheKernel() {
        assertThat(PodShaping.bucket(new RateLimit(8_000, 1), 1450).burst()).isEqualTo(1464);
        assertThat(PodShaping.bucket(new RateLimit(8_000, 1465), 1450).burst()).isEqualTo(1465);
        TokenBucket most = PodShaping.bucket(new RateLimit(RateLimit.MAX_RATE, RateLimit.MAX_BURST_BYTES), 65_535);
        assertThat(most.burst()).isEqualTo(RateLimit.MAX_BURST_BYTES);
        assertThat(most.limit()).as("cut to 32 bits").isEqualTo(RateLimit.MAX_BURST_BYTES);
    }

    @Test
    void theLeastRateIsARate() {
        assertThat(PodShaping.bucket(RateLimit.ofRate(RateLimit.MIN_RATE), 1450).rate())
                .isEqualTo(125);
    }
}

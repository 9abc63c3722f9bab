package io.podwire.node.netlink.rt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.testing.Seeds;
import io.podwire.node.netlink.rt.QdiscKind.TokenBucketQueue;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** Which buckets are what the kernel tells. */
class TokenBucketTest {
    private static final long U32 = 0xFFFF_FFFFL;
    private static final long MEGABIT = 125_000;

    @Test
    void aBucketIsFoundInWhatTheKernelMakesOfIt() {
        Seeds.forEach(TokenBucketTest.class, 3000, random -> {
            TokenBucket bucket = new TokenBucket(
                    1 + (random.nextLong(1L << 37) >>> random.nextInt(37)),
                    1 + (random.nextLong(U32) >>> random.nextInt(32)),
                    1 + random.nextLong(U32));
            TokenBucketQueue told = told(bucket);
            assertThat(bucket.matches(told)).as("%s as %s", bucket, told).isTrue();
            assertThat(new TokenBucket(bucket.rate() + 1, bucket.burst(), bucket.limit()).matches(told))
                    .as("another rate than %s", bucket)
                    .isFalse();
            assertThat(new TokenBucket(bucket.rate(), bucket.burst(), bucket.limit() % U32 + 1).matches(told))
                    .as("another limit than %s", bucket)
                    .isFalse();
            long other = bucket.burst() / 2 + 1;
            long apart = Math.abs(told(new TokenBucket(bucket.rate(), other, 1)).burstTicks() - told.burstTicks());
            if (apart > 1000 && bucket.burstTicks() < 1L << 32) {
                assertThat(new TokenBucket(bucket.rate(), other, bucket.limit()).matches(told))
                        .as("half the burst of %s", bucket)
                        .isFalse();
            }
        });
    }

    /** What a runtime sends for a rate without a burst: 2^32-1 bits. */
    @Test
    void aBurstThatTakesAnHourIsCutToItsLowBits() {
        TokenBucket bucket = new TokenBucket(MEGABIT, U32 / 8, U32);
        assertThat(bucket.burstTicks()).as("ticks").isGreaterThan(U32);
        TokenBucketQueue told = told(bucket);
        assertThat(told.burstTicks()).as("told").isLessThanOrEqualTo(U32);
        assertThat(bucket.matches(told)).as("found").isTrue();
        assertThat(new TokenBucket(MEGABIT, U32 / 16, U32).matches(told))
                .as("half of it")
                .isFalse();
    }

    @Test
    void theLimitIsTheBurstAndWhatWaits() {
        assertThat(TokenBucket.withLatency(MEGABIT, 10_000, Duration.ofMillis(25))
                        .limit())
                .as("limit")
                .isEqualTo(10_000 + 3125);
        assertThat(TokenBucket.withLatency(1L << 50, U32, Duration.ofSeconds(100))
                        .limit())
                .as("more than 32 bits")
                .isEqualTo(U32);
    }

    @Test
    void ranges() {
        assertThatThrownBy(() -> new TokenBucket(0, 1, 1)).as("rate").hasMessageContaining("1 byte a second or more");
        for (long bytes : new long[] {-1, 0, 1L << 32}) {
            assertThatThrownBy(() -> new TokenBucket(1, bytes, 1))
                    .as("burst")
                    .hasMessage("burst must be 1 to 4294967295 bytes, got " + bytes);
            assertThatThrownBy(() -> new TokenBucket(1, 1, bytes))
                    .as("limit")
                    .hasMessage("limit must be 1 to 4294967295 bytes, got " + bytes);
        }
    }

    /** As tbf_change() and tbf_dump() do in net/sched/sch_tbf.c, with the rate's inverse of sch_generic.c. */
    private static TokenBucketQueue told(TokenBucket bucket) {
        long factor = 1_000_000_000;
        long multiplier = factor / bucket.rate();
        int shift = 0;
        while ((multiplier & 1L << 31) == 0 && factor > 0) {
            factor <<= 1;
            shift++;
            multiplier = Long.divideUnsigned(factor, bucket.rate()) & U32;
        }
        long nanos = Long.divideUnsigned(bucket.burst() * multiplier, 1L << shift);
        return new TokenBucketQueue(bucket.rate(), nanos >>> 6 & U32, bucket.limit());
    }
}

package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.MemoryIpamStore;
import io.podwire.ipam.store.Outcome;
import io.podwire.ipam.store.Reading;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CasFlowTest {
    private Duration now = Duration.ZERO;
    private int writes;
    private int failingReads;

    private final TimeSource time = new TimeSource() {
        @Override
        public Duration monotonic() {
            return now;
        }

        @Override
        public Instant wall() {
            return Instant.EPOCH;
        }
    };

    private void createOver(Outcome always) {
        MemoryIpamStore real = new MemoryIpamStore();
        IpamStore store = new IpamStore() {
            @Override
            public Reading read(long since) {
                if (failingReads-- > 0) {
                    throw new ServiceException(ErrorReason.UNAVAILABLE, "no answer");
                }
                return real.read(since);
            }

            @Override
            public long revision() {
                return real.revision();
            }

            @Override
            public Outcome compareAndSet(List<Change> changes) {
                writes++;
                return always;
            }

            @Override
            public boolean connected() {
                return true;
            }

            @Override
            public void close() {}
        };
        CasFlow flow = new CasFlow(store, Duration.ofSeconds(3), time, wait -> now = now.plus(wait), new Random(1));
        new PoolFlow(flow).create(new Pool("a", IpPrefix.parse("10.1.0.0/16"), 26));
    }

    @Test
    void lostRacesEndWithThePatience() {
        assertThatThrownBy(() -> createOver(new Outcome.Conflict()))
                .isInstanceOfSatisfying(
                        ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.CONTENTION))
                .hasMessageContaining("creation of pool a=10.1.0.0/16/26: other writers kept winning for PT3S");
        assertThat(now).as("given up after").isBetween(Duration.ofSeconds(2), Duration.ofSeconds(3));
        assertThat(writes).as("tries in 3 s, with backoff").isBetween(15, 60);
    }

    @Test
    void lostAnswersEndAsUnavailableThatMayHaveHappened() {
        assertThatThrownBy(() -> createOver(new Outcome.Unknown()))
                .isInstanceOfSatisfying(
                        ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.UNAVAILABLE))
                .hasMessageContaining("may have taken place; repeat the same request");
    }

    @Test
    void readsThatFailAreTriedAgain() {
        failingReads = 3;
        createOver(new Outcome.Applied(1));
        assertThat(writes).as("writes after three failed reads").isEqualTo(1);
        failingReads = Integer.MAX_VALUE;
        assertThatThrownBy(() -> createOver(new Outcome.Applied(1)))
                .hasMessage("creation of pool a=10.1.0.0/16/26: no answer");
    }
}

package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.PoolUsage;
import io.podwire.ipam.service.PoolWatch.Watcher;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.MemoryIpamStore;
import io.podwire.ipam.store.Outcome;
import io.podwire.ipam.store.Reading;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PoolWatchTest {
    private static final Duration SIGN_OF_LIFE = Duration.ofSeconds(10);
    private static final Pool A = new Pool("a", IpPrefix.parse("10.1.0.0/24"), 26);

    private final MemoryIpamStore memory = new MemoryIpamStore();
    private final AtomicInteger loads = new AtomicInteger();
    private final AtomicInteger looks = new AtomicInteger();
    private volatile boolean away;
    private volatile Duration now = Duration.ofHours(1);

    private final IpamStore store = new IpamStore() {
        @Override
        public Reading read(long since) {
            loads.incrementAndGet();
            return memory.read(since);
        }

        @Override
        public long revision() {
            looks.incrementAndGet();
            if (away) {
                throw new ServiceException(ErrorReason.UNAVAILABLE, "the store is away");
            }
            return memory.revision();
        }

        @Override
        public Outcome compareAndSet(List<Change> changes) {
            return memory.compareAndSet(changes);
        }

        @Override
        public boolean connected() {
            return !away;
        }

        @Override
        public void close() {}
    };

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

    private final CasFlow flow = Interleaving.flow(store);
    private final PoolFlow pools = new PoolFlow(flow);
    private final PoolWatch watch = new PoolWatch(flow, time, Duration.ofMillis(1), SIGN_OF_LIFE);

    @AfterEach
    void close() {
        watch.close();
    }

    /** A watcher whose messages and failures wait in queues. */
    private final class Reader {
        private final BlockingQueue<List<PoolUsage>> messages = new LinkedBlockingQueue<>();
        private final BlockingQueue<ServiceException> failures = new LinkedBlockingQueue<>();
        private volatile boolean ready = true;
        private final Watcher watcher = new Watcher(() -> ready, messages::add, failures::add);

        Reader() {
            watch.add(watcher);
        }

        List<PoolUsage> next() throws InterruptedException {
            List<PoolUsage> message = messages.poll(10, TimeUnit.SECONDS);
            assertThat(message).as("a message within 10 s").isNotNull();
            return message;
        }
    }

    /** Waits until the store was asked twice more: whatever the first of them changed is done. */
    private void twoLooks() {
        int before = looks.get();
        org.awaitility.Awaitility.await().until(() -> looks.get() > before + 2);
    }

    private static PoolUsage unused(Pool pool) {
        return new PoolUsage(pool, 0);
    }

    private Pool become(PoolState state) {
        return pools.update("a", List.of(new PoolEdit.State(state)));
    }

    @Test
    void watcherHearsOfWhatIsThereAndOfEachChange() throws InterruptedException {
        Reader reader = new Reader();
        assertThat(reader.next()).as("no pool yet").isEmpty();
        pools.create(A);
        assertThat(reader.next()).containsExactly(unused(A));
        Pool draining = become(PoolState.DRAINING);
        assertThat(reader.next()).containsExactly(unused(draining));
        pools.delete("a");
        assertThat(reader.next()).isEmpty();
        twoLooks();
        assertThat(reader.messages).as("what was told is not told again").isEmpty();
    }

    @Test
    void slowWatcherGetsTheNewestStateOnly() throws InterruptedException {
        Reader slow = new Reader();
        slow.next();
        slow.ready = false;
        Reader other = new Reader();
        other.next();
        pools.create(A);
        other.next();
        become(PoolState.DRAINING);
        other.next();
        Pool active = become(PoolState.ACTIVE);
        assertThat(other.next()).containsExactly(unused(active));
        assertThat(slow.messages).as("nothing while it reads").isEmpty();
        slow.ready = true;
        watch.writable(slow.watcher);
        assertThat(slow.next()).containsExactly(unused(active));
        twoLooks();
        assertThat(slow.messages).isEmpty();
    }

    @Test
    void silenceIsBrokenBySignsOfLife() throws InterruptedException {
        Reader reader = new Reader();
        reader.next();
        now = now.plus(SIGN_OF_LIFE).minusNanos(1);
        twoLooks();
        assertThat(reader.messages).isEmpty();
        now = now.plusNanos(1);
        assertThat(reader.next()).isEmpty();
        twoLooks();
        assertThat(reader.messages).as("one sign a time").isEmpty();
    }

    @Test
    void unreadableStoreIsSilence() throws InterruptedException {
        Reader before = new Reader();
        before.next();
        away = true;
        now = now.plus(SIGN_OF_LIFE);
        Reader refused = new Reader();
        assertThat(refused.failures.poll(10, TimeUnit.SECONDS)).hasMessage("the store is away");
        twoLooks();
        assertThat(before.messages).as("no sign of life without a look").isEmpty();
        pools.create(A);
        away = false;
        assertThat(before.next()).containsExactly(unused(A));
        assertThat(refused.messages).as("it has ended").isEmpty();
    }

    @Test
    void storeIsReadWhenItChangedAndNotAskedWithoutWatchers() throws InterruptedException {
        Reader reader = new Reader();
        reader.next();
        int read = loads.get();
        twoLooks();
        assertThat(loads.get()).as("reads of a store that stays as it is").isEqualTo(read);
        watch.gone(reader.watcher);
        Reader last = new Reader();
        last.next();
        watch.gone(last.watcher);
        pools.create(A);
        Reader again = new Reader();
        assertThat(again.next()).containsExactly(unused(A));
        assertThat(reader.messages).as("it is gone").isEmpty();
    }
}

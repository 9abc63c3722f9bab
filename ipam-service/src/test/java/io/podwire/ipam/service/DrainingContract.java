package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.binding.Binding;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.core.BlockRules;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.DrainPace;
import io.podwire.ipam.core.HoldingPod;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.store.IpamStore;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Two replicas that drain one pool together, on each store. Each looks when the test says so, on a clock by hand. */
abstract class DrainingContract {
    private static final NodeEpoch NODE = new NodeEpoch(new NodeName("n1"), "u1", "boot-1", 1);
    private static final Duration NEVER = Duration.ofHours(1);
    private static final Duration TURN = new DrainPace(10).turn();

    private Duration now = Duration.ZERO;
    /** What happens once, when somebody looks at the clock next: a replica does so after it has read the store. */
    private Runnable meanwhile = () -> {};

    private final TimeSource time = new TimeSource() {
        @Override
        public Duration monotonic() {
            Runnable once = meanwhile;
            meanwhile = () -> {};
            once.run();
            return now;
        }

        @Override
        public Instant wall() {
            return Instant.EPOCH;
        }
    };

    private final List<HoldingPod> evicted = new ArrayList<>();
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private Evictor.Outcome answer = Evictor.Outcome.EVICTED;
    private IpamStore store;
    private PoolFlow pools;
    private BlockFlow blocks;
    private Draining first;
    private Draining second;

    /** An empty store. */
    abstract IpamStore open() throws IOException;

    @BeforeEach
    void prepare() throws IOException {
        store = open();
        CasFlow flow = flow();
        pools = new PoolFlow(flow);
        blocks = new BlockFlow(flow);
        pools.create(new Pool("a", IpPrefix.parse("10.1.0.0/24"), 26));
        var _ = blocks.claim(new ClaimRequest(NODE, Map.of(), "a", IpFamily.V4, "r1"));
        first = replica(flow());
        second = replica(flow());
    }

    @AfterEach
    void close() {
        first.close();
        second.close();
        store.close();
    }

    private CasFlow flow() {
        return new CasFlow(store, Duration.ofSeconds(5), TimeSource.SYSTEM, Thread::sleep, new Random(1));
    }

    private Draining replica(CasFlow flow) {
        BindingTable bindings = new BindingTable();
        bindings.full(
                new BindingTable.Stream(_ -> {}),
                NODE,
                IntStream.range(1, 9)
                        .mapToObj(i -> new Binding(
                                IpAddress.parse("10.1.0." + i),
                                Binding.State.IN_USE,
                                new Binding.Holder("c" + i, "eth0", "shop", "web-" + i, "uid-" + i, "podwire"),
                                Instant.ofEpochSecond(i)))
                        .toList(),
                Duration.ZERO);
        return new Draining(
                flow,
                bindings,
                Optional.of(pod -> {
                    evicted.add(pod);
                    return answer;
                }),
                time,
                meters,
                NEVER);
    }

    private void drain(int pace) {
        var _ = pools.update(
                "a", List.of(new PoolEdit.State(PoolState.DRAINING), new PoolEdit.Pace(new DrainPace(pace))));
    }

    private void bothLook() {
        first.look();
        second.look();
    }

    @Test
    void togetherTheyKeepThePace() {
        drain(10);
        bothLook();
        assertThat(evicted).as("a turn has to pass first").isEmpty();
        now = TURN.minusNanos(1);
        bothLook();
        assertThat(evicted).isEmpty();
        now = TURN;
        bothLook();
        assertThat(evicted).as("one of both, the oldest").containsExactly(new HoldingPod("shop", "web-1", "uid-1"));
        for (int second = 0; second < 54; second++) {
            now = now.plusSeconds(1);
            bothLook();
        }
        assertThat(evicted.size()).as("in a minute").isBetween(8, 10);
    }

    @Test
    void whoReadBeforeAnotherTookTheTurnDoesNotGetIt() {
        drain(10);
        bothLook();
        now = TURN;
        meanwhile = second::look;
        first.look();
        assertThat(evicted).hasSize(1);
        now = TURN.multipliedBy(2);
        meanwhile = () -> pools.update("a", List.of(new PoolEdit.State(PoolState.ACTIVE)));
        second.look();
        assertThat(evicted).as("it drains no more, though it was read so").hasSize(1);
    }

    @Test
    void withoutAPaceOrWithoutDrainingNobodyIsEvicted() {
        drain(0);
        bothLook();
        now = Duration.ofHours(1);
        bothLook();
        drain(10);
        bothLook();
        var _ = pools.update("a", List.of(new PoolEdit.State(PoolState.ACTIVE)));
        now = Duration.ofHours(2);
        bothLook();
        now = Duration.ofHours(3);
        bothLook();
        assertThat(evicted).isEmpty();
    }

    @Test
    void aPodThatMayNotLeaveKeepsNobodyElse() {
        answer = Evictor.Outcome.LATER;
        drain(10);
        first.look();
        now = TURN;
        first.look();
        assertThat(evicted).as("all are asked").hasSize(8).doesNotHaveDuplicates();
        now = TURN.multipliedBy(2);
        first.look();
        assertThat(evicted).as("not again so soon").hasSize(8);
        answer = Evictor.Outcome.EVICTED;
        now = TURN.plusSeconds(30);
        first.look();
        assertThat(evicted).hasSize(9);
        assertThat(meters.get("podwire.ipam.evictions")
                        .tag("result", "later")
                        .counter()
                        .count())
                .isEqualTo(8);
        assertThat(meters.get("podwire.ipam.draining.addresses")
                        .tag("pool", "a")
                        .gauge()
                        .value())
                .isEqualTo(8);
    }

    @Test
    void retiredOnlyOnceItIsEmpty() {
        drain(10);
        List<PoolEdit> retired = List.of(new PoolEdit.State(PoolState.RETIRED));
        assertThatThrownBy(() -> pools.update("a", retired))
                .isInstanceOf(ServiceException.class)
                .hasMessageContaining("1 blocks owned by n1 are left, first 10.1.0.0/26");
        blocks.release(NODE, IpPrefix.parse("10.1.0.0/26"), BlockRules.ANY_CLAIM);
        assertThat(pools.update("a", retired).state()).isEqualTo(PoolState.RETIRED);
        first.look();
        now = TURN;
        first.look();
        assertThat(evicted).as("it drains no more").isEmpty();
        pools.delete("a");
        assertThat(store.load()).extracting(entry -> entry.key()).noneMatch(key -> key.startsWith("drains/"));
    }

    @Test
    void aPoolThatIsMadeAnewWaitsForItsTurnAnew() {
        drain(10);
        first.look();
        now = TURN;
        first.look();
        assertThat(evicted).hasSize(1);
        blocks.release(NODE, IpPrefix.parse("10.1.0.0/26"), BlockRules.ANY_CLAIM);
        pools.delete("a");
        pools.create(new Pool("a", IpPrefix.parse("10.1.0.0/24"), 26));
        drain(10);
        now = TURN.multipliedBy(2);
        bothLook();
        assertThat(evicted).hasSize(1);
        assertThat(blocks.ledger().pools()).extracting(Pool::drainPace).isEqualTo(List.of(new DrainPace(10)));
        assertThat(Set.copyOf(evicted)).hasSize(1);
    }
}

package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.binding.Binding;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.store.MemoryIpamStore;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class ForecastsTest {
    private static final Duration WINDOW = Duration.ofMinutes(60);
    private static final NodeEpoch NODE = new NodeEpoch(new NodeName("n1"), "u", "boot", 1);

    private Duration now = Duration.ZERO;
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
    private final CasFlow flow = Interleaving.flow(new MemoryIpamStore());
    private final PoolFlow pools = new PoolFlow(flow);
    private final BlockFlow blocks = new BlockFlow(flow);
    private final BindingTable table = new BindingTable();
    private final Forecasts forecasts = new Forecasts(flow, table, time, WINDOW, Duration.ofHours(10));
    private final ListAppender<ILoggingEvent> log = new ListAppender<>();
    private int claims;

    @BeforeEach
    void listen() {
        log.start();
        ((Logger) LoggerFactory.getLogger(Forecasts.class)).addAppender(log);
    }

    @AfterEach
    void stop() {
        ((Logger) LoggerFactory.getLogger(Forecasts.class)).detachAppender(log);
    }

    private void claim() {
        claims++;
        var _ = blocks.claim(new ClaimRequest(NODE, Map.of(), "", io.podwire.common.net.IpFamily.V4, "r" + claims));
    }

    private void minute() {
        now = now.plusMinutes(1);
        forecasts.look();
    }

    private List<String> lines() {
        return log.list.stream().map(ILoggingEvent::getFormattedMessage).toList();
    }

    private void report(int inUse) {
        List<Binding> bindings = new ArrayList<>();
        for (int i = 0; i < inUse; i++) {
            bindings.add(new Binding(
                    IpAddress.parse("10.1.0.0").plus(i), Binding.State.COOLING, Binding.Holder.NOBODY, Instant.EPOCH));
        }
        table.full(new BindingTable.Stream(_ -> {}), NODE, bindings, now);
    }

    @Test
    void blocksThatAreClaimedSteadilyRunOutAndAreWarnedOfOnce() {
        pools.create(new Pool("default", IpPrefix.parse("10.1.0.0/18"), 26));
        forecasts.look();
        for (int i = 1; i <= 120; i++) {
            if (i % 2 == 0) {
                claim();
            }
            minute();
        }
        // 60 of 256 in 120 minutes.
        assertThat(forecasts.of("default").orElseThrow()).isBetween(Duration.ofMinutes(380), Duration.ofMinutes(405));
        assertThat(forecasts.all()).containsOnlyKeys("default");
        assertThat(lines())
                .filteredOn(line -> line.contains("used up"))
                .singleElement()
                .asString()
                .startsWith("pool default is used up in PT");

        for (int i = 0; i < 130; i++) {
            minute();
        }
        assertThat(forecasts.of("default"))
                .as("nothing was claimed for more than the window")
                .isEmpty();
        assertThat(lines()).last().asString().contains("not about to be used up any more");
    }

    @Test
    void addressesAreLookedAtOnceEveryOwnerHasReported() {
        pools.create(new Pool("default", IpPrefix.parse("10.1.0.0/24"), 24));
        claim();
        for (int i = 0; i < 60; i++) {
            minute();
        }
        assertThat(forecasts.of("default")).as("all blocks are owned").contains(Duration.ZERO);
        assertThat(lines()).containsExactly("pool default is used up: enlarge it, or create another one");
        pools.update("default", List.of(new PoolEdit.Cidr(IpPrefix.parse("10.1.0.0/16"))));
        minute();
        assertThat(forecasts.of("default"))
                .as("growth is not known of blocks, and nothing of addresses")
                .isEmpty();
        for (int i = 1; i <= 60; i++) {
            report(i);
            minute();
        }
        assertThat(forecasts.of("default").orElseThrow().toMinutes()).isBetween(65_470L, 65_480L);
    }

    @Test
    void reportsThatComeInAfterAStartAreNoGrowth() {
        pools.create(new Pool("default", IpPrefix.parse("10.1.0.0/16"), 24));
        claim();
        for (int i = 0; i < 30; i++) {
            minute();
        }
        for (int i = 0; i < 30; i++) {
            report(200);
            minute();
            assertThat(forecasts.all()).isEmpty();
        }
    }

    @Test
    void aPoolThatDrainsOrIsGoneIsNotForetold() {
        pools.create(new Pool("default", IpPrefix.parse("10.1.0.0/26"), 26));
        claim();
        minute();
        assertThat(forecasts.of("default")).contains(Duration.ZERO);
        pools.update("default", List.of(new PoolEdit.State(PoolState.DRAINING)));
        minute();
        assertThat(forecasts.all()).isEmpty();
    }
}

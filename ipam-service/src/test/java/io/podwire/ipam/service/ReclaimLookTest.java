package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.GoneNode;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.ReclaimRules.Patience;
import io.podwire.ipam.store.MemoryIpamStore;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ReclaimLookTest {
    private static final NodeEpoch N1 = epoch("n1", 1);
    private static final NodeEpoch N2 = epoch("n2", 1);
    private static final NodeEpoch N3 = epoch("n3", 1);

    private final MemoryIpamStore store = new MemoryIpamStore();
    private Duration now = Duration.ZERO;
    private final TimeSource time = new TimeSource() {
        @Override
        public Duration monotonic() {
            return now;
        }

        @Override
        public Instant wall() {
            return Instant.EPOCH.plus(now);
        }
    };
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final CasFlow flow = new CasFlow(store, Duration.ofSeconds(5), time, _ -> {}, new Random(1));
    private final BlockFlow blocks = new BlockFlow(flow);
    private final ReclaimFlow reclaims = new ReclaimFlow(flow, time, meters);
    private final BindingTable table = new BindingTable();
    private final Set<NodeName> listed = new HashSet<>(Set.of(N1.node(), N2.node(), N3.node()));
    private boolean listFails;
    private final ReclaimLook look = new ReclaimLook(
            reclaims,
            table,
            () -> {
                if (listFails) {
                    throw new ServiceException(ErrorReason.UNAVAILABLE, "no API server");
                }
                return listed;
            },
            time,
            new Patience(Duration.ofMinutes(1), Duration.ofMinutes(10)),
            meters);

    private static NodeEpoch epoch(String node, long counter) {
        return new NodeEpoch(new NodeName(node), "uid-" + node, "boot-" + counter, counter);
    }

    private Block claim(NodeEpoch node, String request) {
        return blocks.claim(new ClaimRequest(node, Map.of(), "", IpFamily.V4, request))
                .block();
    }

    private List<NodeName> owners() {
        return blocks.ledger().blocks().stream()
                .map(block -> block.owner().node())
                .toList();
    }

    private void looks(int minutes) {
        for (int i = 0; i < minutes; i++) {
            now = now.plusMinutes(1);
            look.look();
        }
    }

    @BeforeEach
    void everyNodeHasABlock() {
        new PoolFlow(flow).create(new Pool("default", IpPrefix.parse("10.1.0.0/16"), 26));
        claim(N1, "r1");
        claim(N2, "r2");
        claim(N3, "r3");
    }

    private double metric(String name) {
        return meters.get(name).gauge().value();
    }

    @Test
    void aDeletedNodesBlocksComeBackAfterTheGrace() {
        looks(1);
        listed.remove(N1.node());
        looks(10);
        assertThat(owners()).containsExactly(N1.node(), N2.node(), N3.node());
        assertThat(metric("podwire.ipam.nodes.missing")).isEqualTo(1);
        looks(1);
        assertThat(owners()).containsExactly(N2.node(), N3.node());
        assertThat(meters.get("podwire.ipam.reclaimed.blocks").counter().count())
                .isEqualTo(1);
        looks(1);
        assertThat(metric("podwire.ipam.nodes.missing")).isZero();
        assertThatThrownBy(() -> claim(N1, "r1"))
                .isInstanceOfSatisfying(
                        ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.STALE_EPOCH))
                .hasMessageContaining("taken for gone for good, and its blocks were taken back; this one must stop");
        assertThatThrownBy(() -> reclaims.check(N1)).hasMessageContaining("taken for gone for good");
        assertThat(claim(epoch("n1", 2), "r4").cidr())
                .as("its next start begins with nothing")
                .isEqualTo(IpPrefix.parse("10.1.0.0/26"));
    }

    @Test
    void aListThatFailsBreaksTheRowAndIsTold() {
        listed.remove(N1.node());
        looks(9);
        listFails = true;
        looks(1);
        assertThat(metric("podwire.ipam.nodes.unbelieved")).isEqualTo(1);
        listFails = false;
        looks(10);
        assertThat(metric("podwire.ipam.nodes.unbelieved")).isZero();
        assertThat(owners()).contains(N1.node());
        looks(1);
        assertThat(owners()).doesNotContain(N1.node());
    }

    @Test
    void anEmptyListTakesNothing() {
        listed.clear();
        looks(30);
        assertThat(owners()).hasSize(3);
        assertThat(metric("podwire.ipam.nodes.unbelieved")).isEqualTo(1);
    }

    @Test
    void aConnectedNodeKeepsItsBlocks() {
        BindingTable.Stream stream = new BindingTable.Stream(_ -> {});
        table.full(stream, N1, List.of(), now);
        listed.remove(N1.node());
        looks(30);
        assertThat(owners()).contains(N1.node());
        table.ended(stream);
        looks(10);
        assertThat(owners()).contains(N1.node());
        looks(1);
        assertThat(owners()).doesNotContain(N1.node());
    }

    /** Two machines under one name: the other one reports, writes too, and this one runs on with its blocks. */
    @Test
    void whoTriesToReportUnderATakenNameKeepsItsBlocks() {
        NodeEpoch other = new NodeEpoch(N1.node(), "another-uid", "another-boot", 1);
        table.full(new BindingTable.Stream(_ -> {}), other, List.of(), now);
        claim(other, "r9");
        for (int i = 0; i < 30; i++) {
            assertThatThrownBy(() -> table.full(new BindingTable.Stream(_ -> {}), N1, List.of(), now))
                    .isInstanceOf(ServiceException.class);
            looks(1);
        }
        assertThat(owners()).hasSize(4);
        looks(19);
        assertThat(owners()).as("it has tried no more").hasSize(4);
        looks(1);
        assertThat(owners()).hasSize(3);
        assertThat(blocks.ledger().blocks()).noneMatch(block -> block.owner().equals(N1));
    }

    @Test
    void whatIsMoreThanOneWriteComesBackInSeveral() {
        IntStream.range(0, 100).forEach(i -> claim(N1, "more-" + i));
        listed.remove(N1.node());
        looks(11);
        assertThat(owners()).containsExactlyInAnyOrder(N2.node(), N3.node());
        assertThat(meters.get("podwire.ipam.reclaimed.blocks").counter().count())
                .isEqualTo(101);
    }

    @Test
    void whoHasComeBackThroughAnotherReplicaWins() {
        GoneNode gone = reclaims.of(N1.node(), ReclaimFlow.ANY_UID).orElseThrow();
        CasFlow other = new CasFlow(store, Duration.ofSeconds(5), time, _ -> {}, new Random(2));
        var _ = new BlockFlow(other).claim(new ClaimRequest(epoch("n1", 2), Map.of(), "", IpFamily.V4, "r1"));
        assertThat(reclaims.takeBack(gone, "gone").isNothing())
                .as("decided on an older reading, which the store refuses")
                .isTrue();
        assertThat(owners()).contains(N1.node());
    }

    @Test
    void twoReplicasTakeBackOnce() {
        SimpleMeterRegistry others = new SimpleMeterRegistry();
        ReclaimFlow other =
                new ReclaimFlow(new CasFlow(store, Duration.ofSeconds(5), time, _ -> {}, new Random(2)), time, others);
        GoneNode gone = reclaims.of(N1.node(), ReclaimFlow.ANY_UID).orElseThrow();
        assertThat(other.of(N1.node(), ReclaimFlow.ANY_UID)).contains(gone);
        assertThat(reclaims.takeBack(gone, "gone").blocks()).hasSize(1);
        assertThat(other.takeBack(gone, "gone").isNothing()).isTrue();
    }
}

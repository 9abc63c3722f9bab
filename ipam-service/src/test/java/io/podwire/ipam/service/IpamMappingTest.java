package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.FieldMask;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.CoolDown;
import io.podwire.ipam.core.DrainPace;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NamespaceSelector;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.NodeSelector;
import io.podwire.ipam.core.OwnedBlock;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolBlocks;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.PoolUsage;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import io.podwire.proto.ipam.v1.UpdatePoolRequest;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class IpamMappingTest {
    private static final NodeEpoch NODE = new NodeEpoch(new NodeName("n1"), "uid-1", "boot-1", Long.MAX_VALUE);
    private static final Pool POOL = new Pool("default", IpPrefix.parse("10.1.0.0/16"), 26);

    @Test
    void epochsAndPoolsRoundTrip() {
        assertThat(IpamMapping.epoch(IpamMapping.toProto(NODE))).isEqualTo(NODE);
        Ledger ledger = Ledger.of(
                List.of(POOL), List.of(new Block("default", PoolBlocks.block(POOL, 0), NODE, "r1")), List.of(NODE));
        io.podwire.proto.ipam.v1.Pool message =
                IpamMapping.toProto(ledger.usage().getFirst());
        assertThat(IpamMapping.pool(message)).isEqualTo(POOL);
        assertThat(message.getOwnedBlocks()).isEqualTo(1);
        assertThat(message.getTotalBlocks()).isEqualTo(1024);
    }

    @Test
    void moreBlocksThan32BitsHoldAreToldAsTheMost() {
        Pool six = new Pool("six", IpPrefix.parse("fd00:10:1::/48"), 122);
        io.podwire.proto.ipam.v1.Pool message = IpamMapping.toProto(new PoolUsage(six, 0));
        assertThat(Integer.toUnsignedLong(message.getTotalBlocks()))
                .as("of 2^74")
                .isEqualTo(4_294_967_295L);
        assertThat(IpamMapping.pool(message)).isEqualTo(six);
        Pool exact = new Pool("six", IpPrefix.parse("fd00:10:1::/91"), 122);
        assertThat(Integer.toUnsignedLong(
                        IpamMapping.toProto(new PoolUsage(exact, 0)).getTotalBlocks()))
                .as("2^31")
                .isEqualTo(2_147_483_648L);
    }

    @Test
    void poolsRoundTripWithAllTheirFields() {
        for (PoolState state : PoolState.values()) {
            Pool pool = POOL.with(List.of(
                    new PoolEdit.State(state),
                    new PoolEdit.Reserved(List.of(IpPrefix.parse("10.1.0.0/25"), IpPrefix.parse("10.1.255.255/32"))),
                    new PoolEdit.Nodes(NodeSelector.of(Map.of("zone", "a", "example.com/rack", "7"))),
                    new PoolEdit.Namespaces(NamespaceSelector.of(Map.of("team", "a"))),
                    new PoolEdit.Cooling(new CoolDown.Of(Duration.ofMillis(90_500)))));
            io.podwire.proto.ipam.v1.Pool message = IpamMapping.toProto(new PoolUsage(pool, 5));
            assertThat(IpamMapping.pool(message)).isEqualTo(pool);
            assertThat(message.getReservedBlocks()).isEqualTo(3);
            assertThat(message.getSource()).isEqualTo("grpc");
        }
        for (PoolPurpose purpose : PoolPurpose.values()) {
            Pool pool = POOL.with(List.of(new PoolEdit.Purpose(purpose)));
            assertThat(IpamMapping.pool(IpamMapping.toProto(new PoolUsage(pool, 0))))
                    .isEqualTo(pool);
        }
    }

    @Test
    void outputsAreIgnoredWhereAPoolIsCreated() {
        assertThat(IpamMapping.pool(pool("10.1.0.0/16", 26).toBuilder()
                                .setSource("kubernetes")
                                .setDrainingFromBlocks(3)
                                .build())
                        .source())
                .isEqualTo(PoolSource.GRPC);
        Pool declared = POOL.with(List.of(new PoolEdit.Source(PoolSource.manifest("p.yaml"))));
        assertThat(IpamMapping.toProto(new PoolUsage(declared, 0)).getSource()).isEqualTo("manifest:p.yaml");
    }

    @Test
    void coolDownIsCheckedAndCanBeUnset() {
        assertThatThrownBy(() -> IpamMapping.pool(coolDown(-1))).hasMessageContaining("must be 0 s to 24 h");
        assertThatThrownBy(() -> IpamMapping.pool(coolDown(86_401))).hasMessageContaining("must be 0 s to 24 h");
        assertThatThrownBy(() -> IpamMapping.pool(coolDown(Long.MAX_VALUE)))
                .isInstanceOf(ServiceException.class)
                .hasMessageContaining("must be 0 s to 24 h");
        assertThat(edits(coolDown(0), "cool_down"))
                .containsExactly(new PoolEdit.Cooling(new CoolDown.Of(Duration.ZERO)));
        assertThat(edits(pool("10.1.0.0/16", 26), "cool_down")).containsExactly(new PoolEdit.Cooling(CoolDown.OF_NODE));
    }

    private static io.podwire.proto.ipam.v1.Pool coolDown(long seconds) {
        return pool("10.1.0.0/16", 26).toBuilder()
                .setCoolDown(com.google.protobuf.Duration.newBuilder()
                        .setSeconds(seconds)
                        .setNanos(seconds == Long.MAX_VALUE ? 2_000_000_000 : 0))
                .build();
    }

    @Test
    void editsAreThoseThatTheMaskNames() {
        io.podwire.proto.ipam.v1.Pool pool = io.podwire.proto.ipam.v1.Pool.newBuilder()
                .setName("p")
                .setCidr("10.2.0.0/16")
                .setBlockLength(27)
                .setState(io.podwire.proto.ipam.v1.PoolState.POOL_STATE_DRAINING)
                .addReserved("10.2.0.0/28")
                .putNodeSelector("zone", "a")
                .build();
        assertThat(edits(pool, "state")).containsExactly(new PoolEdit.State(PoolState.DRAINING));
        assertThat(edits(pool, "node_selector", "reserved", "block_length", "cidr"))
                .containsExactly(
                        new PoolEdit.Nodes(NodeSelector.of(Map.of("zone", "a"))),
                        new PoolEdit.Reserved(List.of(IpPrefix.parse("10.2.0.0/28"))),
                        new PoolEdit.BlockLength(27),
                        new PoolEdit.Cidr(IpPrefix.parse("10.2.0.0/16")));
        io.podwire.proto.ipam.v1.Pool other = pool.toBuilder()
                .putNamespaceSelector("team", "a")
                .setPurpose(io.podwire.proto.ipam.v1.PoolPurpose.POOL_PURPOSE_STATIC)
                .setSource("grpc")
                .setDrainPace(10)
                .build();
        assertThat(edits(other, "drain_pace")).containsExactly(new PoolEdit.Pace(new DrainPace(10)));
        assertThatThrownBy(() -> edits(other.toBuilder().setDrainPace(6001).build(), "drain_pace"))
                .hasMessageContaining("drain pace must be 0 (nobody is evicted) to 6000 pods per minute, got 6001");
        assertThat(edits(other, "namespace_selector", "purpose", "source"))
                .containsExactly(
                        new PoolEdit.Namespaces(NamespaceSelector.of(Map.of("team", "a"))),
                        new PoolEdit.Purpose(PoolPurpose.STATIC),
                        new PoolEdit.Source(PoolSource.GRPC));
        assertThatThrownBy(() -> edits(pool, "purpose"))
                .hasMessageContaining("purpose must be 1 (PODS), 2 (STATIC) or 3 (LOAD_BALANCER), got 0");
        assertThatThrownBy(() -> edits(other.toBuilder().setSource("kubernetes").build(), "source"))
                .hasMessageContaining("source can be changed to 'grpc' alone, got 'kubernetes'");
        assertThatThrownBy(() -> edits(pool)).hasMessageContaining("update_mask must name at least one of cidr,");
        assertThatThrownBy(() -> edits(pool, "name"))
                .hasMessageContaining("'name' is not one of cidr, block_length, state, reserved, node_selector");
        assertThatThrownBy(() -> edits(pool.toBuilder().clearState().build(), "state"))
                .hasMessageContaining("state must be 1 (ACTIVE), 2 (DRAINING) or 3 (RETIRED), got 0");
        assertThatThrownBy(() -> edits(pool.toBuilder().addReserved("10.2.0.1").build(), "reserved"))
                .hasMessageContaining("10.2.0.1");
    }

    private static List<PoolEdit> edits(io.podwire.proto.ipam.v1.Pool pool, String... paths) {
        return IpamMapping.edits(UpdatePoolRequest.newBuilder()
                .setPool(pool)
                .setUpdateMask(FieldMask.newBuilder().addAllPaths(List.of(paths)))
                .build());
    }

    @Test
    void blockLengthIsChosenWhereNoneIsGiven() {
        assertThat(IpamMapping.pool(pool("10.1.0.0/16", 0)).blockLength()).isEqualTo(26);
        assertThat(IpamMapping.pool(pool("fd00::/48", 0)).blockLength()).isEqualTo(122);
        assertThat(IpamMapping.pool(pool("fd00::/126", 0)).blockLength()).isEqualTo(126);
        assertThatThrownBy(() -> IpamMapping.pool(pool("fd00::/48", 64)))
                .hasMessageContaining("must be 112 to 128, got 64");
    }

    private static io.podwire.proto.ipam.v1.Pool pool(String cidr, int blockLength) {
        return io.podwire.proto.ipam.v1.Pool.newBuilder()
                .setName("p")
                .setCidr(cidr)
                .setBlockLength(blockLength)
                .build();
    }

    @Test
    void claimWithoutAFamilyIsForIpv4() {
        ClaimBlockRequest.Builder claim = ClaimBlockRequest.newBuilder()
                .setNode(IpamMapping.toProto(NODE))
                .setRequestId("r1");
        assertThat(IpamMapping.claim(claim.build()).family()).isEqualTo(IpFamily.V4);
        assertThat(IpamMapping.claim(claim.putNodeLabels("zone", "a").build()).nodeLabels())
                .isEqualTo(Map.of("zone", "a"));
        assertThat(IpamMapping.claim(claim.setFamily(io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV4)
                                .build())
                        .family())
                .isEqualTo(IpFamily.V4);
        assertThat(IpamMapping.claim(claim.setFamily(io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV6)
                                .build())
                        .family())
                .isEqualTo(IpFamily.V6);
        assertThatThrownBy(() -> IpamMapping.claim(claim.setFamilyValue(5).build()))
                .isInstanceOfSatisfying(
                        ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.INVALID_ARGUMENT))
                .hasMessageContaining("got 5");
    }

    @Test
    void blocksKeepPoolAddressesAndOwner() {
        io.podwire.proto.ipam.v1.Block message = IpamMapping.toProto(owned(CoolDown.OF_NODE));
        assertThat(message.getPool()).isEqualTo("default");
        assertThat(IpamMapping.prefix(message.getCidr())).isEqualTo(PoolBlocks.block(POOL, 3));
        assertThat(IpamMapping.epoch(message.getOwner())).isEqualTo(NODE);
        assertThat(message.hasCoolDown()).isFalse();
        assertThat(message.getPoolState()).isEqualTo(io.podwire.proto.ipam.v1.PoolState.POOL_STATE_DRAINING);
        assertThat(IpamMapping.toProto(owned(new CoolDown.Of(Duration.ofMillis(1_500))))
                        .getCoolDown())
                .isEqualTo(com.google.protobuf.Duration.newBuilder()
                        .setSeconds(1)
                        .setNanos(500_000_000)
                        .build());
    }

    private static OwnedBlock owned(CoolDown coolDown) {
        return new OwnedBlock(
                new Block("default", PoolBlocks.block(POOL, 3), NODE, "r1"),
                coolDown,
                Optional.of(PoolState.DRAINING),
                false);
    }
}

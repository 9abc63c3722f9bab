package io.podwire.ipam.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.NodeSelector;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.PoolUsage;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import io.podwire.proto.ipam.v1.UpdatePoolRequest;
import java.math.BigInteger;
import java.util.List;
import java.util.function.Supplier;

/** Between podwire.ipam.v1 and the core's values. */
final class IpamMapping {
    private static final String EDITABLE = "cidr, block_length, state, reserved, node_selector";

    /** Counts of blocks have 32 bits: this many stands for more as well, 2^74 in an IPv6 /48 of /122 blocks. */
    private static final BigInteger MOST_BLOCKS_TOLD = BigInteger.valueOf(0xFFFF_FFFFL);

    private IpamMapping() {}

    static NodeEpoch epoch(io.podwire.proto.common.v1.NodeEpoch message) {
        return checked(() -> new NodeEpoch(
                new NodeName(message.getNode()), message.getNodeUid(), message.getBootId(), message.getCounter()));
    }

    static io.podwire.proto.common.v1.NodeEpoch toProto(NodeEpoch epoch) {
        return io.podwire.proto.common.v1.NodeEpoch.newBuilder()
                .setNode(epoch.node().value())
                .setNodeUid(epoch.uid())
                .setBootId(epoch.bootId())
                .setCounter(epoch.counter())
                .build();
    }

    static ClaimRequest claim(ClaimBlockRequest message) {
        NodeEpoch caller = epoch(message.getNode());
        return checked(() -> new ClaimRequest(
                caller,
                message.getNodeLabelsMap(),
                message.getPool(),
                family(message.getFamily(), message.getFamilyValue()),
                message.getRequestId()));
    }

    /** A node that knows no family asks for IPv4. */
    private static IpFamily family(io.podwire.proto.common.v1.IpFamily message, int number) {
        return switch (message) {
            case IP_FAMILY_UNSPECIFIED, IP_FAMILY_IPV4 -> IpFamily.V4;
            case IP_FAMILY_IPV6 -> IpFamily.V6;
            case UNRECOGNIZED ->
                throw new IllegalArgumentException("family must be 4 (IPv4), 6 (IPv6) or 0 (IPv4), got " + number);
        };
    }

    static Block toProto(io.podwire.ipam.core.Block block) {
        return Block.newBuilder()
                .setPool(block.pool())
                .setCidr(block.cidr().toString())
                .setOwner(toProto(block.owner()))
                .build();
    }

    static Pool pool(io.podwire.proto.ipam.v1.Pool message) {
        return checked(() -> {
            IpPrefix cidr = IpPrefix.parse(message.getCidr());
            int blockLength = message.getBlockLength() == 0 ? Pool.defaultBlockLength(cidr) : message.getBlockLength();
            PoolState state = message.getState() == io.podwire.proto.ipam.v1.PoolState.POOL_STATE_UNSPECIFIED
                    ? PoolState.ACTIVE
                    : state(message);
            return new Pool(
                    message.getName(),
                    cidr,
                    blockLength,
                    state,
                    prefixes(message.getReservedList()),
                    NodeSelector.of(message.getNodeSelectorMap()));
        });
    }

    /** The edits that an update's mask names. */
    static List<PoolEdit> edits(UpdatePoolRequest message) {
        io.podwire.proto.ipam.v1.Pool pool = message.getPool();
        return checked(() -> {
            if (message.getUpdateMask().getPathsCount() == 0) {
                throw new IllegalArgumentException("update_mask must name at least one of " + EDITABLE);
            }
            return message.getUpdateMask().getPathsList().stream()
                    .map(path -> edit(pool, path))
                    .toList();
        });
    }

    private static PoolEdit edit(io.podwire.proto.ipam.v1.Pool pool, String path) {
        return switch (path) {
            case "cidr" -> new PoolEdit.Cidr(IpPrefix.parse(pool.getCidr()));
            case "block_length" -> new PoolEdit.BlockLength(pool.getBlockLength());
            case "state" -> new PoolEdit.State(state(pool));
            case "reserved" -> new PoolEdit.Reserved(prefixes(pool.getReservedList()));
            case "node_selector" -> new PoolEdit.Nodes(NodeSelector.of(pool.getNodeSelectorMap()));
            default -> throw new IllegalArgumentException("update_mask: '" + path + "' is not one of " + EDITABLE);
        };
    }

    private static PoolState state(io.podwire.proto.ipam.v1.Pool message) {
        return switch (message.getState()) {
            case POOL_STATE_ACTIVE -> PoolState.ACTIVE;
            case POOL_STATE_DRAINING -> PoolState.DRAINING;
            case POOL_STATE_RETIRED -> PoolState.RETIRED;
            case POOL_STATE_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException(
                        "state must be 1 (ACTIVE), 2 (DRAINING) or 3 (RETIRED), got " + message.getStateValue());
        };
    }

    private static io.podwire.proto.ipam.v1.PoolState toProto(PoolState state) {
        return switch (state) {
            case ACTIVE -> io.podwire.proto.ipam.v1.PoolState.POOL_STATE_ACTIVE;
            case DRAINING -> io.podwire.proto.ipam.v1.PoolState.POOL_STATE_DRAINING;
            case RETIRED -> io.podwire.proto.ipam.v1.PoolState.POOL_STATE_RETIRED;
        };
    }

    private static List<IpPrefix> prefixes(List<String> texts) {
        return texts.stream().map(IpPrefix::parse).toList();
    }

    static io.podwire.proto.ipam.v1.Pool toProto(PoolUsage usage) {
        Pool pool = usage.pool();
        return io.podwire.proto.ipam.v1.Pool.newBuilder()
                .setName(pool.name())
                .setCidr(pool.cidr().toString())
                .setBlockLength(pool.blockLength())
                .setOwnedBlocks(usage.ownedBlocks())
                .setTotalBlocks(count(pool.totalBlocks()))
                .setState(toProto(pool.state()))
                .addAllReserved(pool.reserved().stream().map(IpPrefix::toString).toList())
                .putAllNodeSelector(pool.nodes().labels())
                .setReservedBlocks(count(pool.reservedBlocks()))
                .build();
    }

    private static int count(BigInteger blocks) {
        return blocks.min(MOST_BLOCKS_TOLD).intValue();
    }

    static IpPrefix prefix(String text) {
        return checked(() -> IpPrefix.parse(text));
    }

    static String poolName(String text) {
        return checked(() -> {
            Pool.checkName(text);
            return text;
        });
    }

    static NodeName nodeName(String text) {
        return checked(() -> new NodeName(text));
    }

    /** A value's own check, as the caller's mistake. */
    private static <T> T checked(Supplier<T> value) {
        try {
            return value.get();
        } catch (IllegalArgumentException e) {
            throw new ServiceException(ErrorReason.INVALID_ARGUMENT, e.getMessage(), e);
        }
    }
}

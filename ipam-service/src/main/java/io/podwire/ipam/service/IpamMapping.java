package io.podwire.ipam.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import java.math.BigInteger;
import java.util.function.Supplier;

/** Between podwire.ipam.v1 and the core's values. */
final class IpamMapping {
    /** total_blocks has 32 bits: this many stands for more as well, 2^74 in an IPv6 /48 of /122 blocks. */
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
            return new Pool(message.getName(), cidr, blockLength);
        });
    }

    static io.podwire.proto.ipam.v1.Pool toProto(Pool pool, Ledger ledger) {
        return io.podwire.proto.ipam.v1.Pool.newBuilder()
                .setName(pool.name())
                .setCidr(pool.cidr().toString())
                .setBlockLength(pool.blockLength())
                .setOwnedBlocks(ledger.blocksOf(pool.name()).size())
                .setTotalBlocks(pool.totalBlocks().min(MOST_BLOCKS_TOLD).intValue())
                .build();
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

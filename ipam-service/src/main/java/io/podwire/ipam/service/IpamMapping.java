package io.podwire.ipam.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import java.util.function.Supplier;

/** Between podwire.ipam.v1 and the core's values. */
final class IpamMapping {
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
        return checked(() -> new ClaimRequest(caller, message.getPool(), message.getRequestId()));
    }

    static Block toProto(io.podwire.ipam.core.Block block) {
        return Block.newBuilder()
                .setPool(block.pool())
                .setCidr(block.cidr().toString())
                .setOwner(toProto(block.owner()))
                .build();
    }

    static Pool pool(io.podwire.proto.ipam.v1.Pool message) {
        return checked(() -> new Pool(message.getName(), IpPrefix.parse(message.getCidr()), message.getBlockLength()));
    }

    static io.podwire.proto.ipam.v1.Pool toProto(Pool pool, Ledger ledger) {
        return io.podwire.proto.ipam.v1.Pool.newBuilder()
                .setName(pool.name())
                .setCidr(pool.cidr().toString())
                .setBlockLength(pool.blockLength())
                .setOwnedBlocks(ledger.blocksOf(pool.name()).size())
                .setTotalBlocks(pool.totalBlocks())
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

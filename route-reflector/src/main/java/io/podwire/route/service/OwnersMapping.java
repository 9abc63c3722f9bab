package io.podwire.route.service;

import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.Pool;
import io.podwire.proto.ipam.v1.PoolPurpose;
import io.podwire.proto.ipam.v1.PoolState;
import io.podwire.route.rib.NodeEpoch;
import io.podwire.route.rib.OwnedBlock;

/** From ipam-service's messages to the RIB's records; an IllegalArgumentException says what cannot be read. */
final class OwnersMapping {
    private OwnersMapping() {}

    static OwnedBlock block(Block message) {
        return new OwnedBlock(IpPrefix.parse(message.getCidr()), epoch(message.getOwner()));
    }

    /** True for one whose addresses load balancers may have. A retired one has none in use. */
    static boolean isOfServices(Pool message) {
        return message.getPurpose() == PoolPurpose.POOL_PURPOSE_LOAD_BALANCER
                && message.getState() != PoolState.POOL_STATE_RETIRED;
    }

    static NodeEpoch epoch(io.podwire.proto.common.v1.NodeEpoch message) {
        return new NodeEpoch(
                new NodeName(message.getNode()), message.getNodeUid(), message.getBootId(), message.getCounter());
    }
}

package io.podwire.node.upstream;

import io.podwire.common.net.NodeName;
import io.podwire.proto.common.v1.NodeEpoch;

/**
 * Who this node is in this life.
 *
 * @param name its name
 * @param uid identity of the installation
 * @param bootId of the running kernel
 * @param counter starts of node-shim on this installation
 */
public record NodeIdentity(NodeName name, String uid, String bootId, long counter) {
    /** As the services know it. */
    public NodeEpoch toProto() {
        return NodeEpoch.newBuilder()
                .setNode(name.value())
                .setNodeUid(uid)
                .setBootId(bootId)
                .setCounter(counter)
                .build();
    }
}

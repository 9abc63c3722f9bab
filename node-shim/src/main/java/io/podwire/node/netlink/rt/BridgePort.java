package io.podwire.node.netlink.rt;

/**
 * The flags of a bridge port, bridge(8).
 *
 * @param isolated it talks to ports that are not isolated, and to the bridge, only; since Linux 4.18
 * @param learning the bridge learns source addresses from it
 * @param unicastFlood frames for unknown addresses go out of it
 * @param multicastFlood frames for unknown groups go out of it
 * @param broadcastFlood broadcast frames go out of it
 * @param hairpin a frame may leave through the port that it came from
 */
public record BridgePort(
        boolean isolated,
        boolean learning,
        boolean unicastFlood,
        boolean multicastFlood,
        boolean broadcastFlood,
        boolean hairpin) {}

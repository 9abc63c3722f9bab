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
 * @param neighbourSuppression the bridge answers ARP and ND requests that come in by it where it knows the
 *     neighbour, and does not flood the others' requests to it; since Linux 4.15
 */
public record BridgePort(
        boolean isolated,
        boolean learning,
        boolean unicastFlood,
        boolean multicastFlood,
        boolean broadcastFlood,
        boolean hairpin,
        boolean neighbourSuppression) {
    /** A port for which the bridge answers no request. */
    public BridgePort(
            boolean isolated,
            boolean learning,
            boolean unicastFlood,
            boolean multicastFlood,
            boolean broadcastFlood,
            boolean hairpin) {
        this(isolated, learning, unicastFlood, multicastFlood, broadcastFlood, hairpin, false);
    }
}

package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.MacAddress;
import java.util.Optional;

/**
 * An entry of a forwarding database, bridge(8).
 *
 * @param ifindex the port, or the VXLAN device
 * @param mac the address behind it
 * @param vxlanDestination the tunnel end to send to
 * @param owner whose table it is in
 * @param state how it lasts
 */
public record FdbEntry(
        int ifindex, MacAddress mac, Optional<IpAddress> vxlanDestination, FdbOwner owner, FdbState state) {
    /** The way to a pod: an entry in the bridge's table that stays. */
    public static FdbEntry ofPort(int ifindex, MacAddress mac) {
        return new FdbEntry(ifindex, mac, Optional.empty(), FdbOwner.MASTER, FdbState.STATIC);
    }

    /** The way to another node: a permanent entry in a VXLAN device's table. */
    public static FdbEntry ofVxlan(int ifindex, MacAddress mac, IpAddress destination) {
        return new FdbEntry(ifindex, mac, Optional.of(destination), FdbOwner.SELF, FdbState.PERMANENT);
    }
}

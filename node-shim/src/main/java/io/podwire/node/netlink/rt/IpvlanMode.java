package io.podwire.node.netlink.rt;

import java.util.Optional;

/** What an ipvlan tells packets apart by: enum ipvlan_mode, linux/if_link.h. */
public enum IpvlanMode {
    /** IPVLAN_MODE_L2: by address, among frames; broadcast and ARP work. */
    L2(0),
    /** IPVLAN_MODE_L3: by address, among packets that the node routes; past its netfilter hooks. */
    L3(1),
    /** IPVLAN_MODE_L3S: as L3, through the node's netfilter hooks. */
    L3S(2);

    private final int number;

    IpvlanMode(int number) {
        this.number = number;
    }

    int number() {
        return number;
    }

    static Optional<IpvlanMode> of(int number) {
        return switch (number) {
            case 0 -> Optional.of(L2);
            case 1 -> Optional.of(L3);
            case 2 -> Optional.of(L3S);
            default -> Optional.empty();
        };
    }
}

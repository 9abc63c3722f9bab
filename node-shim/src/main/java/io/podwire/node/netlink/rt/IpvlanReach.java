package io.podwire.node.netlink.rt;

import java.util.Optional;

/** Which others on the same device an ipvlan reaches: IFLA_IPVLAN_FLAGS, linux/if_link.h; since Linux 4.15. */
public enum IpvlanReach {
    /** No flag: all. */
    BRIDGE(0),
    /** IPVLAN_F_PRIVATE: none. */
    PRIVATE(1),
    /** IPVLAN_F_VEPA: those that an outside switch sends its packets back to. */
    VEPA(2);

    private final int number;

    IpvlanReach(int number) {
        this.number = number;
    }

    int number() {
        return number;
    }

    static Optional<IpvlanReach> of(int number) {
        return switch (number) {
            case 0 -> Optional.of(BRIDGE);
            case 1 -> Optional.of(PRIVATE);
            case 2 -> Optional.of(VEPA);
            default -> Optional.empty();
        };
    }
}

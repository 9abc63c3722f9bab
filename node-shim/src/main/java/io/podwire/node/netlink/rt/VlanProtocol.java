package io.podwire.node.netlink.rt;

import java.util.Optional;

/** The tag of a VLAN's frames: their ethertype, linux/if_ether.h. */
public enum VlanProtocol {
    /** ETH_P_8021Q: the usual tag. */
    Q(0x8100),
    /** ETH_P_8021AD: a provider's tag, around the usual one. */
    AD(0x88A8);

    private final int number;

    VlanProtocol(int number) {
        this.number = number;
    }

    int number() {
        return number;
    }

    static Optional<VlanProtocol> of(int number) {
        return switch (number) {
            case 0x8100 -> Optional.of(Q);
            case 0x88A8 -> Optional.of(AD);
            default -> Optional.empty();
        };
    }
}

package io.podwire.node.netlink.rt;

import java.util.Optional;

/** Which others on the same device a macvlan reaches: enum macvlan_mode, linux/if_link.h. */
public enum MacvlanMode {
    /** MACVLAN_MODE_PRIVATE: none. */
    PRIVATE(1),
    /** MACVLAN_MODE_VEPA: those that an outside switch sends its frames back to. */
    VEPA(2),
    /** MACVLAN_MODE_BRIDGE: all of this mode, without leaving the node. */
    BRIDGE(4),
    /**
     * MACVLAN_MODE_PASSTHRU: there are none, the device below has this macvlan alone. Both have one MAC
     * address: the device's at first, whatever {@link NewLink#mac} says, then what either is given.
     */
    PASSTHRU(8);

    private final int number;

    MacvlanMode(int number) {
        this.number = number;
    }

    int number() {
        return number;
    }

    static Optional<MacvlanMode> of(int number) {
        return switch (number) {
            case 1 -> Optional.of(PRIVATE);
            case 2 -> Optional.of(VEPA);
            case 4 -> Optional.of(BRIDGE);
            case 8 -> Optional.of(PASSTHRU);
            default -> Optional.empty();
        };
    }
}

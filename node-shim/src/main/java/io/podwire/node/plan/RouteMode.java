package io.podwire.node.plan;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** How packets go from node to node; the same on all of them. */
public enum RouteMode {
    /**
     * As they are, always: on one subnet to the other node, else to the network's routers, which have to know every
     * block, for example by BGP. No MTU is lost.
     */
    DIRECT,
    /** In VXLAN, always: for networks that drop packets of addresses they do not know. */
    VXLAN,
    /** As they are on one subnet, else in VXLAN. */
    CROSS_SUBNET;

    /** Whether a node has a VXLAN device. */
    public boolean tunnels() {
        return this != DIRECT;
    }

    /** Its name in options. */
    public String label() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /**
     * The mode of this name.
     *
     * @throws IllegalArgumentException when there is none
     */
    public static RouteMode parse(String label) {
        return Arrays.stream(values())
                .filter(mode -> mode.label().equals(label))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("--route-mode must be one of "
                        + Arrays.stream(values()).map(RouteMode::label).collect(Collectors.joining(", "))
                        + ", got '" + label + "'"));
    }
}

package io.podwire.ipam.binding;

import io.podwire.common.net.IpAddress;
import java.time.Instant;
import java.util.Comparator;

/**
 * One address that a node gives to nobody else now.
 *
 * @param address the address
 * @param state what it is
 * @param holder who has it; {@link Holder#NOBODY} while it cools down
 * @param since since when, by the node's clock
 */
public record Binding(IpAddress address, State state, Holder holder, Instant since) {
    /** By address: a node has one of each. */
    public static final Comparator<Binding> BY_ADDRESS = Comparator.comparing(Binding::address);

    /** What an address is to its node. */
    public enum State {
        /** A container has it, or is just getting it. */
        IN_USE,
        /** It was released a moment ago. */
        COOLING,
        /** It is reserved for a workload that does not use it now. Of single addresses alone. */
        RESERVED
    }

    /**
     * A container's interface.
     *
     * @param containerId as the runtime named it
     * @param ifname in the container
     * @param namespace of its pod, or empty
     * @param pod name of its pod, or empty
     * @param uid of its pod, or empty
     * @param network name of the network configuration
     */
    public record Holder(String containerId, String ifname, String namespace, String pod, String uid, String network) {
        /** Nobody has the address. */
        public static final Holder NOBODY = new Holder("", "", "", "", "", "");
    }
}

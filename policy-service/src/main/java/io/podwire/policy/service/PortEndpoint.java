package io.podwire.policy.service;

import io.podwire.common.net.IpAddress;
import io.podwire.policy.model.EndpointSlice.Conditions;
import io.podwire.policy.model.EndpointSlice.Hints;
import java.util.Comparator;

/**
 * An endpoint of one port of a Service. Ordered by address, then port; of one address and port, whichever is to be taken for
 * the truth comes first.
 *
 * @param address its address
 * @param port 1 to 65535
 * @param conditions how it feels
 * @param node name of its node; may be empty
 * @param pod its pod, "namespace/name"; may be empty
 * @param hints for whom it is meant
 */
public record PortEndpoint(IpAddress address, int port, Conditions conditions, String node, String pod, Hints hints) {
    /**
     * An endpoint that moves from one slice to another is in both for a while. Where they differ, the one that takes traffic
     * wins, then the one that says where it is.
     */
    static final Comparator<PortEndpoint> ORDER = Comparator.comparing(PortEndpoint::address)
            .thenComparingInt(PortEndpoint::port)
            .thenComparing(endpoint -> !endpoint.isReady())
            .thenComparing(endpoint -> !endpoint.isLastResort())
            .thenComparing(endpoint -> endpoint.node().isEmpty())
            .thenComparing(PortEndpoint::node)
            .thenComparing(PortEndpoint::pod);

    /** New connections may go there. */
    public boolean isReady() {
        return conditions.ready();
    }

    /** It is about to end and still answers: it is used where none is ready. */
    public boolean isLastResort() {
        return !conditions.ready() && conditions.serving() && conditions.terminating();
    }

    /** True when it is on that node. */
    public boolean isOn(Place place) {
        return !node.isEmpty() && node.equals(place.node());
    }

    /** The same address and port. */
    boolean isSameAs(PortEndpoint other) {
        return port == other.port && address.equals(other.address);
    }
}

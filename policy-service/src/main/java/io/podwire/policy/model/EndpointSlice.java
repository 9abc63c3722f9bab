package io.podwire.policy.model;

import com.google.common.collect.ImmutableSortedSet;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import java.util.List;
import java.util.Set;

/**
 * Some of a Service's endpoints.
 *
 * @param key its name
 * @param service the Service they are of, which need not be there
 * @param family of every address in it
 * @param ports where they listen; an endpoint listens at all of them
 * @param backends the endpoints
 */
public record EndpointSlice(
        SliceKey key, ServiceKey service, IpFamily family, List<Port> ports, List<Backend> backends) {
    /** Copies the lists and checks the family. */
    public EndpointSlice {
        ports = List.copyOf(ports);
        backends = List.copyOf(backends);
        for (Backend backend : backends) {
            if (backend.address().family() != family) {
                throw new IllegalArgumentException(
                        "EndpointSlice " + key + " is of " + family.label() + ", and has " + backend.address());
            }
        }
    }

    /**
     * A port.
     *
     * @param name that of the Service's port
     * @param protocol its protocol
     * @param port 1 to 65535
     */
    public record Port(String name, Protocol protocol, int port) {
        /** Checks the range. */
        public Port {
            if (port < 1 || port > 65535) {
                throw new IllegalArgumentException(
                        "port '" + name + "' of an EndpointSlice must be 1 to 65535, got " + port);
            }
        }
    }

    /**
     * What is known of how an endpoint feels.
     *
     * @param ready new connections may go there
     * @param serving it answers, whether it is about to end or not
     * @param terminating it is about to end
     */
    public record Conditions(boolean ready, boolean serving, boolean terminating) {
        /** Ready, and not about to end. */
        public static final Conditions READY = new Conditions(true, true, false);
    }

    /**
     * For whom an endpoint is meant.
     *
     * @param zones nodes in these zones
     * @param nodes these nodes
     */
    public record Hints(Set<String> zones, Set<String> nodes) {
        /** For nobody in particular. */
        public static final Hints NONE = new Hints(Set.of(), Set.of());

        /** Copies the sets. */
        public Hints {
            zones = ImmutableSortedSet.copyOf(zones);
            nodes = ImmutableSortedSet.copyOf(nodes);
        }
    }

    /**
     * An endpoint.
     *
     * @param address its address
     * @param conditions how it feels
     * @param node name of its node; may be empty
     * @param pod its pod, "namespace/name"; may be empty
     * @param hints for whom it is meant
     */
    public record Backend(IpAddress address, Conditions conditions, String node, String pod, Hints hints) {}
}

package io.podwire.node.service;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.plan.IpProtocol;
import java.util.Optional;

/** Where a Service is called. */
sealed interface Front {
    /** The protocol. */
    IpProtocol protocol();

    /** 1 to 65535. */
    int port();

    /** What an address is to its Service. */
    enum Kind {
        /** spec.clusterIPs. */
        CLUSTER_IP,
        /** spec.externalIPs. */
        EXTERNAL_IP,
        /** status.loadBalancer. */
        LOAD_BALANCER_IP
    }

    /**
     * An address of its own.
     *
     * @param address the address
     * @param protocol of the port
     * @param port 1 to 65535
     * @param kind what the address is to the Service
     */
    record At(IpAddress address, IpProtocol protocol, int port, Kind kind) implements Front {
        @Override
        public Place place() {
            return new Place(address.family(), Optional.of(address), protocol, port);
        }
    }

    /**
     * A port of the node.
     *
     * @param family of the node's addresses
     * @param protocol of the port
     * @param port 1 to 65535
     */
    record NodePort(IpFamily family, IpProtocol protocol, int port) implements Front {
        @Override
        public Place place() {
            return new Place(family, Optional.empty(), protocol, port);
        }
    }

    /**
     * What only one Service can have.
     *
     * @param family of the address
     * @param address that is called, whatever it is to the Service; empty: the node's
     * @param protocol of the port
     * @param port that is called
     */
    record Place(IpFamily family, Optional<IpAddress> address, IpProtocol protocol, int port) {}

    /** What it takes. */
    Place place();
}

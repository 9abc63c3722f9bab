package io.podwire.node.service;

import io.podwire.common.net.IpFamily;
import io.podwire.node.plan.IpProtocol;

/**
 * The sets and maps of the table of services, of each family one. In the order in which members are added: what is
 * looked up first comes last, so that whoever finds it finds the rest. They are removed in the reverse order.
 */
public enum ServiceMap {
    /** Where a call by TCP to an address goes: by address, port and slot. */
    TCP_ENDPOINTS("tcp-endpoints"),
    /** The same by UDP. */
    UDP_ENDPOINTS("udp-endpoints"),
    /** The same by SCTP. */
    SCTP_ENDPOINTS("sctp-endpoints"),
    /** Where a call by TCP to a node port goes: by port and slot. */
    TCP_PORT_ENDPOINTS("tcp-port-endpoints"),
    /** The same by UDP. */
    UDP_PORT_ENDPOINTS("udp-port-endpoints"),
    /** The same by SCTP. */
    SCTP_PORT_ENDPOINTS("sctp-port-endpoints"),
    /** Endpoints of this node, which may call themselves: pairs of an address with itself. */
    SELF("self"),
    /** Calls to these leave the node by its own address: address, protocol, port. */
    TRANSLATED("translated"),
    /** The same of node ports: protocol, port. */
    TRANSLATED_PORTS("translated-ports"),
    /** Whose clients come back to the same endpoint: the chain that remembers, by address, protocol and port. */
    STICKY("sticky"),
    /** The same of node ports. */
    STICKY_PORTS("sticky-ports"),
    /** Whom not everybody may call: the chain that knows who may, by address, protocol and port. */
    GUARDS("guards"),
    /** Calls from outside: the chain that chooses, by address, protocol and port. */
    OUTSIDE("outside"),
    /** Calls from outside to node ports: the chain that chooses, by protocol and port. */
    OUTSIDE_PORTS("outside-ports"),
    /** Calls from the node and its pods: the chain that chooses, by address, protocol and port. */
    INSIDE("inside"),
    /** The same to node ports. */
    INSIDE_PORTS("inside-ports"),
    /** Addresses of which every port that is not a Service's is rejected. */
    CLUSTER_IPS("cluster-ips");

    private final String label;

    ServiceMap(String label) {
        this.label = label;
    }

    /** The map of the endpoints of calls by a protocol. */
    static ServiceMap endpoints(IpProtocol protocol, boolean nodePort) {
        return switch (protocol) {
            case TCP -> nodePort ? TCP_PORT_ENDPOINTS : TCP_ENDPOINTS;
            case UDP -> nodePort ? UDP_PORT_ENDPOINTS : UDP_ENDPOINTS;
            case SCTP -> nodePort ? SCTP_PORT_ENDPOINTS : SCTP_ENDPOINTS;
        };
    }

    /** Its name in the table. */
    public String name(IpFamily family) {
        return switch (family) {
            case V4 -> label + "-4";
            case V6 -> label + "-6";
        };
    }

    /** True where several ports may have the same member, which is gone when the last of them is. */
    public boolean isShared() {
        return this == SELF || this == CLUSTER_IPS;
    }
}

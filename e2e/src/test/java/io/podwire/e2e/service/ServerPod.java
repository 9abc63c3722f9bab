package io.podwire.e2e.service;

import java.net.InetSocketAddress;

/**
 * A pod that answers, or one that a node's own network has.
 *
 * @param node name of its node
 * @param four its IPv4 address
 * @param six its IPv6 address
 * @param server what answers
 */
record ServerPod(String name, String node, String four, String six, Place place, EchoServer server) {
    String address(boolean ofSix) {
        return ofSix ? six : four;
    }

    /** Where it is reached without a service. */
    InetSocketAddress at(boolean ofSix, int port) {
        return ServiceWorld.at(address(ofSix), port);
    }
}

package io.podwire.cli.lab;

import java.util.List;
import java.util.stream.IntStream;

/**
 * The lab's underlay in the documentation network 192.0.2.0/24 (RFC 5737): two subnets with a router
 * between them. Two thirds of the nodes are on the first one, beside the control services.
 *
 * @param nodes by number, from 1
 */
public record Topology(List<Node> nodes) {
    /** Most nodes of a lab. */
    public static final int MAX_NODES = 60;

    /** Prefix length of both subnets. */
    public static final int SUBNET_LENGTH = 25;

    /** Where the control services listen, on the first subnet. */
    public static final String CONTROL_ADDRESS = "192.0.2.10";

    /** The lab's own address, from which its commands reach the control services. */
    public static final String LAB_ADDRESS = "192.0.2.2";

    private static final int FIRST_NODE = 10;

    /** One of the two subnets: a bridge in the router's namespace. */
    public enum Subnet {
        /** 192.0.2.0/25. */
        A("bra", 0),
        /** 192.0.2.128/25. */
        B("brb", 128);

        private final String bridge;
        private final int base;

        Subnet(String bridge, int base) {
            this.bridge = bridge;
            this.base = base;
        }

        /** Name of its bridge. */
        public String bridge() {
            return bridge;
        }

        /** The router's address on it. */
        public String gateway() {
            return host(1);
        }

        private String host(int number) {
            return "192.0.2." + (base + number);
        }
    }

    /**
     * A node.
     *
     * @param number from 1
     * @param name also the name of its network namespace
     * @param address on the underlay
     */
    public record Node(int number, String name, Subnet subnet, String address) {}

    /** Copies what could change. */
    public Topology {
        nodes = List.copyOf(nodes);
    }

    /**
     * A lab of some nodes.
     *
     * @throws IllegalArgumentException for less than 1 or more than {@link #MAX_NODES}
     */
    public static Topology of(int nodes) {
        if (nodes < 1 || nodes > MAX_NODES) {
            throw new IllegalArgumentException("a lab has 1 to " + MAX_NODES + " nodes, not " + nodes);
        }
        int onFirst = (2 * nodes + 2) / 3;
        return new Topology(IntStream.rangeClosed(1, nodes)
                .mapToObj(number -> {
                    Subnet subnet = number <= onFirst ? Subnet.A : Subnet.B;
                    return new Node(number, "node" + number, subnet, subnet.host(FIRST_NODE + number));
                })
                .toList());
    }
}

package io.podwire.node.nft.model;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** A named set or map. Equality is of content; two that share their member list compare at once. */
public sealed interface NftSet {
    /** Its name within the table. */
    String name();

    /** For people; empty: none. */
    String comment();

    /** True when its members have values. */
    default boolean isMap() {
        return switch (this) {
            case VerdictMap _, PortMap _ -> true;
            case Prefixes _, Ports _, Sources _, ProtocolPorts _, Selves _ -> false;
        };
    }

    /**
     * Addresses or prefixes of one family.
     *
     * @param name its name
     * @param family of its members
     * @param comment for people
     * @param interval true: prefixes of any length ("flags interval"); false: single addresses, a hash table
     * @param members sorted, not overlapping
     */
    record Prefixes(String name, IpFamily family, String comment, boolean interval, List<IpPrefix> members)
            implements NftSet {
        /** Checks the names and copies; the caller answers for the members. */
        public Prefixes {
            Identifiers.check("set", name);
            Identifiers.checkComment(comment);
            members = List.copyOf(members);
        }
    }

    /**
     * Ports.
     *
     * @param name its name
     * @param members sorted, not overlapping, not adjacent
     */
    record Ports(String name, List<Value.Span> members) implements NftSet {
        /** Checks and copies. */
        public Ports {
            Identifiers.check("set", name);
            members = List.copyOf(members);
        }

        @Override
        public String comment() {
            return "";
        }
    }

    /**
     * Who may send by which interface.
     *
     * @param name its name
     * @param family of its members' addresses
     * @param members sorted
     */
    record Sources(String name, IpFamily family, List<Source> members) implements NftSet {
        /** Checks the name and copies; the caller answers for the members. */
        public Sources {
            Identifiers.check("set", name);
            members = List.copyOf(members);
        }

        @Override
        public String comment() {
            return "";
        }
    }

    /**
     * A verdict for each address of one family.
     *
     * @param name its name
     * @param family of its keys
     * @param members verdict by address
     */
    record VerdictMap(String name, IpFamily family, SortedMap<IpAddress, Verdict> members) implements NftSet {
        /** Checks the name and copies; the caller answers for the members. */
        public VerdictMap {
            Identifiers.check("map", name);
            members = Collections.unmodifiableSortedMap(new TreeMap<>(members));
        }

        @Override
        public String comment() {
            return "";
        }
    }

    /**
     * A sender that is not an impostor.
     *
     * @param ifname bridge port
     * @param mac its only Ethernet source
     * @param address its only source of that family
     */
    record Source(String ifname, MacAddress mac, IpAddress address) implements Comparable<Source> {
        private static final Comparator<Source> ORDER =
                Comparator.comparing(Source::ifname).thenComparing(Source::mac).thenComparing(Source::address);

        /** Checks the interface. */
        public Source {
            Value.Interface checked = new Value.Interface(ifname);
            if (checked.name().endsWith("*")) {
                throw new IllegalArgumentException(ifname + " is not one sender's interface");
            }
        }

        @Override
        public int compareTo(Source other) {
            return ORDER.compare(this, other);
        }
    }

    /**
     * Where packets to ports of the node go.
     *
     * @param name its name
     * @param family of all addresses
     * @param byAddress true: the keys have an address; false: none has
     * @param members where to, by where from
     */
    record PortMap(String name, IpFamily family, boolean byAddress, SortedMap<PortKey, PortTarget> members)
            implements NftSet {
        /** Checks the name and copies; the caller answers for the members. */
        public PortMap {
            Identifiers.check("map", name);
            members = Collections.unmodifiableSortedMap(new TreeMap<>(members));
        }

        @Override
        public String comment() {
            return "";
        }
    }

    /**
     * Ports of protocols.
     *
     * @param name its name
     * @param members sorted, without addresses
     */
    record ProtocolPorts(String name, List<PortKey> members) implements NftSet {
        /** Checks the name and copies; the caller answers for the members. */
        public ProtocolPorts {
            Identifiers.check("set", name);
            members = List.copyOf(members);
        }

        @Override
        public String comment() {
            return "";
        }
    }

    /**
     * Pairs of an address with itself.
     *
     * @param name its name
     * @param family of its members
     * @param members sorted
     */
    record Selves(String name, IpFamily family, List<IpAddress> members) implements NftSet {
        /** Checks the name and copies; the caller answers for the members. */
        public Selves {
            Identifiers.check("set", name);
            members = List.copyOf(members);
        }

        @Override
        public String comment() {
            return "";
        }
    }

    /**
     * A port of the node.
     *
     * @param address of the node; empty: any
     * @param protocol nft(8) symbol
     * @param port 1 to 65535
     */
    record PortKey(Optional<IpAddress> address, String protocol, int port) implements Comparable<PortKey> {
        private static final Comparator<Optional<IpAddress>> ADDRESSES = Comparator.comparing(
                        (Optional<IpAddress> address) -> address.isPresent())
                .thenComparing(
                        (a, b) -> a.isEmpty() || b.isEmpty() ? 0 : a.get().compareTo(b.get()));
        private static final Comparator<PortKey> ORDER = Comparator.comparing(PortKey::address, ADDRESSES)
                .thenComparing(PortKey::protocol)
                .thenComparingInt(PortKey::port);

        @Override
        public int compareTo(PortKey other) {
            return ORDER.compare(this, other);
        }
    }

    /**
     * A pod's port.
     *
     * @param address of the pod
     * @param port 1 to 65535
     */
    record PortTarget(IpAddress address, int port) {}
}

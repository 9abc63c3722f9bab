package io.podwire.node.nft.model;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/** A named set or map. Equality is of content; two that share their member list compare at once. */
public sealed interface NftSet {
    /** Its name within the table. */
    String name();

    /** For people; empty: none. */
    String comment();

    /**
     * IPv4 addresses or prefixes.
     *
     * @param name its name
     * @param comment for people
     * @param interval true: prefixes of any length ("flags interval"); false: /32 only, a hash table
     * @param members sorted, not overlapping
     */
    record Prefixes(String name, String comment, boolean interval, List<IpPrefix> members) implements NftSet {
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
     * @param members sorted
     */
    record Sources(String name, List<Source> members) implements NftSet {
        /** Checks and copies. */
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
     * A verdict for each IPv4 address.
     *
     * @param name its name
     * @param members verdict by address
     */
    record VerdictMap(String name, SortedMap<IpAddress, Verdict> members) implements NftSet {
        /** Checks and copies. */
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
     * @param address its only IPv4 source
     */
    record Source(String ifname, MacAddress mac, IpAddress address) implements Comparable<Source> {
        private static final Comparator<Source> ORDER =
                Comparator.comparing(Source::ifname).thenComparing(Source::mac).thenComparing(Source::address);

        /** Checks the interface and the family. */
        public Source {
            Value.Interface checked = new Value.Interface(ifname);
            if (checked.name().endsWith("*") || address.family() != IpFamily.V4) {
                throw new IllegalArgumentException(ifname + " with " + address + " is not one IPv4 sender");
            }
        }

        @Override
        public int compareTo(Source other) {
            return ORDER.compare(this, other);
        }
    }
}

package io.podwire.cli.conformance;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a network namespace held at one moment.
 *
 * @param links its devices
 * @param routes its unicast routes, of every table but "local"
 * @param lines everything as one line each, sorted, without what changes by itself
 * @param tables text of its nftables tables by family and name
 */
record KernelState(List<Link> links, List<Route> routes, List<String> lines, SortedMap<String, String> tables) {
    /** A namespace that holds nothing. */
    static final KernelState EMPTY = new KernelState(List.of(), List.of(), List.of(), new TreeMap<>());

    /**
     * A device.
     *
     * @param kind veth, bridge, macvlan, ...; empty for lo and hardware
     * @param master name of the bridge that it is a port of, or empty
     * @param other index of its peer or parent in another namespace; 0 when there is none
     */
    record Link(
            int index,
            String name,
            String kind,
            boolean up,
            String mac,
            int mtu,
            String master,
            int other,
            List<Cidr> addresses) {
        /** Copies what could change. */
        Link {
            addresses = List.copyOf(addresses);
        }
    }

    /**
     * A route.
     *
     * @param gateway empty for a route without one
     */
    record Route(Cidr destination, String gateway, String device) {}

    /** Copies what could change. */
    KernelState {
        links = List.copyOf(links);
        routes = List.copyOf(routes);
        lines = lines.stream().sorted().toList();
        tables = Collections.unmodifiableSortedMap(new TreeMap<>(tables));
    }

    /** A device by its name. */
    Optional<Link> link(String name) {
        return links.stream().filter(link -> link.name().equals(name)).findFirst();
    }

    /** Lines that are here and not in another state; a line that is here once more stays once. */
    List<String> minus(KernelState other) {
        List<String> left = new ArrayList<>(lines);
        other.lines.forEach(left::remove);
        return List.copyOf(left);
    }

    /**
     * What an attachment has left behind: devices and rules that were not there before, and whatever else
     * is new and names it. Other new lines may be of somebody else.
     *
     * @param words what names the attachment: its addresses, devices, id
     * @param alone true when nobody else uses this namespace, so that every new device and rule counts
     */
    List<String> residue(KernelState before, Collection<String> words, boolean alone) {
        return minus(before).stream()
                .filter(line -> words.stream().anyMatch(word -> names(line, word))
                        || (alone && (line.startsWith("link ") || line.startsWith("rule "))))
                .toList();
    }

    /** The tables whose text is another one than before, or that are new. */
    Map<String, String> changedTables(KernelState before) {
        SortedMap<String, String> changed = new TreeMap<>(tables);
        changed.entrySet().removeIf(table -> table.getValue().equals(before.tables.get(table.getKey())));
        return changed;
    }

    /** True when a word stands in a line and is not a part of a longer one: 10.0.0.1 is not in 10.0.0.12. */
    private static boolean names(String line, String word) {
        for (int at = line.indexOf(word); at >= 0; at = line.indexOf(word, at + 1)) {
            int end = at + word.length();
            boolean begins = at == 0 || !isOfWord(line.charAt(at - 1));
            boolean ends = end == line.length() || !isOfWord(line.charAt(end));
            if (begins && ends) {
                return true;
            }
        }
        return false;
    }

    private static boolean isOfWord(char c) {
        return Character.isLetterOrDigit(c) || c == '.' || c == ':';
    }
}

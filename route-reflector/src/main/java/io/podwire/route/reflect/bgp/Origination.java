package io.podwire.route.reflect.bgp;

import io.podwire.common.net.IpPrefix;
import java.util.List;

/**
 * What neighbours are told besides the prefixes that nodes hold: each has the nodes behind it as next hops.
 *
 * @param aggregates told in place of nodes' prefixes inside them, where a node holds one; none overlaps another
 * @param services told with every connected node, because each has the rules of all services; none overlaps another
 */
public record Origination(List<IpPrefix> aggregates, List<IpPrefix> services) {
    /** Nothing. */
    public static final Origination NONE = new Origination(List.of(), List.of());

    /** Copies, and checks that each list is without overlaps. */
    public Origination {
        aggregates = disjoint("--bgp-aggregates", aggregates);
        services = disjoint("--bgp-services", services);
    }

    /** The same with services in other prefixes. */
    public Origination withServices(List<IpPrefix> others) {
        return new Origination(aggregates, others);
    }

    /** True when neighbours are told an aggregate in place of this prefix of a node. One as large is told itself. */
    public boolean replaces(IpPrefix prefix) {
        for (int i = 0; i < aggregates.size(); i++) {
            if (aggregates.get(i).length() < prefix.length()
                    && aggregates.get(i).contains(prefix)) {
                return true;
            }
        }
        return false;
    }

    private static List<IpPrefix> disjoint(String option, List<IpPrefix> prefixes) {
        List<IpPrefix> sorted = prefixes.stream().sorted().toList();
        for (int i = 1; i < sorted.size(); i++) {
            if (sorted.get(i).overlaps(sorted.get(i - 1))) {
                throw new IllegalArgumentException(option + ": " + sorted.get(i - 1) + " and " + sorted.get(i)
                        + " overlap; leave out one of them");
            }
        }
        return sorted;
    }
}

package io.podwire.node.plan;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;

/**
 * Whose packets leave the cluster by the node's address, since nothing out there leads back to them. What such a pod
 * sends to another pool of this kind never does, and neither does what stays on the node.
 *
 * @param pools addresses of the pods that are meant, whole pools; none: nobody's packets
 * @param except further destinations that see pods by their own addresses
 */
public record Masquerade(List<IpPrefix> pools, List<IpPrefix> except) {
    /** Every pod is seen by its own address everywhere. */
    public static final Masquerade NONE = new Masquerade(List.of(), List.of());

    /** Copies. */
    public Masquerade {
        pools = List.copyOf(pools);
        except = List.copyOf(except);
    }

    /** Those of a family, sorted; none is part of another. */
    List<IpPrefix> sources(IpFamily family) {
        return outermost(pools.stream(), family);
    }

    /** Where packets of these go with their own source, of a family, sorted; none is part of another. */
    List<IpPrefix> kept(IpFamily family) {
        return outermost(Stream.concat(pools.stream(), except.stream()), family);
    }

    private static List<IpPrefix> outermost(Stream<IpPrefix> prefixes, IpFamily family) {
        List<IpPrefix> all = prefixes.filter(prefix -> prefix.family() == family)
                .distinct()
                .sorted()
                .toList();
        return all.stream().filter(prefix -> !isInside(prefix, all)).toList();
    }

    private static boolean isInside(IpPrefix prefix, Collection<IpPrefix> all) {
        return all.stream().anyMatch(other -> other.length() < prefix.length() && other.contains(prefix.address()));
    }
}

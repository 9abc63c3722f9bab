package io.podwire.ipam.audit;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;

/** Things by their prefixes, where these may overlap: that is what an audit looks for. */
final class Cover<T> {
    private final Map<IpPrefix, List<T>> byPrefix = new HashMap<>();
    /** Few: blocks of a pool have one. */
    private final TreeSet<Integer> lengths = new TreeSet<>();

    Cover(Collection<T> things, Function<T, IpPrefix> prefix) {
        for (T thing : things) {
            IpPrefix of = prefix.apply(thing);
            byPrefix.computeIfAbsent(of, _ -> new ArrayList<>(1)).add(thing);
            lengths.add(of.length());
        }
    }

    /** Those that an address lies in, the widest first. */
    List<T> over(IpAddress address) {
        return over(IpPrefix.ofHost(address));
    }

    /** Those that hold all of a prefix, the widest first. */
    List<T> over(IpPrefix inner) {
        List<T> found = new ArrayList<>(1);
        for (int length : lengths.headSet(inner.length(), true)) {
            found.addAll(byPrefix.getOrDefault(IpPrefix.containing(inner.address(), length), List.of()));
        }
        return found;
    }
}

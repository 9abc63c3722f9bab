package io.podwire.policy.compile;

import io.podwire.common.net.IpPrefix;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/** Arithmetic of CIDR prefixes. */
final class Cidrs {
    private Cidrs() {}

    /** The addresses of {@code whole} that are in none of {@code holes}: disjoint prefixes, sorted. */
    static List<IpPrefix> difference(IpPrefix whole, Collection<IpPrefix> holes) {
        List<IpPrefix> out = new ArrayList<>();
        collect(whole, holes.stream().filter(whole::overlaps).toList(), out);
        return out;
    }

    private static void collect(IpPrefix part, List<IpPrefix> holes, List<IpPrefix> out) {
        if (holes.isEmpty()) {
            out.add(part);
        } else if (holes.stream().noneMatch(hole -> hole.contains(part))) {
            IpPrefix lower = new IpPrefix(part.address(), part.length() + 1);
            IpPrefix upper = new IpPrefix(lower.last().plus(1), part.length() + 1);
            collect(lower, holes.stream().filter(lower::overlaps).toList(), out);
            collect(upper, holes.stream().filter(upper::overlaps).toList(), out);
        }
    }
}

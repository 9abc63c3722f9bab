package io.podwire.policy.compile;

import io.podwire.common.net.IpPrefix;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The difference of two programs. */
public final class ProgramDiff {
    private ProgramDiff() {}

    /** What leads from one program to the other: applied to {@code from} it gives {@code to}. */
    public static ProgramDelta between(NodeProgram from, NodeProgram to) {
        List<EndpointPolicy> endpoints = to.endpoints().values().stream()
                .filter(endpoint -> !endpoint.equals(from.endpoints().get(endpoint.key())))
                .toList();
        List<AddressSetDelta> sets = new ArrayList<>();
        to.addressSets().forEach((id, set) -> {
            AddressSet before = from.addressSets().get(id);
            if (before == null) {
                sets.add(new AddressSetDelta(id, set.description(), set.cidrs(), List.of()));
            } else if (!before.equals(set)) {
                sets.add(new AddressSetDelta(
                        id,
                        set.description(),
                        without(set.cidrs(), before.cidrs()),
                        without(before.cidrs(), set.cidrs())));
            }
        });
        List<ExpectedPod> expected = to.expected().values().stream()
                .filter(pod -> !pod.equals(from.expected().get(pod.pod())))
                .toList();
        return new ProgramDelta(
                endpoints,
                gone(from.endpoints(), to.endpoints()),
                sets,
                gone(from.addressSets(), to.addressSets()),
                expected,
                gone(from.expected(), to.expected()));
    }

    private static <K> List<K> gone(Map<K, ?> from, Map<K, ?> to) {
        return from.keySet().stream().filter(key -> !to.containsKey(key)).toList();
    }

    /** One pass over both, which are sorted: they are long, and mostly made of the same objects. */
    private static List<IpPrefix> without(List<IpPrefix> all, List<IpPrefix> taken) {
        List<IpPrefix> out = new ArrayList<>();
        int next = 0;
        for (IpPrefix prefix : all) {
            while (next < taken.size() && taken.get(next).compareTo(prefix) < 0) {
                next++;
            }
            if (next < taken.size() && taken.get(next).equals(prefix)) {
                next++;
            } else {
                out.add(prefix);
            }
        }
        return out;
    }
}

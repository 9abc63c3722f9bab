package io.podwire.policy.compile;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;

/** The difference of two programs. */
public final class ProgramDiff {
    private ProgramDiff() {}

    /** What leads from one program to the other: applied to {@code from} it gives {@code to}. */
    public static ProgramDelta between(NodeProgram from, NodeProgram to) {
        return between(from, to, AddressSetDelta::between);
    }

    static ProgramDelta between(
            NodeProgram from, NodeProgram to, BiFunction<AddressSet, AddressSet, AddressSetDelta> ofSet) {
        List<EndpointPolicy> endpoints = to.endpoints().values().stream()
                .filter(endpoint -> !endpoint.equals(from.endpoints().get(endpoint.key())))
                .toList();
        List<AddressSetDelta> sets = new ArrayList<>();
        to.addressSets().forEach((id, set) -> {
            AddressSet before = from.addressSets().get(id);
            if (before == null) {
                sets.add(new AddressSetDelta(id, set.description(), set.cidrs(), List.of()));
            } else if (!before.equals(set)) {
                sets.add(ofSet.apply(before, set));
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
}

package io.podwire.node.plan;

import io.podwire.common.net.IpPrefix;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Deltas as a policy-service would send them. */
final class ProgramDeltas {
    private ProgramDeltas() {}

    static NodeProgramDelta between(NodeProgram old, NodeProgram now) {
        SortedMap<EndpointKey, EndpointPolicy> endpoints = changed(old.endpoints(), now.endpoints());
        SortedMap<String, AddressSetDelta> sets = new TreeMap<>();
        now.addressSets().forEach((id, set) -> {
            AddressSet before = old.addressSets().get(id);
            if (!set.equals(before)) {
                Set<IpPrefix> was = before == null ? Set.of() : Set.copyOf(before.members());
                sets.put(
                        id,
                        new AddressSetDelta(
                                id,
                                set.description(),
                                minus(Set.copyOf(set.members()), was),
                                minus(was, set.members())));
            }
        });
        return new NodeProgramDelta(
                now.revision(),
                endpoints,
                minus(old.endpoints().keySet(), now.endpoints().keySet()),
                sets,
                minus(old.addressSets().keySet(), now.addressSets().keySet()),
                changed(old.expected(), now.expected()),
                minus(old.expected().keySet(), now.expected().keySet()));
    }

    private static <K, V> SortedMap<K, V> changed(SortedMap<K, V> old, SortedMap<K, V> now) {
        SortedMap<K, V> changed = new TreeMap<>(now);
        changed.entrySet().removeIf(e -> e.getValue().equals(old.get(e.getKey())));
        return changed;
    }

    static NodeProgramDelta ofSet(long revision, String id, List<String> added, List<String> removed) {
        SortedMap<String, AddressSetDelta> sets = new TreeMap<>();
        sets.put(id, new AddressSetDelta(id, "", prefixes(added), prefixes(removed)));
        return new NodeProgramDelta(revision, new TreeMap<>(), Set.of(), sets, Set.of(), new TreeMap<>(), Set.of());
    }

    static NodeProgramDelta removal(long revision, String setId) {
        return new NodeProgramDelta(
                revision, new TreeMap<>(), Set.of(), new TreeMap<>(), Set.of(setId), new TreeMap<>(), Set.of());
    }

    private static Set<IpPrefix> prefixes(List<String> texts) {
        return texts.stream().map(IpPrefix::parse).collect(Collectors.toSet());
    }

    private static <T> Set<T> minus(Iterable<T> from, Iterable<T> what) {
        Set<T> result = new HashSet<>();
        from.forEach(result::add);
        what.forEach(result::remove);
        return result;
    }
}

package io.podwire.policy.compile;

import com.google.common.collect.ImmutableSortedMap;
import io.podwire.policy.model.PodKey;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * One node's program, made anew where something has changed; what has not is the same object as before. Owned by its
 * compiler.
 */
final class LiveProgram {
    private NodeProgram program = NodeProgram.EMPTY;
    private Set<Kind> kinds = Set.of();
    private SortedMap<String, LiveSet> sets = new TreeMap<>();
    private boolean outdated = true;
    private boolean outdatedSets;

    /**
     * What it is about.
     *
     * @param endpoints kinds of the node's endpoints, by key
     * @param expected pods that may come there
     */
    record Content(SortedMap<String, Kind> endpoints, SortedMap<PodKey, Expected> expected) {}

    /** A pod that may come. */
    record Expected(String uid, Kind kind) {}

    /** Its endpoints, its expected pods or a policy of one of them is another. */
    void policiesChanged() {
        outdated = true;
    }

    /** Addresses came to a set of it or left it. */
    void setsChanged() {
        outdatedSets = true;
    }

    boolean outdated() {
        return outdated;
    }

    /** The program while nothing but addresses has changed. */
    NodeProgram current() {
        if (outdatedSets) {
            outdatedSets = false;
            program = new NodeProgram(program.endpoints(), addressSets(), program.expected());
        }
        return program;
    }

    /** Makes it anew. */
    NodeProgram make(Content content, LiveKinds live) {
        Set<Kind> next = new HashSet<>(content.endpoints().values());
        content.expected().values().forEach(pod -> next.add(pod.kind()));
        next.forEach(kind -> live.depend(this, kind));
        // Which sets there are comes first: a pod is expected in those alone.
        SortedMap<String, LiveSet> nextSets = new TreeMap<>();
        next.forEach(kind -> live.compiled(kind).sets().forEach(set -> nextSets.put(set.id(), set)));
        Set<LiveSet> gone = new HashSet<>(sets.values());
        gone.removeAll(nextSets.values());
        gone.forEach(set -> set.users().remove(this));
        nextSets.values().forEach(set -> set.users().add(this));
        sets = nextSets;
        SortedMap<String, AddressSet> addressSets = addressSets();
        program = new NodeProgram(endpoints(content, live), addressSets, expected(content, live, addressSets));
        List<Kind> past = new ArrayList<>(kinds);
        past.removeAll(next);
        past.forEach(kind -> live.release(this, kind));
        kinds = next;
        outdated = false;
        outdatedSets = false;
        return program;
    }

    private SortedMap<String, AddressSet> addressSets() {
        ImmutableSortedMap.Builder<String, AddressSet> out = ImmutableSortedMap.naturalOrder();
        sets.forEach((id, set) -> out.put(id, set.current()));
        return out.build();
    }

    private SortedMap<String, EndpointPolicy> endpoints(Content content, LiveKinds live) {
        ImmutableSortedMap.Builder<String, EndpointPolicy> out = ImmutableSortedMap.naturalOrder();
        content.endpoints().forEach((key, kind) -> {
            Kind.Compiled policy = live.compiled(kind);
            out.put(key, kept(program.endpoints(), key, new EndpointPolicy(key, policy.ingress(), policy.egress())));
        });
        return out.build();
    }

    private SortedMap<PodKey, ExpectedPod> expected(
            Content content, LiveKinds live, Map<String, AddressSet> addressSets) {
        ImmutableSortedMap.Builder<PodKey, ExpectedPod> out = ImmutableSortedMap.naturalOrder();
        content.expected().forEach((key, pod) -> {
            Kind.Compiled policy = live.compiled(pod.kind());
            out.put(
                    key,
                    kept(
                            program.expected(),
                            key,
                            new ExpectedPod(
                                    key,
                                    pod.uid(),
                                    policy.ingress(),
                                    policy.egress(),
                                    LiveKinds.setsHolding(pod.kind(), addressSets))));
        });
        return out.build();
    }

    /** The object of before where the new one says the same: then later comparisons cost nothing. */
    private static <K, V> V kept(Map<K, V> before, K key, V now) {
        V old = before.get(key);
        return now.equals(old) ? old : now;
    }
}

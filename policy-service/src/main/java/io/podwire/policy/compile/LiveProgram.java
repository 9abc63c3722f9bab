package io.podwire.policy.compile;

import com.google.common.collect.ImmutableSortedMap;
import io.podwire.policy.model.PodKey;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.BiFunction;

/**
 * One node's program, made anew where something has changed, and what that was since somebody took it. What has not
 * changed is the same object as before. Owned by its compiler.
 */
final class LiveProgram {
    private final Runnable concerned;
    private SortedMap<String, EndpointPolicy> endpoints = ImmutableSortedMap.of();
    private SortedMap<PodKey, ExpectedPod> expected = ImmutableSortedMap.of();
    private SortedMap<String, LiveSet> sets = new TreeMap<>();
    private Set<Kind> kinds = Set.of();
    private boolean outdated = true;
    /** Sets that addresses came to or left since the program was settled, as they were then. */
    private final Map<LiveSet, AddressSet> changedSets = new HashMap<>();

    private ProgramChange untaken = ProgramChange.NONE;
    private NodeProgram program = NodeProgram.EMPTY;
    private boolean programIsCurrent = true;

    /**
     * What it is about.
     *
     * @param endpoints kinds of the node's endpoints, by key
     * @param expected pods that may come there
     */
    record Content(SortedMap<String, Kind> endpoints, SortedMap<PodKey, Expected> expected) {}

    /** A pod that may come. */
    record Expected(String uid, Kind kind) {}

    /**
     * A program, empty until it is settled.
     *
     * @param concerned called when something of it may have become another
     */
    LiveProgram(Runnable concerned) {
        this.concerned = concerned;
    }

    /** Its endpoints, its expected pods or a policy of one of them is another. */
    void policiesChanged() {
        outdated = true;
        concerned.run();
    }

    /** Addresses come to a set of it or leave it. */
    void setChanged(LiveSet set, AddressSet before) {
        changedSets.putIfAbsent(set, before);
        concerned.run();
    }

    /** True: {@link #settle} is not enough. */
    boolean outdated() {
        return outdated;
    }

    /** Brings it up to date while nothing but addresses has changed. */
    void settle() {
        Difference<String, AddressSet> ofSets = new Difference<>();
        changedSets.forEach((set, before) -> ofSets.add(set.id(), before, set.current()));
        changedSets.clear();
        changed(new Difference<>(), ofSets, new Difference<>());
    }

    /** Makes it anew. */
    void make(Content content, LiveKinds live) {
        Set<Kind> next = new HashSet<>(content.endpoints().values());
        content.expected().values().forEach(pod -> next.add(pod.kind()));
        next.forEach(kind -> live.depend(this, kind));
        // Which sets there are comes first: a pod is expected in those alone.
        Difference<String, AddressSet> ofSets = makeSets(next, live);
        Difference<String, EndpointPolicy> ofEndpoints = new Difference<>();
        endpoints = ofEndpoints.lead(endpoints, content.endpoints(), (key, kind) -> {
            Kind.Compiled policy = live.compiled(kind);
            return new EndpointPolicy(key, policy.ingress(), policy.egress());
        });
        Difference<PodKey, ExpectedPod> ofExpected = new Difference<>();
        expected = ofExpected.lead(expected, content.expected(), (key, pod) -> {
            Kind.Compiled policy = live.compiled(pod.kind());
            return new ExpectedPod(
                    key, pod.uid(), policy.ingress(), policy.egress(), LiveKinds.setsHolding(pod.kind(), sets));
        });
        List<Kind> past = new ArrayList<>(kinds);
        past.removeAll(next);
        past.forEach(kind -> live.release(this, kind));
        kinds = next;
        outdated = false;
        changed(ofEndpoints, ofSets, ofExpected);
    }

    private Difference<String, AddressSet> makeSets(Set<Kind> next, LiveKinds live) {
        SortedMap<String, LiveSet> nextSets = new TreeMap<>();
        next.forEach(kind -> live.compiled(kind).sets().forEach(set -> nextSets.put(set.id(), set)));
        Difference<String, AddressSet> difference = new Difference<>();
        sets.forEach((id, set) -> {
            AddressSet before = changedSets.getOrDefault(set, set.last());
            set.users().remove(this);
            if (nextSets.containsKey(id)) {
                difference.add(id, before, nextSets.get(id).current());
            } else {
                difference.gone(id, before);
            }
        });
        nextSets.forEach((id, set) -> {
            if (!sets.containsKey(id)) {
                difference.come(id, set.current());
            }
            set.users().add(this);
        });
        changedSets.clear();
        sets = nextSets;
        return difference;
    }

    private void changed(
            Difference<String, EndpointPolicy> ofEndpoints,
            Difference<String, AddressSet> ofSets,
            Difference<PodKey, ExpectedPod> ofExpected) {
        ProgramChange change = new ProgramChange(
                new NodeProgram(ofEndpoints.before, ofSets.before, ofExpected.before),
                new NodeProgram(ofEndpoints.now, ofSets.now, ofExpected.now));
        if (!change.isEmpty()) {
            untaken = untaken.then(change);
            programIsCurrent = false;
        }
    }

    /** What has changed since the last call, as of when it was settled. */
    ProgramChange take() {
        ProgramChange change = untaken;
        untaken = ProgramChange.NONE;
        return change;
    }

    /** All of it, as of when it was settled; the same object while that is the same. */
    NodeProgram program() {
        if (!programIsCurrent) {
            programIsCurrent = true;
            ImmutableSortedMap.Builder<String, AddressSet> current = ImmutableSortedMap.naturalOrder();
            sets.forEach((id, set) -> current.put(id, set.current()));
            program = new NodeProgram(endpoints, current.build(), expected);
        }
        return program;
    }

    /** Gathers the entries in which two maps differ. */
    private static final class Difference<K extends Comparable<K>, V> {
        private final SortedMap<K, V> before = new TreeMap<>();
        private final SortedMap<K, V> now = new TreeMap<>();

        void come(K key, V value) {
            now.put(key, value);
        }

        void gone(K key, V value) {
            before.put(key, value);
        }

        void add(K key, V was, V is) {
            if (!is.equals(was)) {
                gone(key, was);
                come(key, is);
            }
        }

        /** The map of these, with the objects of before where the new ones say the same. */
        <T> SortedMap<K, V> lead(SortedMap<K, V> old, SortedMap<K, T> content, BiFunction<K, T, V> made) {
            ImmutableSortedMap.Builder<K, V> out = ImmutableSortedMap.naturalOrder();
            content.forEach((key, of) -> {
                V was = old.get(key);
                V is = made.apply(key, of);
                if (was == null) {
                    come(key, is);
                } else {
                    add(key, was, is);
                }
                out.put(key, is.equals(was) ? was : is);
            });
            old.forEach((key, was) -> {
                if (!content.containsKey(key)) {
                    gone(key, was);
                }
            });
            return before.isEmpty() && now.isEmpty() ? old : out.build();
        }
    }
}

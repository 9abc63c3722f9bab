package io.podwire.policy.compile;

import com.google.common.collect.ArrayListMultimap;
import com.google.common.collect.ImmutableSortedMap;
import com.google.common.collect.Multimap;
import com.google.common.collect.Sets;
import io.podwire.policy.model.PodKey;
import java.util.ArrayList;
import java.util.Collection;
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
    private final SortedMap<String, EndpointPolicy> endpoints = new TreeMap<>();
    private final SortedMap<PodKey, ExpectedPod> expected = new TreeMap<>();
    private final Map<Kind, Part> parts = new HashMap<>();
    private SortedMap<String, LiveSet> sets = new TreeMap<>();
    /** How many of its kinds name a set. */
    private final Map<LiveSet, Integer> uses = new HashMap<>();

    private boolean outdated = true;
    /** Kinds of it whose policy, or whose sets, may be others. */
    private final Set<Kind> changedKinds = new HashSet<>();
    /** Sets that addresses came to or left since the program was settled, as they were then. */
    private final Map<LiveSet, AddressSet> changedSets = new HashMap<>();

    private ProgramChange untaken = ProgramChange.NONE;
    private NodeProgram program = NodeProgram.EMPTY;
    private boolean newEndpoints;
    private boolean newSets;
    private boolean newExpected;

    /**
     * What it is about.
     *
     * @param endpoints kinds of the node's endpoints, by key
     * @param expected pods that may come there
     */
    record Content(SortedMap<String, Kind> endpoints, SortedMap<PodKey, Expected> expected) {}

    /** A pod that may come. */
    record Expected(String uid, Kind kind) {}

    /** What a kind has in it: mostly one pod, and there may be many of them. */
    private static final class Part {
        private final List<String> endpoints;
        private final List<PodKey> expected;
        private Set<LiveSet> sets;

        Part(Collection<String> endpoints, Collection<PodKey> expected, Set<LiveSet> sets) {
            this.endpoints = List.copyOf(endpoints);
            this.expected = List.copyOf(expected);
            this.sets = sets;
        }
    }

    /**
     * A program, empty until it is made.
     *
     * @param concerned called when something of it may have become another
     */
    LiveProgram(Runnable concerned) {
        this.concerned = concerned;
    }

    /** Its endpoints or its expected pods are others. */
    void policiesChanged() {
        outdated = true;
        concerned.run();
    }

    /** The policy of one of its kinds, or which sets hold it, may be another. */
    void kindChanged(Kind kind) {
        changedKinds.add(kind);
        concerned.run();
    }

    /** Addresses come to a set of it or leave it. */
    void setChanged(LiveSet set, AddressSet before) {
        changedSets.putIfAbsent(set, before);
        concerned.run();
    }

    /** Brings it up to date; false when it has to be made anew, because its content or which sets it has is another. */
    boolean settle(LiveKinds live) {
        if (outdated || setsComeOrGo(live)) {
            return false;
        }
        Difference<String, EndpointPolicy> ofEndpoints = new Difference<>();
        Difference<PodKey, ExpectedPod> ofExpected = new Difference<>();
        for (Kind kind : changedKinds) {
            Part part = parts.get(kind);
            for (String key : part.endpoints) {
                ofEndpoints.put(endpoints, key, endpoint(key, kind, live));
            }
            for (PodKey key : part.expected) {
                ofExpected.put(expected, key, expected(key, expected.get(key).uid(), kind, live));
            }
        }
        changedKinds.clear();
        Difference<String, AddressSet> ofSets = new Difference<>();
        changedSets.forEach((set, before) -> ofSets.change(set.id(), before, set.current()));
        changedSets.clear();
        changed(ofEndpoints, ofSets, ofExpected);
        return true;
    }

    /** If not, the sets that the changed kinds name are taken note of. */
    private boolean setsComeOrGo(LiveKinds live) {
        Map<LiveSet, Integer> more = new HashMap<>();
        for (Kind kind : changedKinds) {
            live.compiled(kind).sets().forEach(set -> more.merge(set, 1, Integer::sum));
            parts.get(kind).sets.forEach(set -> more.merge(set, -1, Integer::sum));
        }
        more.values().removeIf(count -> count == 0);
        for (Map.Entry<LiveSet, Integer> entry : more.entrySet()) {
            int before = uses.getOrDefault(entry.getKey(), 0);
            if ((before == 0) != (before + entry.getValue() == 0)) {
                return true;
            }
        }
        more.forEach((set, count) -> uses.merge(set, count, Integer::sum));
        changedKinds.forEach(kind -> parts.get(kind).sets = live.compiled(kind).sets());
        return false;
    }

    /** Makes it anew. */
    void make(Content content, LiveKinds live) {
        Map<Kind, Part> next = parts(content, live);
        // Which sets there are comes first: a pod is expected in those alone.
        Difference<String, AddressSet> ofSets = makeSets(next);
        Difference<String, EndpointPolicy> ofEndpoints = new Difference<>();
        ofEndpoints.lead(endpoints, content.endpoints(), (key, kind) -> endpoint(key, kind, live));
        Difference<PodKey, ExpectedPod> ofExpected = new Difference<>();
        ofExpected.lead(expected, content.expected(), (key, pod) -> expected(key, pod.uid(), pod.kind(), live));
        List<Kind> past = new ArrayList<>(parts.keySet());
        past.removeAll(next.keySet());
        past.forEach(kind -> live.release(this, kind));
        parts.clear();
        parts.putAll(next);
        changedKinds.clear();
        outdated = false;
        changed(ofEndpoints, ofSets, ofExpected);
    }

    private Map<Kind, Part> parts(Content content, LiveKinds live) {
        Multimap<Kind, String> endpointsOf = ArrayListMultimap.create();
        content.endpoints().forEach((key, kind) -> endpointsOf.put(kind, key));
        Multimap<Kind, PodKey> expectedOf = ArrayListMultimap.create();
        content.expected().forEach((key, pod) -> expectedOf.put(pod.kind(), key));
        Set<Kind> next = Sets.union(endpointsOf.keySet(), expectedOf.keySet());
        next.forEach(kind -> live.depend(this, kind));
        Map<Kind, Part> made = new HashMap<>();
        next.forEach(kind -> made.put(
                kind,
                new Part(
                        endpointsOf.get(kind),
                        expectedOf.get(kind),
                        live.compiled(kind).sets())));
        return made;
    }

    private Difference<String, AddressSet> makeSets(Map<Kind, Part> next) {
        uses.clear();
        next.values().forEach(part -> part.sets.forEach(set -> uses.merge(set, 1, Integer::sum)));
        SortedMap<String, LiveSet> nextSets = new TreeMap<>();
        uses.keySet().forEach(set -> nextSets.put(set.id(), set));
        Difference<String, AddressSet> difference = new Difference<>();
        sets.forEach((id, set) -> {
            AddressSet before = changedSets.getOrDefault(set, set.last());
            set.users().remove(this);
            if (nextSets.containsKey(id)) {
                difference.change(id, before, nextSets.get(id).current());
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

    private static EndpointPolicy endpoint(String key, Kind kind, LiveKinds live) {
        Kind.Compiled policy = live.compiled(kind);
        return new EndpointPolicy(key, policy.ingress(), policy.egress());
    }

    private ExpectedPod expected(PodKey key, String uid, Kind kind, LiveKinds live) {
        Kind.Compiled policy = live.compiled(kind);
        return new ExpectedPod(key, uid, policy.ingress(), policy.egress(), LiveKinds.setsHolding(kind, sets));
    }

    private void changed(
            Difference<String, EndpointPolicy> ofEndpoints,
            Difference<String, AddressSet> ofSets,
            Difference<PodKey, ExpectedPod> ofExpected) {
        newEndpoints |= !ofEndpoints.isEmpty();
        newSets |= !ofSets.isEmpty();
        newExpected |= !ofExpected.isEmpty();
        ProgramChange change = new ProgramChange(
                new NodeProgram(ofEndpoints.before, ofSets.before, ofExpected.before),
                new NodeProgram(ofEndpoints.now, ofSets.now, ofExpected.now));
        if (!change.isEmpty()) {
            untaken = untaken.then(change);
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
        if (newEndpoints || newSets || newExpected) {
            program = new NodeProgram(
                    newEndpoints ? ImmutableSortedMap.copyOfSorted(endpoints) : program.endpoints(),
                    newSets ? addressSets() : program.addressSets(),
                    newExpected ? ImmutableSortedMap.copyOfSorted(expected) : program.expected());
            newEndpoints = false;
            newSets = false;
            newExpected = false;
        }
        return program;
    }

    private SortedMap<String, AddressSet> addressSets() {
        ImmutableSortedMap.Builder<String, AddressSet> current = ImmutableSortedMap.naturalOrder();
        sets.forEach((id, set) -> current.put(id, set.current()));
        return current.build();
    }

    /** Gathers the entries in which a map of before and that of now differ. */
    private static final class Difference<K extends Comparable<K>, V> {
        private final SortedMap<K, V> before = new TreeMap<>();
        private final SortedMap<K, V> now = new TreeMap<>();

        boolean isEmpty() {
            return before.isEmpty() && now.isEmpty();
        }

        void come(K key, V value) {
            now.put(key, value);
        }

        void gone(K key, V value) {
            before.put(key, value);
        }

        void change(K key, V was, V is) {
            if (!is.equals(was)) {
                gone(key, was);
                come(key, is);
            }
        }

        /** Puts an entry into a map; the object of before stays where the new one says the same. */
        void put(SortedMap<K, V> map, K key, V is) {
            V was = map.get(key);
            if (was == null) {
                come(key, is);
            } else {
                change(key, was, is);
            }
            if (!is.equals(was)) {
                map.put(key, is);
            }
        }

        /** Makes a map one of these. */
        <T> void lead(SortedMap<K, V> map, SortedMap<K, T> content, BiFunction<K, T, V> made) {
            content.forEach((key, of) -> put(map, key, made.apply(key, of)));
            map.entrySet().removeIf(entry -> {
                boolean over = !content.containsKey(entry.getKey());
                if (over) {
                    gone(entry.getKey(), entry.getValue());
                }
                return over;
            });
        }
    }
}

package io.podwire.policy.compile;

import com.google.common.collect.ImmutableSortedMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Those parts of two programs in which they differ, so that what one pod changes is told without a look at all the rest.
 *
 * @param before the parts as they were; what is new is not in it
 * @param now the parts as they are; what is gone is not in it
 */
public record ProgramChange(NodeProgram before, NodeProgram now) {
    /** Nothing differs. */
    public static final ProgramChange NONE = new ProgramChange(NodeProgram.EMPTY, NodeProgram.EMPTY);

    /** True when nothing differs. */
    public boolean isEmpty() {
        return hasNothing(before) && hasNothing(now);
    }

    /** This change and a later one as one: what changed and changed back is not in it. */
    public ProgramChange then(ProgramChange later) {
        if (isEmpty()) {
            return later;
        }
        var endpoints = Part.of(before.endpoints(), now.endpoints(), later.before.endpoints(), later.now.endpoints());
        var sets =
                Part.of(before.addressSets(), now.addressSets(), later.before.addressSets(), later.now.addressSets());
        var expected = Part.of(before.expected(), now.expected(), later.before.expected(), later.now.expected());
        return new ProgramChange(
                new NodeProgram(endpoints.before(), sets.before(), expected.before()),
                new NodeProgram(endpoints.now(), sets.now(), expected.now()));
    }

    /** What leads from the one program to the other. */
    public ProgramDelta delta(SetDeltas sets) {
        return ProgramDiff.between(before, now, sets::between);
    }

    private static boolean hasNothing(NodeProgram program) {
        return program.endpoints().isEmpty()
                && program.addressSets().isEmpty()
                && program.expected().isEmpty();
    }

    /** Two changes of one part, one after the other. */
    private record Part<K extends Comparable<K>, V>(SortedMap<K, V> before, SortedMap<K, V> now) {
        static <K extends Comparable<K>, V> Part<K, V> of(
                SortedMap<K, V> firstBefore,
                SortedMap<K, V> firstNow,
                SortedMap<K, V> laterBefore,
                SortedMap<K, V> laterNow) {
            if (laterBefore.isEmpty() && laterNow.isEmpty()) {
                return new Part<>(firstBefore, firstNow);
            }
            Map<K, V> before = new TreeMap<>(laterBefore);
            before.keySet().removeAll(firstNow.keySet());
            before.putAll(firstBefore);
            Map<K, V> now = new TreeMap<>(firstNow);
            now.keySet().removeAll(laterBefore.keySet());
            now.putAll(laterNow);
            before.entrySet().removeIf(entry -> {
                boolean same = entry.getValue().equals(now.get(entry.getKey()));
                if (same) {
                    now.remove(entry.getKey());
                }
                return same;
            });
            return new Part<>(ImmutableSortedMap.copyOf(before), ImmutableSortedMap.copyOf(now));
        }
    }
}

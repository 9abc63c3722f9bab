package io.podwire.ipam.core;

import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;

/**
 * How many addresses each namespace may have. An address without a namespace is of none, and has no limit.
 *
 * @param named by namespace; empty: any number, whatever the default
 * @param usual of every other namespace; empty: any number
 */
public record NamespaceQuotas(Map<String, OptionalInt> named, OptionalInt usual) {
    /** Nobody has a limit. */
    public static final NamespaceQuotas NONE = new NamespaceQuotas(Map.of(), OptionalInt.empty());

    /** Copies; a quota is 0 or more. */
    public NamespaceQuotas {
        named = new TreeMap<>(named);
        named.forEach(NamespaceQuotas::check);
        check("every namespace", usual);
    }

    private static void check(String of, OptionalInt quota) {
        if (quota.isPresent() && quota.getAsInt() < 0) {
            throw new IllegalArgumentException(
                    "the quota of " + of + " must be 0 addresses or more, got " + quota.getAsInt());
        }
    }

    /** True when no namespace has a limit. */
    public boolean none() {
        return usual.isEmpty() && named.values().stream().allMatch(OptionalInt::isEmpty);
    }

    /** What a namespace may have; empty: any number. */
    public OptionalInt of(String namespace) {
        if (namespace.isEmpty()) {
            return OptionalInt.empty();
        }
        OptionalInt own = named.get(namespace);
        return own == null ? usual : own;
    }

    /** True when a namespace that has so many may have no more. */
    public boolean full(String namespace, int used) {
        return exceeded(namespace, used, 1);
    }

    /** True when a namespace that has so many may not have that many more. */
    public boolean exceeded(String namespace, int used, int more) {
        OptionalInt quota = of(namespace);
        return quota.isPresent() && (long) used + more > quota.getAsInt();
    }
}

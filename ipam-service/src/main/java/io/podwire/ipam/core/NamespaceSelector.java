package io.podwire.ipam.core;

import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Which namespaces a pool is for: those that have each of these labels.
 *
 * @param labels key to value, written as Kubernetes labels are; none: every namespace
 */
public record NamespaceSelector(SortedMap<String, String> labels) {
    /** Every namespace. */
    public static final NamespaceSelector EVERY_NAMESPACE = new NamespaceSelector(new TreeMap<>());

    /** Checks and copies. */
    public NamespaceSelector {
        labels = Labels.checked("a namespace selector", labels);
    }

    /** A selector of these labels. */
    public static NamespaceSelector of(Map<String, String> labels) {
        return new NamespaceSelector(new TreeMap<>(labels));
    }

    /** True when it has no label: whoever has it is for no namespace in particular. */
    public boolean isEvery() {
        return labels.isEmpty();
    }

    /** True when a namespace of these labels has each label. */
    public boolean matches(Map<String, String> namespaceLabels) {
        return labels.entrySet().stream()
                .allMatch(label -> label.getValue().equals(namespaceLabels.get(label.getKey())));
    }

    /** key=value,key=value by key; empty for every namespace. */
    @Override
    public String toString() {
        return Labels.text(labels);
    }
}

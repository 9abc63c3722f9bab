package io.podwire.ipam.core;

import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Labels of a selector: written as Kubernetes labels are. */
final class Labels {
    private static final int MOST_LABELS = 32;
    private static final String NAME = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";
    private static final Pattern KEY = Pattern.compile("([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?" + NAME);
    private static final Pattern VALUE = Pattern.compile("(" + NAME + ")?");

    private Labels() {}

    /**
     * A copy that stays as it is.
     *
     * @param selector what it is part of, for the message: "a node selector"
     * @throws IllegalArgumentException when there are more than 32, or one is no label
     */
    static SortedMap<String, String> checked(String selector, Map<String, String> labels) {
        if (labels.size() > MOST_LABELS) {
            throw new IllegalArgumentException(
                    selector + " has at most " + MOST_LABELS + " labels, got " + labels.size());
        }
        labels.forEach((key, value) -> {
            if (!KEY.matcher(key).matches() || !VALUE.matcher(value).matches()) {
                throw new IllegalArgumentException("'" + key + "=" + value + "' is not a label of " + selector
                        + ": a Kubernetes label key such as"
                        + " topology.kubernetes.io/zone, and a value of at most 63 characters of [A-Za-z0-9-_.]");
            }
        });
        return Collections.unmodifiableSortedMap(new TreeMap<>(labels));
    }

    /** key=value,key=value by key. */
    static String text(SortedMap<String, String> labels) {
        return labels.entrySet().stream()
                .map(label -> label.getKey() + "=" + label.getValue())
                .collect(Collectors.joining(","));
    }
}

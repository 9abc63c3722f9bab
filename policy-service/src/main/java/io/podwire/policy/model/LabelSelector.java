package io.podwire.policy.model;

import com.google.common.collect.ImmutableSortedMap;
import com.google.common.collect.ImmutableSortedSet;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A Kubernetes label selector (meta/v1 LabelSelector): all of its parts must hold; without parts it
 * selects everything.
 *
 * @param matchLabels label values that must be so
 * @param matchExpressions further requirements; their order has no meaning
 */
public record LabelSelector(Map<String, String> matchLabels, List<Requirement> matchExpressions) {
    /** Selects everything: {@code {}} in YAML. */
    public static final LabelSelector EVERYTHING = new LabelSelector(Map.of(), List.of());

    // "Labels and Selectors", syntax and character set. Without these checks toString could be ambiguous.
    private static final Pattern KEY =
            Pattern.compile("([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?");
    private static final Pattern VALUE = Pattern.compile("([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?");

    /** What a requirement asks of one label. */
    public enum Operator {
        /** The label is there with one of the values. */
        IN,
        /** The label is absent, or has none of the values. */
        NOT_IN,
        /** The label is there. */
        EXISTS,
        /** The label is absent. */
        DOES_NOT_EXIST
    }

    /**
     * One requirement.
     *
     * @param key label name
     * @param operator what is asked
     * @param values at least one for IN and NOT_IN, none otherwise
     */
    public record Requirement(String key, Operator operator, Set<String> values) {
        /** Checks syntax and the number of values. */
        public Requirement {
            checkKey(key);
            values.forEach(LabelSelector::checkValue);
            boolean wantsValues = operator == Operator.IN || operator == Operator.NOT_IN;
            if (wantsValues == values.isEmpty()) {
                throw new IllegalArgumentException("requirement " + operator + " on label '" + key + "' needs "
                        + (wantsValues ? "values" : "no values, got " + values));
            }
            values = ImmutableSortedSet.copyOf(values);
        }

        boolean matches(Map<String, String> labels) {
            String value = labels.get(key);
            return switch (operator) {
                case IN -> value != null && values.contains(value);
                case NOT_IN -> value == null || !values.contains(value);
                case EXISTS -> value != null;
                case DOES_NOT_EXIST -> value == null;
            };
        }

        /** In the syntax of kubectl's --selector. */
        @Override
        public String toString() {
            return switch (operator) {
                case IN -> key + " in (" + String.join(",", values) + ")";
                case NOT_IN -> key + " notin (" + String.join(",", values) + ")";
                case EXISTS -> key;
                case DOES_NOT_EXIST -> "!" + key;
            };
        }
    }

    /** Checks syntax; sorts, so that selectors which differ in order are equal. */
    public LabelSelector {
        matchLabels.forEach((key, value) -> {
            checkKey(key);
            checkValue(value);
        });
        matchLabels = ImmutableSortedMap.copyOf(matchLabels);
        matchExpressions = matchExpressions.stream()
                .sorted(Comparator.comparing(Requirement::toString))
                .distinct()
                .toList();
    }

    /** True when it selects an object with these labels. */
    public boolean matches(Map<String, String> labels) {
        return matchLabels.entrySet().stream().allMatch(e -> e.getValue().equals(labels.get(e.getKey())))
                && matchExpressions.stream().allMatch(requirement -> requirement.matches(labels));
    }

    /** In the syntax of kubectl's --selector, "*" for everything: one text for one meaning. */
    @Override
    public String toString() {
        if (matchLabels.isEmpty() && matchExpressions.isEmpty()) {
            return "*";
        }
        return Stream.concat(
                        matchLabels.entrySet().stream().map(e -> e.getKey() + "=" + e.getValue()),
                        matchExpressions.stream().map(Requirement::toString))
                .collect(Collectors.joining(","));
    }

    private static void checkKey(String key) {
        if (!KEY.matcher(key).matches()) {
            throw new IllegalArgumentException("'" + key + "' is not a label name");
        }
    }

    private static void checkValue(String value) {
        if (!VALUE.matcher(value).matches()) {
            throw new IllegalArgumentException("'" + value + "' is not a label value");
        }
    }
}

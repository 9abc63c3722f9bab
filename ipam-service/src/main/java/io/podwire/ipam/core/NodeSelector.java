package io.podwire.ipam.core;

import io.podwire.common.net.NodeName;
import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Which nodes a pool gives blocks to: those that have each of these labels.
 *
 * @param labels key to value, written as Kubernetes labels are; none: every node. {@link #NODE_LABEL}
 *     stands for the node's name, whatever labels the node tells
 */
public record NodeSelector(SortedMap<String, String> labels) {
    /** Every node. */
    public static final NodeSelector EVERY_NODE = new NodeSelector(new TreeMap<>());

    /** The label that every node has: its name. */
    public static final String NODE_LABEL = "podwire.io/node";

    private static final int MOST_LABELS = 32;
    private static final String NAME = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";
    private static final Pattern KEY = Pattern.compile("([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?" + NAME);
    private static final Pattern VALUE = Pattern.compile("(" + NAME + ")?");

    /** Checks and copies. */
    public NodeSelector {
        if (labels.size() > MOST_LABELS) {
            throw new IllegalArgumentException(
                    "a node selector has at most " + MOST_LABELS + " labels, got " + labels.size());
        }
        labels.forEach((key, value) -> {
            if (!KEY.matcher(key).matches() || !VALUE.matcher(value).matches()) {
                throw new IllegalArgumentException("'" + key + "=" + value
                        + "' is not a label of a node selector: a Kubernetes label key such as"
                        + " topology.kubernetes.io/zone, and a value of at most 63 characters of [A-Za-z0-9-_.]");
            }
        });
        labels = Collections.unmodifiableSortedMap(new TreeMap<>(labels));
    }

    /** A selector of these labels. */
    public static NodeSelector of(Map<String, String> labels) {
        return new NodeSelector(new TreeMap<>(labels));
    }

    /** True when the node has every label. */
    public boolean matches(NodeName node, Map<String, String> nodeLabels) {
        return labels.entrySet().stream()
                .allMatch(label -> label.getValue()
                        .equals(label.getKey().equals(NODE_LABEL) ? node.value() : nodeLabels.get(label.getKey())));
    }

    /** key=value,key=value by key; empty for every node. */
    @Override
    public String toString() {
        return labels.entrySet().stream()
                .map(label -> label.getKey() + "=" + label.getValue())
                .collect(Collectors.joining(","));
    }
}

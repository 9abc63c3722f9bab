package io.podwire.ipam.core;

import io.podwire.common.net.NodeName;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

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

    /** Checks and copies. */
    public NodeSelector {
        labels = Labels.checked("a node selector", labels);
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
        return Labels.text(labels);
    }
}

package io.podwire.policy.model;

import com.google.common.collect.ImmutableMap;
import java.util.Map;

/**
 * A namespace.
 *
 * @param name its name
 * @param labels its labels; {@value #NAME_LABEL} is always there and always the name, as the API
 *     server does it
 */
public record Namespace(String name, Map<String, String> labels) {
    /** Label that every namespace has. */
    public static final String NAME_LABEL = "kubernetes.io/metadata.name";

    /** Copies the labels and sets the name label. */
    public Namespace {
        labels = ImmutableMap.<String, String>builder()
                .putAll(labels)
                .put(NAME_LABEL, name)
                .buildKeepingLast();
    }

    /** A namespace that no object declares. */
    public static Namespace unlabelled(String name) {
        return new Namespace(name, Map.of());
    }
}

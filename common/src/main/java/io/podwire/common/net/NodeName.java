package io.podwire.common.net;

import java.util.regex.Pattern;

/**
 * A node's name.
 *
 * @param value an RFC 1123 subdomain, at most 253 characters
 */
public record NodeName(String value) implements Comparable<NodeName> {
    private static final Pattern SUBDOMAIN =
            Pattern.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");

    /** Checks the name. */
    public NodeName {
        if (value.length() > 253 || !SUBDOMAIN.matcher(value).matches()) {
            throw new IllegalArgumentException("'" + value
                    + "' is not a node name: lower-case letters, digits, '-' and '.', at most 253 characters");
        }
    }

    @Override
    public int compareTo(NodeName other) {
        return value.compareTo(other.value);
    }

    /** The bare name. */
    @Override
    public String toString() {
        return value;
    }
}

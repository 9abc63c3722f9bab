package io.podwire.policy.model;

/**
 * A container port with a name.
 *
 * @param name as in containers[].ports[].name, not empty
 * @param protocol its protocol
 * @param port 1 to 65535
 */
public record NamedPort(String name, Protocol protocol, int port) {
    /** Checks name and range. */
    public NamedPort {
        if (name.isEmpty() || port < 1 || port > 65535) {
            throw new IllegalArgumentException(
                    "a named port needs a name and a number of 1 to 65535, got '" + name + "' " + port);
        }
    }
}

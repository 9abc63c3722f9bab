package io.podwire.ipam.core;

/**
 * A pod that has an address.
 *
 * @param namespace its namespace
 * @param name its name there
 * @param uid what tells it from others of that name, or empty where its node does not know
 */
public record HoldingPod(String namespace, String name, String uid) {
    /** namespace/name. */
    @Override
    public String toString() {
        return namespace + "/" + name;
    }
}

package io.podwire.policy.publish;

/**
 * One life of a node.
 *
 * @param uid identity of the installation
 * @param counter starts of that installation
 */
record NodeLife(String uid, long counter) {
    /** True when the other one is an earlier start of the same installation. */
    boolean supersedes(NodeLife other) {
        return uid.equals(other.uid) && Long.compareUnsigned(counter, other.counter) > 0;
    }
}

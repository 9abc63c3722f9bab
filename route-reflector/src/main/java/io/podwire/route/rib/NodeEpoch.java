package io.podwire.route.rib;

import io.podwire.common.net.NodeName;

/**
 * One life of a node.
 *
 * @param node its name
 * @param nodeUid identity of the installation, not empty
 * @param bootId /proc/sys/kernel/random/boot_id at the start of node-shim, not empty
 * @param counter starts of node-shim on this installation, 1 or more; a higher one is newer
 */
public record NodeEpoch(NodeName node, String nodeUid, String bootId, long counter) {
    /** Checks that nothing is missing. */
    public NodeEpoch {
        if (nodeUid.isEmpty() || bootId.isEmpty() || counter < 1) {
            throw new IllegalArgumentException("a node epoch needs an installation, a boot and a counter of 1 or more,"
                    + " got '" + nodeUid + "', '" + bootId + "', " + counter);
        }
    }

    /**
     * True when the two can follow one another on one installation. A copied disk gives two machines
     * one uid and one counter: their boot ids tell them apart.
     */
    boolean sameInstallation(NodeEpoch other) {
        return nodeUid.equals(other.nodeUid) && (counter != other.counter || bootId.equals(other.bootId));
    }

    /** True when both are lives of one installation, or of two machines that claim to be it. */
    public boolean sameOwner(NodeEpoch other) {
        return node.equals(other.node) && nodeUid.equals(other.nodeUid);
    }

    /**
     * True when a life is over, that other one of its installation being the newest that ipam-service knows. One counter in
     * two boots is of a copied disk, or of a life that has lost what it owned: it proves nothing, so it counts as over.
     */
    public boolean isBefore(NodeEpoch newest) {
        return sameOwner(newest)
                && (counter < newest.counter || (counter == newest.counter && !bootId.equals(newest.bootId)));
    }

    /** The name, the counter and the installation, for messages. */
    @Override
    public String toString() {
        return node + " (start " + counter + " of installation " + nodeUid + ")";
    }
}

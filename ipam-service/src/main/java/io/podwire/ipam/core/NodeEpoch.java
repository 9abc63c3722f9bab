package io.podwire.ipam.core;

import io.podwire.common.net.NodeName;
import java.util.regex.Pattern;

/**
 * One life of a node. The owner of a block is the pair (node, uid): an installation. A reinstalled
 * node has the same name and another uid, and is another owner.
 *
 * @param node the node's name
 * @param uid identity of the installation, 1 to 64 characters of [A-Za-z0-9._-]
 * @param bootId /proc/sys/kernel/random/boot_id, the same characters
 * @param counter starts of node-shim on this installation, from 1; higher is newer
 */
public record NodeEpoch(NodeName node, String uid, String bootId, long counter) {
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9._-]{1,64}");
    /** Stands for the boot of a life that has lost what it owned: no kernel gives a boot such an id. */
    private static final String RECLAIMED = "reclaimed";

    /** How one epoch stands to another of the same node name. */
    public enum Relation {
        /** The very same life. */
        SAME,
        /** A later life of the same installation. */
        NEWER,
        /**
         * An earlier life of the same installation; or one with the same counter and another boot,
         * which a copied or rolled back disk makes: it proves nothing, so it counts as earlier.
         */
        OLDER,
        /** Another installation, which owns other blocks. */
        OTHER_OWNER
    }

    /** Checks ids and counter. */
    public NodeEpoch {
        check("node uid", uid);
        check("boot id", bootId);
        if (counter < 1) {
            throw new IllegalArgumentException(
                    "epoch counter of node " + node + " must be 1 to 2^63 - 1, got " + Long.toUnsignedString(counter));
        }
    }

    private static void check(String what, String value) {
        if (!ID.matcher(value).matches()) {
            throw new IllegalArgumentException(
                    "'" + value + "' is not a " + what + ": 1 to 64 characters of [A-Za-z0-9._-]");
        }
    }

    /** True when both are lives of one installation. */
    public boolean sameOwner(NodeEpoch other) {
        return node.equals(other.node) && uid.equals(other.uid);
    }

    /** How this epoch stands to the newest one known. */
    public Relation relationTo(NodeEpoch known) {
        if (!sameOwner(known)) {
            return Relation.OTHER_OWNER;
        }
        if (counter == known.counter) {
            return bootId.equals(known.bootId) && !known.isReclaimed() ? Relation.SAME : Relation.OLDER;
        }
        return counter > known.counter ? Relation.NEWER : Relation.OLDER;
    }

    /**
     * What is known as the newest life once this one's blocks were taken back: this life and all before it are older,
     * the next start of the installation is newer and begins with nothing.
     */
    public NodeEpoch reclaimed() {
        return new NodeEpoch(node, uid, RECLAIMED, counter);
    }

    /** True for what {@link #reclaimed} gives. */
    public boolean isReclaimed() {
        return bootId.equals(RECLAIMED);
    }

    /** node (uid ..., start ...). */
    @Override
    public String toString() {
        return node + " (uid " + uid + ", start " + counter + ")";
    }
}

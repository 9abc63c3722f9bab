package io.podwire.node.plan;

import io.podwire.common.net.IpPrefix;
import java.util.Set;
import java.util.TreeSet;

/**
 * Change of one address set; a set not known before is made.
 *
 * @param id of the set
 * @param description of the set after it
 * @param added members new to it
 * @param removed members that leave it
 */
public record AddressSetDelta(String id, String description, Set<IpPrefix> added, Set<IpPrefix> removed) {
    /** Copies. */
    public AddressSetDelta {
        added = Set.copyOf(added);
        removed = Set.copyOf(removed);
    }

    /**
     * The set after this change.
     *
     * @throws IllegalArgumentException when a member to add is there already, or one to remove is not
     */
    AddressSet applyTo(AddressSet before) {
        TreeSet<IpPrefix> members = new TreeSet<>(before.members());
        for (IpPrefix member : removed) {
            if (!members.remove(member)) {
                throw new IllegalArgumentException("address set " + id + " has no " + member + " to remove");
            }
        }
        for (IpPrefix member : added) {
            if (!members.add(member)) {
                throw new IllegalArgumentException("address set " + id + " has " + member + " already");
            }
        }
        return new AddressSet(id, description, members.stream().toList());
    }
}

package io.podwire.policy.compile;

import io.podwire.common.net.IpPrefix;
import java.util.List;

/**
 * Change of one address set; one that was not there is created.
 *
 * @param id its id
 * @param description its description
 * @param added members new to it, sorted
 * @param removed members that left it, sorted
 */
public record AddressSetDelta(String id, String description, List<IpPrefix> added, List<IpPrefix> removed) {
    /** Copies the lists. */
    public AddressSetDelta {
        added = List.copyOf(added);
        removed = List.copyOf(removed);
    }
}

package io.podwire.policy.compile;

import io.podwire.common.net.IpPrefix;
import java.util.ArrayList;
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

    /** What leads from one set to another of the same id. */
    static AddressSetDelta between(AddressSet before, AddressSet now) {
        return new AddressSetDelta(
                now.id(),
                now.description(),
                without(now.cidrs(), before.cidrs()),
                without(before.cidrs(), now.cidrs()));
    }

    /** One pass over both, which are sorted: they are long, and mostly made of the same objects. */
    private static List<IpPrefix> without(List<IpPrefix> all, List<IpPrefix> taken) {
        List<IpPrefix> out = new ArrayList<>();
        int next = 0;
        for (IpPrefix prefix : all) {
            while (next < taken.size() && taken.get(next).compareTo(prefix) < 0) {
                next++;
            }
            if (next < taken.size() && taken.get(next).equals(prefix)) {
                next++;
            } else {
                out.add(prefix);
            }
        }
        return out;
    }
}

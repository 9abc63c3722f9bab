package io.podwire.policy.answer;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.policy.compile.AddressSet;
import java.util.List;

/** An address set, as one asks it. */
record Members(String description, List<IpPrefix> sorted) {
    Members {
        sorted = List.copyOf(sorted);
    }

    static Members of(AddressSet set) {
        return new Members(set.description(), set.cidrs());
    }

    /** True when one of the prefixes, which do not overlap and are sorted by address, has it: the last that is not behind. */
    boolean hold(IpAddress address) {
        int low = 0;
        int high = sorted.size();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (sorted.get(middle).address().compareTo(address) <= 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low > 0 && sorted.get(low - 1).contains(address);
    }
}

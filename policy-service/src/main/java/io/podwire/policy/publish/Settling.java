package io.podwire.policy.publish;

import io.podwire.common.net.IpAddress;
import io.podwire.policy.compile.AddressSet;
import io.podwire.policy.compile.NodeProgram;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Where two programs of a node may differ about addresses: the sets that are not the same in both. Most sets of a program
 * are the very objects of the one before it, so that this is short, and quickly found.
 *
 * @param differing sets of either
 */
record Settling(List<Difference> differing) {
    /** A set that is not the same in both; empty where one has none of that id. */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // it comes, it goes, or it changes
    record Difference(Optional<AddressSet> before, Optional<AddressSet> after) {
        boolean about(IpAddress address) {
            return holds(before, address) != holds(after, address);
        }

        private static boolean holds(Optional<AddressSet> set, IpAddress address) {
            return set.isPresent() && Settling.holds(set.get(), address);
        }
    }

    Settling {
        differing = List.copyOf(differing);
    }

    /** What differs from one to the other. */
    static Settling between(NodeProgram before, NodeProgram after) {
        if (before.addressSets().equals(after.addressSets())) { // set by set at once, when they are the same objects
            return new Settling(List.of());
        }
        List<Difference> differing = new ArrayList<>();
        after.addressSets().forEach((id, set) -> {
            AddressSet old = before.addressSets().get(id);
            if (!set.equals(old)) {
                differing.add(new Difference(Optional.ofNullable(old), Optional.of(set)));
            }
        });
        for (Map.Entry<String, AddressSet> old : before.addressSets().entrySet()) {
            if (!after.addressSets().containsKey(old.getKey())) {
                differing.add(new Difference(Optional.of(old.getValue()), Optional.empty()));
            }
        }
        return new Settling(differing);
    }

    /** True when one of them holds an address that the other does not. */
    boolean about(Collection<IpAddress> addresses) {
        return differing.stream().anyMatch(set -> addresses.stream().anyMatch(set::about));
    }

    /** True when a member covers the address. Members are sorted and do not overlap. */
    static boolean holds(AddressSet set, IpAddress address) {
        int low = 0;
        int high = set.cidrs().size() - 1;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (set.cidrs().get(middle).address().compareTo(address) <= 0) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low <= high && set.cidrs().get(low).contains(address);
    }
}

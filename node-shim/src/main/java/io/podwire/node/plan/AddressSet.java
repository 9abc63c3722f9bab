package io.podwire.node.plan;

import io.podwire.common.net.IpPrefix;
import java.util.Collection;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * A named set of addresses.
 *
 * @param id 1 to 64 characters of [a-z0-9-]
 * @param description what it stands for, for people
 * @param members sorted, not overlapping; a pod is a /32
 */
public record AddressSet(String id, String description, List<IpPrefix> members) {
    private static final Pattern ID = Pattern.compile("[a-z0-9-]{1,64}");

    /** Checks the id and the members' order, and copies. */
    public AddressSet {
        if (!ID.matcher(id).matches()) {
            throw new IllegalArgumentException("address set id '" + id + "' is not 1 to 64 characters of [a-z0-9-]");
        }
        members = List.copyOf(members);
        for (int i = 1; i < members.size(); i++) {
            IpPrefix previous = members.get(i - 1);
            if (previous.compareTo(members.get(i)) >= 0 || previous.contains(members.get(i))) {
                throw new IllegalArgumentException("address set " + id + ": " + previous + " and " + members.get(i)
                        + " overlap or are not in order");
            }
        }
    }

    /** With these members more, where they are not in it already. */
    AddressSet with(Collection<IpPrefix> more) {
        NavigableSet<IpPrefix> all = new TreeSet<>(members);
        more.stream()
                .filter(prefix -> members.stream().noneMatch(member -> member.contains(prefix)))
                .forEach(all::add);
        return new AddressSet(id, description, List.copyOf(all));
    }
}

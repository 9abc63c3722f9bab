package io.podwire.policy.compile;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * An address set that changes: pods come to it and leave it. An address stays while any of its pods has it. Owned by
 * its compiler.
 */
final class LiveSet {
    private final Map<IpAddress, Integer> counts = new HashMap<>();
    private final Set<IpAddress> touched = new HashSet<>();
    private final Set<LiveProgram> users = new HashSet<>();
    private AddressSet current;

    /** A set of pods, empty yet. */
    LiveSet(String definition) {
        this(definition, List.of());
    }

    /** A set of these, such as a block's. */
    LiveSet(String definition, List<IpPrefix> cidrs) {
        this.current = AddressSet.of(definition, cidrs);
    }

    String id() {
        return current.id();
    }

    /** The programs that have it. */
    Set<LiveProgram> users() {
        return users;
    }

    void add(Collection<IpAddress> addresses) {
        for (IpAddress address : addresses) {
            if (counts.merge(address, 1, Integer::sum) == 1) {
                touch(address);
            }
        }
    }

    void remove(Collection<IpAddress> addresses) {
        for (IpAddress address : addresses) {
            if (counts.merge(address, -1, Integer::sum) == 0) {
                counts.remove(address);
                touch(address);
            }
        }
    }

    /** Users are told of the first since it was made: whoever asks for it meanwhile makes it. */
    private void touch(IpAddress address) {
        if (touched.isEmpty()) {
            users.forEach(user -> user.setChanged(this, current));
        }
        touched.add(address);
    }

    /** As somebody who was told of no change since has seen it. */
    AddressSet last() {
        return current;
    }

    /** As it is now; the same object while nothing has changed. */
    AddressSet current() {
        if (!touched.isEmpty()) {
            List<IpPrefix> next = merged();
            touched.clear();
            if (!next.equals(current.cidrs())) {
                current = new AddressSet(current.id(), current.description(), next);
            }
        }
        return current;
    }

    /** One pass over both, since a set may be of all pods of a cluster, and what changes is mostly one. */
    private List<IpPrefix> merged() {
        IpAddress[] changes = touched.toArray(IpAddress[]::new);
        Arrays.sort(changes);
        List<IpPrefix> out = new ArrayList<>(current.cidrs().size() + changes.length);
        int next = 0;
        for (IpPrefix host : current.cidrs()) {
            while (next < changes.length && changes[next].compareTo(host.address()) < 0) {
                addIfThere(out, changes[next++]);
            }
            if (next < changes.length && changes[next].equals(host.address())) {
                if (counts.containsKey(changes[next++])) {
                    out.add(host);
                }
            } else {
                out.add(host);
            }
        }
        while (next < changes.length) {
            addIfThere(out, changes[next++]);
        }
        return out;
    }

    private void addIfThere(List<IpPrefix> out, IpAddress address) {
        if (counts.containsKey(address)) {
            out.add(IpPrefix.ofHost(address));
        }
    }
}

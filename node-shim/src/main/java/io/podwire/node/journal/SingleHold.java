package io.podwire.node.journal;

import io.podwire.common.net.IpAddress;
import io.podwire.node.plan.EndpointKey;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Addresses of ipam-service's own blocks that an attachment has, or may have: noted before they are asked for, until
 * ipam-service has taken them back.
 *
 * @param ownerId who has them, by ipam-service: of one ADD alone
 * @param key the attachment
 * @param addresses that it was given; none: an answer was not noted
 * @param leaving true when they are on their way back
 */
public record SingleHold(String ownerId, EndpointKey key, List<IpAddress> addresses, boolean leaving) {
    /** Copies. */
    public SingleHold {
        addresses = List.copyOf(addresses);
    }

    /** One that is asked for. */
    public static SingleHold asked(String ownerId, EndpointKey key) {
        return new SingleHold(ownerId, key, List.of(), false);
    }

    /** The same, given. */
    public SingleHold given(List<IpAddress> these) {
        return new SingleHold(ownerId, key, these, false);
    }

    /** The same, on its way back. */
    public SingleHold going() {
        return new SingleHold(ownerId, key, addresses, true);
    }

    /**
     * Those whose attachment has them. All others are of an ADD or a DEL that a kill cut off: they are to go back.
     *
     * @param attachments of the journal, those too whose ADD is not done
     */
    public static Map<EndpointKey, SingleHold> used(Collection<SingleHold> holds, Collection<Attachment> attachments) {
        Map<EndpointKey, Set<IpAddress>> has = new TreeMap<>();
        attachments.forEach(a -> has.put(a.key(), new HashSet<>(a.addresses().list())));
        Map<EndpointKey, SingleHold> used = new TreeMap<>();
        holds.stream()
                .filter(hold -> !hold.leaving() && !hold.addresses().isEmpty())
                .filter(hold -> has.getOrDefault(hold.key(), Set.of()).containsAll(hold.addresses()))
                .forEach(hold -> used.put(hold.key(), hold));
        return used;
    }
}

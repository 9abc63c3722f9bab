package io.podwire.node.cni;

import io.podwire.common.net.MacAddress;
import io.podwire.node.cni.CniException.Code;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.HostPort;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What no two pods of this node may have, but for addresses: host ports and MAC addresses. An ADD claims them before
 * it does anything, so of two at once one is refused; a DEL gives them back once the kernel has forgotten them.
 * Guarded by its own monitor, held for microseconds.
 */
public final class Claims {
    private final Map<Integer, List<Port>> ports = new HashMap<>();
    private final Map<MacAddress, Holder> macs = new HashMap<>();

    /** Who has something: an attachment, and its pod for people. */
    private record Holder(EndpointKey key, String pod) {
        @Override
        public String toString() {
            return pod.isEmpty() ? key.toString() : "pod " + pod + " (" + key + ")";
        }
    }

    private record Port(HostPort port, Holder holder) {}

    /** The claims of the journal's attachments. */
    public static Claims of(Collection<Attachment> attachments) {
        Claims claims = new Claims();
        for (Attachment a : attachments) {
            Holder holder = new Holder(a.key(), a.pod().display());
            claims.put(holder, a.request().hostPorts());
            claims.macs.put(a.mac(), holder);
        }
        return claims;
    }

    /**
     * Claims host ports for an attachment: all or none.
     *
     * @param pod for people, or empty
     * @throws CniException code 7 naming the port and who has it
     */
    synchronized void claimPorts(EndpointKey key, String pod, List<HostPort> wanted) throws CniException {
        for (HostPort port : wanted) {
            Optional<Port> other = ports.getOrDefault(port.hostPort(), List.of()).stream()
                    .filter(known ->
                            known.port().overlaps(port) && !known.holder().key().equals(key))
                    .findFirst();
            if (other.isPresent()) {
                throw new CniException(
                        Code.INVALID_CONFIG,
                        "host port " + port.protocol().keyword() + " " + port.hostPort() + " is taken",
                        "asked for " + port + "; " + other.get().holder() + " has "
                                + other.get().port() + " on this node: delete that pod first, or take another port");
            }
        }
        put(new Holder(key, pod), wanted);
    }

    /**
     * Claims a MAC address for an attachment.
     *
     * @param pod for people, or empty
     * @throws CniException code 7 naming who has it
     */
    synchronized void claimMac(EndpointKey key, String pod, MacAddress mac) throws CniException {
        if (mac.equals(PodNames.BRIDGE_MAC)) {
            throw taken(mac, "the node's bridge " + PodNames.BRIDGE);
        }
        Holder other = macs.putIfAbsent(mac, new Holder(key, pod));
        if (other != null && !other.key().equals(key)) {
            throw taken(mac, other.toString());
        }
    }

    private static CniException taken(MacAddress mac, String holder) {
        return new CniException(
                Code.INVALID_CONFIG,
                "MAC address " + mac + " is taken",
                holder + " has it on this node: take another one, or none for one that is made of the pod's address");
    }

    private void put(Holder holder, List<HostPort> wanted) {
        wanted.forEach(port ->
                ports.computeIfAbsent(port.hostPort(), _ -> new ArrayList<>()).add(new Port(port, holder)));
    }

    /** Gives back all that an attachment claimed. Giving back nothing does nothing. */
    synchronized void release(EndpointKey key) {
        ports.values().forEach(list -> list.removeIf(port -> port.holder().key().equals(key)));
        ports.values().removeIf(List::isEmpty);
        macs.values().removeIf(holder -> holder.key().equals(key));
    }
}

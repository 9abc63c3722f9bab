package io.podwire.node.dataplane;

import static io.podwire.node.dataplane.PodNames.BRIDGE;

import io.podwire.common.net.IpFamily;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** The node's own kernel settings that pods' packets depend on, sysctl(8). */
final class HostSettings {
    private HostSettings() {}

    /** Value by key, for a node whose pods have addresses of these families. */
    static Map<String, String> of(Set<IpFamily> families) {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("net/ipv4/ip_forward", "1");
        // A packet from pod to pod leaves by the bridge it came by. The kernel would tell the sender of a
        // shorter way, which there is none, and such redirects use up the sender's share of ICMP errors.
        // The kernel sends them unless both settings are off.
        settings.put("net/ipv4/conf/all/send_redirects", "0");
        settings.put("net/ipv4/conf/" + BRIDGE + "/send_redirects", "0");
        // With 1, br_netfilter bridges packets that were DNATed into an isolated port, where they die.
        settings.put("net/bridge/bridge-nf-call-iptables", "0");
        if (families.contains(IpFamily.V6)) {
            settings.put("net/ipv6/conf/all/forwarding", "1");
            settings.put("net/bridge/bridge-nf-call-ip6tables", "0");
            settings.putAll(Ipv6Host.byHand(BRIDGE));
        } else {
            settings.putAll(Ipv6Host.off(BRIDGE));
        }
        return Collections.unmodifiableMap(settings);
    }
}

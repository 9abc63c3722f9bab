package io.podwire.node.plan;

import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.plan.WiringMode.HostSide;
import java.util.List;
import java.util.regex.Pattern;

/**
 * An attachment on this node.
 *
 * @param key what it is filed under
 * @param pod the pod it is of
 * @param podUid uid of the pod as the runtime gave it; empty when it gave none
 * @param hostIfname the node's interface that its packets come in by: "pw" and more, [a-z0-9], at most 15 characters
 * @param hostSide what that is
 * @param mac MAC address of the pod's end
 * @param addresses its addresses
 * @param hostPorts ports of the node that lead to it; those on addresses of a family that it has not lead nowhere
 */
public record LocalEndpoint(
        EndpointKey key,
        PodName pod,
        String podUid,
        String hostIfname,
        HostSide hostSide,
        MacAddress mac,
        PodAddresses addresses,
        List<HostPort> hostPorts) {
    private static final Pattern HOST_IFNAME = Pattern.compile("pw[a-z0-9]{1,13}");

    /** Checks the interface's name, by which frames are known to come from a pod, and copies. */
    public LocalEndpoint {
        hostPorts = List.copyOf(hostPorts);
        if (!HOST_IFNAME.matcher(hostIfname).matches()) {
            throw new IllegalArgumentException("host interface '" + hostIfname + "' of " + key + " is not pw[a-z0-9]+");
        }
    }

    /** One on the bridge. */
    public LocalEndpoint(
            EndpointKey key,
            PodName pod,
            String podUid,
            String hostIfname,
            MacAddress mac,
            PodAddresses addresses,
            List<HostPort> hostPorts) {
        this(key, pod, podUid, hostIfname, HostSide.BRIDGE_PORT, mac, addresses, hostPorts);
    }

    /** One on the bridge, without host ports. */
    public LocalEndpoint(
            EndpointKey key, PodName pod, String podUid, String hostIfname, MacAddress mac, PodAddresses addresses) {
        this(key, pod, podUid, hostIfname, mac, addresses, List.of());
    }
}

package io.podwire.node.plan;

import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import java.util.regex.Pattern;

/**
 * An attachment on this node.
 *
 * @param key what it is filed under
 * @param pod the pod it is of
 * @param podUid uid of the pod as the runtime gave it; empty when it gave none
 * @param hostIfname the host's end of its veth: "pw" and more, [a-z0-9], at most 15 characters
 * @param mac MAC address of the pod's end
 * @param addresses its addresses
 */
public record LocalEndpoint(
        EndpointKey key, PodName pod, String podUid, String hostIfname, MacAddress mac, PodAddresses addresses) {
    private static final Pattern HOST_IFNAME = Pattern.compile("pw[a-z0-9]{1,13}");

    /** Checks the interface's name, by which frames are known to come from a pod. */
    public LocalEndpoint {
        if (!HOST_IFNAME.matcher(hostIfname).matches()) {
            throw new IllegalArgumentException("host interface '" + hostIfname + "' of " + key + " is not pw[a-z0-9]+");
        }
    }
}

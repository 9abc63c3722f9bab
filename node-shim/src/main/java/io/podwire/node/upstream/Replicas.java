package io.podwire.node.upstream;

import com.google.common.net.HostAndPort;
import com.google.common.net.InetAddresses;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.List;

/** The replicas behind a target. */
final class Replicas {
    private Replicas() {}

    /** How a name becomes addresses. */
    @FunctionalInterface
    interface Lookup {
        /**
         * Every address of a name, in the resolver's order.
         *
         * @throws UnknownHostException when it has none now
         */
        InetAddress[] addresses(String name) throws UnknownHostException;
    }

    /** True when the target names its one replica by address: there is nothing to look up. */
    static boolean isAddress(String target) {
        return InetAddresses.isInetAddress(HostAndPort.fromString(target).getHost());
    }

    /**
     * One target per replica. A replica of two families is one replica: the family that the resolver names first is
     * taken.
     *
     * @param target NAME:PORT
     * @throws UnknownHostException when the name has no address now
     */
    static List<String> of(String target, Lookup lookup) throws UnknownHostException {
        HostAndPort parsed = HostAndPort.fromString(target);
        InetAddress[] all = lookup.addresses(parsed.getHost());
        return Arrays.stream(all)
                .filter(address -> address.getClass() == all[0].getClass())
                .map(address -> HostAndPort.fromParts(InetAddresses.toAddrString(address), parsed.getPort())
                        .toString())
                .distinct()
                .sorted()
                .toList();
    }
}

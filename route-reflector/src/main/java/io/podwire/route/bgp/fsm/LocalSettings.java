package io.podwire.route.bgp.fsm;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.route.bgp.message.BgpMessage.Open;
import io.podwire.route.bgp.message.Capability;
import io.podwire.route.bgp.message.Families;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * What we say to one peer, and expect of it.
 *
 * @param asn our AS number, 1 to 2^32 - 1
 * @param identifier our BGP identifier
 * @param peerAsn the AS number it must have
 * @param holdSeconds the hold time we offer, 0 or 3 to 65535
 * @param families whose routes we speak of, not empty
 * @param restartSeconds within which we are back after a restart, 0 to 4095; 0 offers no graceful restart
 * @param passive we wait for the peer to dial
 * @param addPath we have several paths for a prefix to tell, RFC 7911
 */
public record LocalSettings(
        long asn,
        IpAddress identifier,
        long peerAsn,
        int holdSeconds,
        Set<IpFamily> families,
        int restartSeconds,
        boolean passive,
        boolean addPath) {
    /** Copies. */
    public LocalSettings {
        families = Set.copyOf(families);
    }

    /** True when the peer is of our own AS. */
    public boolean internal() {
        return asn == peerAsn;
    }

    /**
     * Our OPEN.
     *
     * @param restarting we have started a short while ago, and some of our routes are not here yet
     */
    public Open open(boolean restarting) {
        List<Capability> capabilities = new ArrayList<>();
        List<Capability.RestartFamily> restart = new ArrayList<>();
        for (IpFamily family : EnumSet.copyOf(families)) {
            capabilities.add(Capability.MultiProtocol.of(family));
            // Nodes forward by themselves: no restart of ours ever stops a packet.
            restart.add(new Capability.RestartFamily(Families.afi(family), Families.UNICAST, true));
        }
        capabilities.add(new Capability.RouteRefresh());
        capabilities.add(new Capability.FourOctetAs(asn));
        if (addPath) {
            capabilities.add(new Capability.AddPath(EnumSet.copyOf(families).stream()
                    .map(family -> new Capability.AddPathFamily(
                            Families.afi(family), Families.UNICAST, Capability.AddPathFamily.SEND))
                    .toList()));
        }
        if (restartSeconds > 0) {
            capabilities.add(new Capability.GracefulRestart(restarting, restartSeconds, restart));
        }
        return new Open(asn, holdSeconds, identifier, capabilities);
    }
}

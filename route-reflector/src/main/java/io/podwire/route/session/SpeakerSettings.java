package io.podwire.route.session;

import io.podwire.common.net.IpAddress;
import io.podwire.route.reflect.bgp.LocalRouter;
import io.podwire.route.reflect.bgp.Origination;
import io.podwire.route.rib.bgp.Neighbor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * What the speaker of BGP needs.
 *
 * @param local who we are
 * @param listenHost where connections are taken, empty: nowhere
 * @param listenPort its port, 0 to 65535; 0 takes any free one
 * @param peers the neighbours, in their order
 * @param origination what neighbours are told besides what nodes hold
 * @param refill how long nodes have to connect after our start, before neighbours are told that this is all
 */
public record SpeakerSettings(
        LocalRouter local,
        String listenHost,
        int listenPort,
        List<PeerSettings> peers,
        Origination origination,
        Duration refill) {
    /** Copies, and checks that the neighbours fit to each other and to us. */
    public SpeakerSettings {
        peers = List.copyOf(peers);
        Set<IpAddress> addresses = new HashSet<>();
        Set<String> names = new HashSet<>();
        for (PeerSettings peer : peers) {
            require(addresses.add(peer.address()), peer, "its address " + peer.address() + " is another peer's too");
            require(names.add(peer.name()), peer, "another peer has that name");
            require(
                    (peer.kind() == Neighbor.Kind.EXTERNAL) == (peer.asn() != local.asn()),
                    peer,
                    "client belongs to peers of our own AS " + local.asn() + ", this one is of AS " + peer.asn());
            require(!peer.passive() || !listenHost.isEmpty(), peer, "a passive peer needs --bgp-listen");
        }
    }

    /**
     * These, and further peers after them.
     *
     * @throws IllegalArgumentException naming the peer that does not fit to the others or to us
     */
    public SpeakerSettings with(List<PeerSettings> further) {
        List<PeerSettings> all = new ArrayList<>(peers);
        all.addAll(further);
        return new SpeakerSettings(local, listenHost, listenPort, all, origination, refill);
    }

    private static void require(boolean holds, PeerSettings peer, String otherwise) {
        if (!holds) {
            throw new IllegalArgumentException("BGP peer " + peer.name() + ": " + otherwise);
        }
    }
}

package io.podwire.node.dataplane;

import static io.podwire.node.dataplane.PodNames.gateway;

import io.podwire.common.net.IpFamily;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkKind;
import io.podwire.node.netlink.rt.MacvlanMode;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netlink.rt.Scope;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The node's own macvlans, one for all pods on a device and one for those of mode private: a device gives its own
 * frames to none of its macvlans, so the node needs one to reach them by. Made with the first pod that needs it; one
 * that no pod needs is removed at the next start.
 *
 * <p>It has the gateways' addresses and asks and answers nobody on that device: neither by ARP (arp_ignore 8), since
 * every node has the same ones, nor by neighbour discovery, which the ruleset drops.
 *
 * <p>Safe for several threads: all steps may be done twice.
 */
final class HostMacvlan {
    private static final Logger log = LoggerFactory.getLogger(HostMacvlan.class);

    private final Sysctl sysctl;
    private final Set<IpFamily> families;
    /** Index, by name, of those that were complete when last looked at. */
    private final Map<String, Integer> complete = new ConcurrentHashMap<>();

    HostMacvlan(Sysctl sysctl, Set<IpFamily> families) {
        this.sysctl = sysctl;
        this.families = Set.copyOf(families);
    }

    /** Makes the one that an attachment needs as it must be; changes nothing that is right already. */
    Link ensure(Rtnetlink host, Attachment attachment, Link master) {
        String name = PodNames.port(attachment);
        Optional<Link> found = host.link(name);
        if (found.isEmpty()) {
            make(host, name, master, attachment.mtu());
            found = host.link(name);
        }
        Link link = found.orElseThrow(() -> new IllegalStateException("link " + name + " is gone again"));
        if (!(link.kind() instanceof LinkKind.Macvlan) || !link.peerIndex().equals(OptionalInt.of(master.index()))) {
            throw new IllegalStateException("a link called " + name + " exists and is no macvlan on " + master.name()
                    + ": remove it, node-shim does not touch other programs' devices");
        }
        if (!Integer.valueOf(link.index()).equals(complete.get(name))) {
            finish(host, link, master.name());
            complete.put(name, link.index());
        }
        return link;
    }

    private static void make(Rtnetlink host, String name, Link master, int mtu) {
        try {
            host.addLink(new NewLink(
                    name,
                    new NewLinkKind.Macvlan(master.index(), MacvlanMode.BRIDGE),
                    master.mac().map(mac -> PodNames.macvlanMac(name, mac)),
                    OptionalInt.of(mtu),
                    OptionalInt.empty(),
                    false,
                    Optional.empty()));
            log.info("made the node's own macvlan {} on {}", name, master.name());
        } catch (NetlinkException e) {
            // Another pod's ADD may have made it meanwhile.
            if (host.link(name).isEmpty()) {
                throw e;
            }
        }
    }

    private void finish(Rtnetlink host, Link link, String master) {
        int index = link.index();
        host.disableIpv6LinkLocal(index);
        host.setAlias(index, PodNames.macvlanAlias(master));
        try {
            // Packets from pod to pod leave by the link that they came by.
            sysctl.ensure("net/ipv4/conf/" + link.name() + "/send_redirects", "0");
            sysctl.ensure("net/ipv4/conf/" + link.name() + "/arp_ignore", "8");
            sysctl.ensure("net/ipv4/conf/" + link.name() + "/forwarding", "1");
            if (families.contains(IpFamily.V6)) {
                Ipv6Host.byHand(sysctl, link.name());
                sysctl.ensure("net/ipv6/conf/" + link.name() + "/forwarding", "1");
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot prepare " + link.name() + ": " + e.getMessage(), e);
        }
        for (IpFamily family : families) {
            host.replaceAddress(new InterfaceAddress(index, gateway(family), family.bits(), Scope.LINK));
        }
        host.setUp(index);
    }
}

package io.podwire.node.dataplane;

import static io.podwire.node.dataplane.PodNames.BRIDGE;
import static io.podwire.node.dataplane.PodNames.BRIDGE_MAC;
import static io.podwire.node.dataplane.PodNames.gateway;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.LinkEvents;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netlink.rt.BridgePort;
import io.podwire.node.netlink.rt.FdbEntry;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkKind;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.RouteProtocol;
import io.podwire.node.netlink.rt.Scope;
import io.podwire.node.netns.Netns;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The bridge mode: how one pod is wired to its node.
 *
 * <p>A veth pair, its host end an isolated port of the bridge without learning or flooding, so that
 * pods share no link. The pod has a /32, a /128 or both, and for each a default route through a
 * link-local gateway on the bridge. Neighbours are permanent on both sides and the FDB is static:
 * nothing on the path asks with ARP or neighbour discovery, and every packet is routed through the
 * host's forward hook, where policy sits.
 *
 * <p>Safe for several threads: each call touches the objects of one pod only.
 */
public final class BridgeWiring implements PodWiring {
    private static final Logger log = LoggerFactory.getLogger(BridgeWiring.class);
    private static final BridgePort POD_PORT = new BridgePort(true, false, false, false, false, false);

    private final RtnetlinkPool sockets;
    private final HostEnds hostEnds;
    private final PodEnd podEnd;
    private final Sysctl sysctl;
    private final FailPoints failPoints;
    private final Set<IpFamily> families;
    private volatile int bridgeIndex = -1;
    private volatile int bridgeMtu;

    /**
     * Wires pods to the bridge of the namespace that the sockets belong to.
     *
     * @param kernelThreads for the removal of links: the kernel keeps who asks for it waiting
     * @param families what pods have addresses of, at least one
     */
    public BridgeWiring(
            RtnetlinkPool sockets,
            LinkEvents events,
            Executor kernelThreads,
            Sysctl sysctl,
            Set<IpFamily> families,
            FailPoints failPoints) {
        this.sockets = sockets;
        this.hostEnds = new HostEnds(sockets, events, kernelThreads);
        this.podEnd = new PodEnd(sysctl, failPoints);
        this.sysctl = sysctl;
        this.families = Set.copyOf(families);
        this.failPoints = failPoints;
    }

    /**
     * Makes the bridge and the sysctls as they must be; changes nothing that is right already.
     *
     * @param mtu of the bridge, in bytes; with IPv6 1280 or more
     * @param uplinks interfaces whose router advertisements the node goes on to heed
     * @throws IOException when a sysctl cannot be written
     */
    public void prepare(int mtu, Set<String> uplinks) throws IOException {
        sockets.run(BridgeWiring::ensureBridge);
        sysctls();
        if (families.contains(IpFamily.V6)) {
            ipv6(uplinks);
        } else {
            Ipv6Host.off(sysctl, BRIDGE);
        }
        sockets.run(host -> finishBridge(host, mtu));
    }

    private void ipv6(Set<String> uplinks) throws IOException {
        sockets.run(host ->
                host.disableIpv6LinkLocal(host.link(BRIDGE).orElseThrow().index()));
        Ipv6Host.byHand(sysctl, BRIDGE);
        try (Rtnetlink host = Rtnetlink.open()) {
            Ipv6Host.forward(sysctl, host, uplinks);
        }
        if (sysctl.ensure("net/bridge/bridge-nf-call-ip6tables", "0")) {
            log.info("set net.bridge.bridge-nf-call-ip6tables to 0: pods' packets pass the forward hook routed");
        }
    }

    private static void ensureBridge(Rtnetlink host) {
        Optional<Link> found = host.link(BRIDGE);
        if (found.isPresent() && !(found.get().kind() instanceof LinkKind.Bridge)) {
            throw new IllegalStateException("a link called " + BRIDGE + " exists and is no bridge: remove it, "
                    + "node-shim does not touch other programs' devices");
        }
        if (found.isEmpty()) {
            host.addLink(new NewLink(
                    BRIDGE,
                    new NewLinkKind.Bridge(),
                    Optional.of(BRIDGE_MAC),
                    OptionalInt.empty(),
                    OptionalInt.empty(),
                    false,
                    Optional.empty()));
            log.info("made bridge {}", BRIDGE);
        }
    }

    private void finishBridge(Rtnetlink host, int mtu) {
        Link bridge = host.link(BRIDGE).orElseThrow();
        bridgeIndex = bridge.index();
        bridgeMtu = mtu;
        keepBridgeMtu(host);
        for (IpFamily family : families) {
            host.replaceAddress(new InterfaceAddress(bridge.index(), gateway(family), family.bits(), Scope.LINK));
        }
        if (!bridge.up()) {
            host.setUp(bridge.index());
        }
    }

    private void sysctls() throws IOException {
        sysctl.ensure("net/ipv4/ip_forward", "1");
        // A packet from pod to pod leaves by the bridge it came by. The kernel would tell the sender of a
        // shorter way, which there is none, and such redirects use up the sender's share of ICMP errors.
        // The kernel sends them unless both settings are off.
        sysctl.ensure("net/ipv4/conf/all/send_redirects", "0");
        sysctl.ensure("net/ipv4/conf/" + BRIDGE + "/send_redirects", "0");
        // With 1, br_netfilter bridges packets that were DNATed into an isolated port, where they die.
        if (sysctl.ensure("net/bridge/bridge-nf-call-iptables", "0")) {
            log.info("set net.bridge.bridge-nf-call-iptables to 0: pods' packets pass the forward hook routed");
        }
    }

    /** True when no program has switched br_netfilter on again since {@link #prepare}. */
    public boolean bridgeNetfilterOff() {
        try {
            return sysctl.read("net/bridge/bridge-nf-call-iptables").orElse("0").equals("0")
                    && (!families.contains(IpFamily.V6)
                            || sysctl.read("net/bridge/bridge-nf-call-ip6tables")
                                    .orElse("0")
                                    .equals("0"));
        } catch (IOException e) {
            log.warn("cannot read net.bridge.bridge-nf-call-iptables and -ip6tables", e);
            return false;
        }
    }

    @Override
    public Attachment plan(Attachment asked) {
        return asked;
    }

    @Override
    public Set<IpFamily> attach(Attachment attachment, Entrance entrance) {
        Set<IpFamily> routed;
        try (entrance) {
            sockets.run(host -> outside(host, attachment, entrance.pod()));
            failPoints.reach("add.host");
            Link link = entrance.socket().link(attachment.key().ifname()).orElseThrow();
            routed = podEnd.complete(entrance, link, attachment, Optional.of(BRIDGE_MAC));
        }
        failPoints.reach("add.pod");
        return routed;
    }

    private void outside(Rtnetlink host, Attachment attachment, Netns pod) {
        int port = host.addLink(new NewLink(
                attachment.hostIfname(),
                new NewLinkKind.Veth(
                        attachment.key().ifname(),
                        Optional.of(attachment.mac()),
                        OptionalInt.of(attachment.mtu()),
                        pod.fd()),
                Optional.empty(),
                OptionalInt.of(attachment.mtu()),
                OptionalInt.of(bridgeIndex),
                true,
                Optional.of(PodNames.alias(attachment.key()))));
        failPoints.reach("add.link");
        if (attachment.request().mtu().isPresent()) {
            keepBridgeMtu(host);
        }
        host.atOnce(() -> {
            host.disableIpv6LinkLocal(port);
            host.setBridgePort(port, POD_PORT);
            host.replaceFdb(fdb(attachment, port));
            for (IpAddress address : attachment.addresses().list()) {
                host.replaceNeighbour(neighbour(attachment, address));
                host.replaceRoute(route(attachment, address));
            }
        });
    }

    @Override
    public Set<IpFamily> routed(Attachment attachment, Netns pod) {
        try (Rtnetlink in = Rtnetlink.open(pod)) {
            return PodEnd.routed(in, attachment);
        }
    }

    /** A pod with an MTU of its own is sent no longer packets, though the bridge would take them. */
    private Route route(Attachment attachment, IpAddress address) {
        return Route.onLink(IpPrefix.ofHost(address), bridgeIndex)
                .withLimits(attachment.request().mtu(), OptionalInt.empty());
    }

    /** MTU of the bridge, in bytes. */
    public int bridgeMtu() {
        return bridgeMtu;
    }

    /** Gives the bridge another MTU. */
    public void bridgeMtu(int mtu) {
        bridgeMtu = mtu;
        sockets.run(this::keepBridgeMtu);
    }

    /** A bridge that nobody gave an MTU takes the smallest of its ports': br_mtu_auto_adjust(), net/bridge/br_if.c. */
    private void keepBridgeMtu(Rtnetlink host) {
        Link bridge = host.link(bridgeIndex).orElseThrow();
        if (bridge.mtu() != bridgeMtu) {
            host.setMtu(bridge.index(), bridgeMtu);
        }
    }

    private Neighbour neighbour(Attachment attachment, IpAddress address) {
        return new Neighbour(bridgeIndex, address, attachment.mac(), true);
    }

    private static FdbEntry fdb(Attachment attachment, int port) {
        return FdbEntry.ofPort(port, attachment.mac());
    }

    @Override
    public void detach(Attachment attachment) {
        EveryStep steps = new EveryStep();
        for (IpAddress address : attachment.addresses().list()) {
            steps.run(() -> sockets.run(host -> host.deleteRoute(route(attachment, address))));
            steps.run(() -> failPoints.reach("del.route"));
            steps.run(() -> sockets.run(host -> host.deleteNeighbour(neighbour(attachment, address))));
        }
        steps.run(() -> failPoints.reach("del.host"));
        steps.run(() -> hostEnds.remove(attachment));
        steps.finish();
        failPoints.reach("del.link");
    }

    @Override
    public boolean linked(Attachment attachment) {
        return hostEnds.find(attachment).isPresent();
    }

    @Override
    public List<Finding> check(Attachment attachment, Netns pod, Set<IpFamily> routed) {
        List<Finding> findings = new ArrayList<>();
        KernelView view = sockets.call(host -> KernelView.of(host, families));
        checkHost(attachment, view, findings);
        try (Rtnetlink in = Rtnetlink.open(pod)) {
            PodEnd.check(in, attachment, Optional.of(BRIDGE_MAC), routed, findings);
        }
        return findings;
    }

    private void checkHost(Attachment a, KernelView view, List<Finding> findings) {
        Link link = view.links().get(a.hostIfname());
        if (link == null) {
            findings.add(new Finding("link", a.hostIfname(), "the host end of " + a.key() + " is gone"));
            return;
        }
        if (!link.up()) {
            findings.add(new Finding("link", a.hostIfname(), "the host end of " + a.key() + " is down"));
        }
        if (!link.master().equals(OptionalInt.of(bridgeIndex))) {
            findings.add(new Finding("link", a.hostIfname(), "is not a port of " + BRIDGE));
        } else if (!link.bridgePort().equals(Optional.of(POD_PORT))) {
            findings.add(new Finding("link", a.hostIfname(), "its bridge port has other flags: " + link.bridgePort()));
        }
        for (IpAddress address : a.addresses().list()) {
            if (!view.routes().contains(route(a, address))) {
                findings.add(new Finding("route", IpPrefix.ofHost(address).toString(), "no route to " + BRIDGE));
            }
            if (!view.neighbours().contains(neighbour(a, address))) {
                findings.add(new Finding("neighbour", address.toString(), "no permanent neighbour on " + BRIDGE));
            }
        }
        if (!view.fdb().contains(fdb(a, link.index()))) {
            findings.add(new Finding("fdb", a.mac().toString(), "no static entry on " + a.hostIfname()));
        }
    }

    @Override
    public List<Finding> audit(List<Attachment> attachments) {
        List<Finding> findings = new ArrayList<>();
        KernelView view = sockets.call(host -> KernelView.of(host, families));
        attachments.forEach(a -> checkHost(a, view, findings));
        Map<String, Attachment> byLink =
                attachments.stream().collect(Collectors.toMap(Attachment::hostIfname, Function.identity()));
        view.links().values().stream()
                .filter(link -> link.master().equals(OptionalInt.of(bridgeIndex)) && !byLink.containsKey(link.name()))
                .forEach(link -> findings.add(
                        new Finding("link", link.name(), "is a port of " + BRIDGE + " and belongs to no attachment")));
        List<Route> routes = attachments.stream()
                .flatMap(a -> a.addresses().stream().map(address -> route(a, address)))
                .toList();
        view.routes().stream()
                .filter(r -> r.protocol() == RouteProtocol.PODWIRE
                        && r.ifindex().equals(OptionalInt.of(bridgeIndex))
                        && !routes.contains(r))
                .forEach(r ->
                        findings.add(new Finding("route", r.destination().toString(), "belongs to no attachment")));
        List<Neighbour> neighbours = attachments.stream()
                .flatMap(a -> a.addresses().stream().map(address -> neighbour(a, address)))
                .toList();
        view.neighbours().stream()
                .filter(n -> n.ifindex() == bridgeIndex && n.permanent() && !neighbours.contains(n))
                .forEach(n ->
                        findings.add(new Finding("neighbour", n.address().toString(), "belongs to no attachment")));
        return findings;
    }
}

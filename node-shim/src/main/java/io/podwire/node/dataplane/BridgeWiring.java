package io.podwire.node.dataplane;

import static io.podwire.node.dataplane.PodNames.BRIDGE;
import static io.podwire.node.dataplane.PodNames.BRIDGE_MAC;
import static io.podwire.node.dataplane.PodNames.gateway;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.LinkEvents;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netlink.rt.FdbEntry;
import io.podwire.node.netlink.rt.FdbOwner;
import io.podwire.node.netlink.rt.FdbState;
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
import io.podwire.node.plan.WiringMode;
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
import java.util.stream.Stream;
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
        sysctl.ensure("net/ipv4/conf/all/send_redirects", "0");
        sysctl.ensure("net/ipv4/conf/" + BRIDGE + "/send_redirects", "0");
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
        return hostEnds.attach(
                attachment,
                entrance,
                podEnd,
                failPoints,
                OptionalInt.of(bridgeIndex),
                host -> outside(host, attachment, entrance.pod()));
    }

    private int outside(Rtnetlink host, Attachment attachment, Netns pod) {
        int port = HostEnds.make(host, attachment, pod, Optional.empty(), OptionalInt.of(bridgeIndex));
        failPoints.reach("add.link");
        if (attachment.request().mtu().isPresent()) {
            keepBridgeMtu(host);
        }
        host.atOnce(() -> {
            host.disableIpv6LinkLocal(port);
            host.setBridgePort(port, HostSide.PORT);
            host.replaceFdb(fdb(attachment, port));
            for (IpAddress address : attachment.addresses().list()) {
                host.replaceNeighbour(neighbour(attachment, address));
                host.replaceRoute(route(attachment, address));
            }
        });
        return port;
    }

    private Route route(Attachment attachment, IpAddress address) {
        return HostSide.route(attachment, address, bridgeIndex);
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
        return HostSide.neighbour(attachment, address, bridgeIndex);
    }

    private static FdbEntry fdb(Attachment attachment, int port) {
        return HostSide.fdb(attachment, port);
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
        lacks(a, view).forEach(lack -> findings.add(lack.finding()));
    }

    private List<HostSide.Lack> lacks(Attachment a, KernelView view) {
        return HostSide.lacks(a, view.links(), view.routes(), view.neighbours(), view.fdb(), bridgeIndex);
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
        strayEntries(view, byLink).forEach(findings::add);
        return findings;
    }

    /** What was put behind pods' ports and is not their pod. */
    private static Stream<Finding> strayEntries(KernelView view, Map<String, Attachment> byLink) {
        Map<Integer, Attachment> byPort = view.links().values().stream()
                .filter(link -> byLink.containsKey(link.name()))
                .collect(Collectors.toMap(Link::index, link -> byLink.get(link.name())));
        return view.fdb().stream()
                .filter(entry -> entry.owner() == FdbOwner.MASTER && entry.state() == FdbState.STATIC)
                .filter(entry -> byPort.containsKey(entry.ifindex())
                        && !entry.equals(fdb(byPort.get(entry.ifindex()), entry.ifindex())))
                .map(entry -> new Finding(
                        "fdb",
                        entry.mac().toString(),
                        "is behind " + byPort.get(entry.ifindex()).hostIfname() + " and is no pod's there"));
    }

    /**
     * Makes the bridge again as {@link #prepare} made it, where it is gone or something of it is. What it had of pods is
     * gone with it, see {@link #damaged}.
     *
     * @return what was repaired
     * @throws IOException when a sysctl cannot be written
     */
    public List<Repair> repairBridge(int mtu, Set<String> uplinks) throws IOException {
        List<Repair> repairs = sockets.call(host -> BridgeState.of(host).lacks(families, mtu)).stream()
                .map(found -> new Repair(found, "made as it was"))
                .toList();
        if (!repairs.isEmpty()) {
            prepare(mtu, uplinks);
            sockets.run(host -> {
                if (!host.link(bridgeIndex).flatMap(Link::mac).equals(Optional.of(BRIDGE_MAC))) {
                    host.setMac(bridgeIndex, BRIDGE_MAC);
                }
            });
        }
        return repairs;
    }

    /**
     * Sets the node's kernel settings again as {@link #prepare} did.
     *
     * @return what was repaired
     */
    public List<Repair> repairSettings(Set<String> uplinks) throws IOException {
        List<Finding> found = sysctl.differences(HostSettings.of(families));
        if (!found.isEmpty()) {
            sysctls();
            if (families.contains(IpFamily.V6)) {
                ipv6(uplinks);
            } else {
                Ipv6Host.off(sysctl, BRIDGE);
            }
        }
        return found.stream().map(f -> new Repair(f, "set again")).toList();
    }

    /**
     * An attachment whose wiring on the node's side is not as it was made.
     *
     * @param attachment whose
     * @param lacks what is not
     */
    public record Damage(Attachment attachment, List<HostSide.Lack> lacks) {
        /** What nothing on the node's side can mend. */
        public List<Finding> beyondRepair() {
            return lacks.stream()
                    .filter(lack -> lack.mends().isEmpty())
                    .map(HostSide.Lack::finding)
                    .toList();
        }
    }

    /** Those attachments that are damaged; they are wired, or were. */
    public List<Damage> damaged(List<Attachment> attachments) {
        if (attachments.isEmpty()) {
            return List.of();
        }
        KernelView view = sockets.call(host -> KernelView.of(host, families));
        return attachments.stream()
                .map(a -> new Damage(a, lacks(a, view)))
                .filter(damage -> !damage.lacks().isEmpty())
                .toList();
    }

    /** Mends what can be mended, while nobody else works on the attachment. What is right is not touched. */
    public List<Repair> mend(Damage damage) {
        List<Repair> repairs = new ArrayList<>();
        for (HostSide.Lack lack : damage.lacks()) {
            for (HostSide.Mend mend : lack.mends()) {
                sockets.run(host -> mend(host, mend));
            }
            if (!lack.mends().isEmpty()) {
                repairs.add(new Repair(
                        lack.finding(),
                        "made as it was for " + damage.attachment().key()));
            }
        }
        return repairs;
    }

    private static void mend(Rtnetlink host, HostSide.Mend mend) {
        switch (mend) {
            case HostSide.Mend.SetUp(int link) -> host.setUp(link);
            case HostSide.Mend.SetDown(int link) -> host.setDown(link);
            case HostSide.Mend.Enslave(int link, int bridge) -> host.setMaster(link, bridge);
            case HostSide.Mend.SetPort(int link) -> host.setBridgePort(link, HostSide.PORT);
            case HostSide.Mend.PutRoute(Route route) -> host.replaceRoute(route);
            case HostSide.Mend.PutNeighbour(Neighbour neighbour) -> host.replaceNeighbour(neighbour);
            case HostSide.Mend.PutFdb(FdbEntry entry) -> host.replaceFdb(entry);
        }
    }

    /** True for an attachment that this wires. */
    public static boolean isWired(Attachment attachment) {
        return attachment.mode() instanceof WiringMode.Bridge;
    }

    /** The bridge's index; -1 before {@link #prepare}. */
    public int bridgeIndex() {
        return bridgeIndex;
    }
}

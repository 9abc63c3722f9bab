package io.podwire.node.dataplane;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netlink.rt.IpvlanMode;
import io.podwire.node.netlink.rt.IpvlanReach;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkKind;
import io.podwire.node.netlink.rt.MacvlanMode;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.RouteProtocol;
import io.podwire.node.netlink.rt.VlanProtocol;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsException;
import io.podwire.node.plan.WiringMode;
import io.podwire.node.plan.WiringMode.HostSide;
import io.podwire.node.plan.WiringMode.Ipvlan.Layer;
import io.podwire.node.plan.WiringMode.Macvlan.Reach;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * The modes macvlan, ipvlan and vlan: an interface of the pod's own on a device of the node.
 *
 * <p>Of macvlans but passthru the node has one of its own on the same device ({@link HostMacvlan}), which holds the
 * gateways: by it node and pods reach each other, and pods everything else. Neighbours are permanent on both sides. In
 * the other modes the pod asks on the wire for who has the gateway's address.
 *
 * <p>The interface is made under a name that is its attachment's alone, and gets its own name and its alias inside: one
 * that has neither that name nor that alias is somebody else's. The node cannot see it from outside: it is removed
 * through the pod's namespace, and ends with that.
 *
 * <p>Safe for several threads: each call touches the objects of one pod only, and those that {@link HostMacvlan} minds.
 */
public final class DeviceWiring implements PodWiring {
    private final RtnetlinkPool sockets;
    private final HostMacvlan hostMacvlan;
    private final PodEnd podEnd;
    private final Set<IpFamily> families;
    private final FailPoints failPoints;

    /**
     * Wires pods to devices of the namespace that the sockets belong to, which forwards already.
     *
     * @param families what pods have addresses of, at least one
     */
    public DeviceWiring(RtnetlinkPool sockets, Sysctl sysctl, Set<IpFamily> families, FailPoints failPoints) {
        this.sockets = sockets;
        this.hostMacvlan = new HostMacvlan(sysctl, families);
        this.podEnd = new PodEnd(sysctl, failPoints);
        this.families = Set.copyOf(families);
        this.failPoints = failPoints;
    }

    /** Removes what no attachment needs of what several share; call it before any pod is attached. */
    public void prepare(List<Attachment> attachments) {
        Set<String> needed = attachments.stream().map(PodNames::port).collect(Collectors.toSet());
        sockets.run(host -> host.links().stream()
                .filter(link -> PodNames.isHostMacvlan(link) && !needed.contains(link.name()))
                .forEach(link -> host.deleteLink(link.index())));
    }

    @Override
    public Attachment plan(Attachment asked) throws WiringException {
        String named = asked.mode().device().orElseThrow();
        Link master = named.isEmpty() ? ofDefaultRoute(asked.mode()) : named(named, asked.mode());
        if (PodNames.isOurs(master)) {
            throw new WiringException(
                    "master " + master.name() + " is Podwire's own", "name the device that leads out of the node");
        }
        if (!master.up()) {
            throw new WiringException(
                    "master " + master.name() + " is down", "set it up: ip link set " + master.name() + " up");
        }
        return asked.wired(
                asked.mode().on(master.name()),
                asked.hostIfname(),
                sharesMac(asked.mode()) ? master.mac().orElse(asked.mac()) : asked.mac(),
                Math.min(asked.mtu(), master.mtu()));
    }

    private Link named(String name, WiringMode mode) throws WiringException {
        return sockets.call(host -> host.link(name))
                .orElseThrow(() -> new WiringException(
                        "there is no device " + name,
                        "\"master\" of mode " + mode.name() + " names a device of the node that pods are put on"));
    }

    private Link ofDefaultRoute(WiringMode mode) throws WiringException {
        try {
            return sockets.call(Underlay::ofDefaultRoute);
        } catch (IllegalArgumentException e) {
            throw new WiringException(
                    "mode " + mode.name() + " needs a master",
                    "\"master\" names the device that pods are put on; without it that is the default route's, and"
                            + " there is no such route");
        }
    }

    /** True when the pod's interface has the device's own MAC address. */
    private static boolean sharesMac(WiringMode mode) {
        return mode.hostSide() == HostSide.NONE;
    }

    @Override
    public Set<IpFamily> attach(Attachment attachment, Entrance entrance) {
        Set<IpFamily> routed;
        try (entrance) {
            Optional<MacAddress> gateway = sockets.call(host -> outside(host, attachment, entrance.pod()));
            failPoints.reach("add.host");
            Link link = marked(entrance.socket(), attachment);
            routed = podEnd.complete(entrance, link, attachment, gateway);
        }
        failPoints.reach("add.pod");
        return routed;
    }

    private Optional<MacAddress> outside(Rtnetlink host, Attachment attachment, Netns pod) {
        String name = attachment.mode().device().orElseThrow();
        Link master = host.link(name).orElseThrow(() -> new IllegalStateException("the device " + name + " is gone"));
        Optional<Link> ours =
                shared(attachment) ? Optional.of(hostMacvlan.ensure(host, attachment, master)) : Optional.empty();
        host.addLinkIn(
                pod,
                new NewLink(
                        attachment.hostIfname(),
                        kind(attachment.mode(), master.index()),
                        sharesMac(attachment.mode()) ? Optional.empty() : Optional.of(attachment.mac()),
                        OptionalInt.of(attachment.mtu()),
                        OptionalInt.empty(),
                        false,
                        Optional.empty()));
        failPoints.reach("add.link");
        ours.ifPresent(link -> host.atOnce(() -> {
            for (IpAddress address : attachment.addresses().list()) {
                host.replaceNeighbour(neighbour(attachment, address, link.index()));
                host.replaceRoute(route(address, link.index()));
            }
        }));
        return ours.flatMap(Link::mac);
    }

    private static boolean shared(Attachment attachment) {
        return attachment.mode().hostSide() == HostSide.SHARED_DEVICE;
    }

    /** Gives the new interface its owner's mark, then its name. */
    private static Link marked(Rtnetlink in, Attachment attachment) {
        Link made = in.link(attachment.hostIfname()).orElseThrow();
        in.setAlias(made.index(), PodNames.alias(attachment.key()));
        in.setName(made.index(), attachment.key().ifname());
        if (attachment.mode() instanceof WiringMode.Macvlan mode && mode.promiscuous()) {
            in.setPromiscuous(made.index(), true);
        }
        return made;
    }

    private static NewLinkKind kind(WiringMode mode, int master) {
        return switch (mode) {
            case WiringMode.Macvlan macvlan -> new NewLinkKind.Macvlan(master, macvlanMode(macvlan.reach()));
            case WiringMode.Ipvlan ipvlan ->
                new NewLinkKind.Ipvlan(master, ipvlanMode(ipvlan.layer()), IpvlanReach.BRIDGE);
            case WiringMode.Vlan vlan -> new NewLinkKind.Vlan(master, vlan.id(), VlanProtocol.Q);
            case WiringMode.Bridge _, WiringMode.Routed _ ->
                throw new IllegalArgumentException("mode " + mode.name() + " is on no device");
        };
    }

    private static MacvlanMode macvlanMode(Reach reach) {
        return switch (reach) {
            case BRIDGE -> MacvlanMode.BRIDGE;
            case PRIVATE -> MacvlanMode.PRIVATE;
            case VEPA -> MacvlanMode.VEPA;
            case PASSTHRU -> MacvlanMode.PASSTHRU;
        };
    }

    private static IpvlanMode ipvlanMode(Layer layer) {
        return switch (layer) {
            case L2 -> IpvlanMode.L2;
            case L3 -> IpvlanMode.L3;
            case L3S -> IpvlanMode.L3S;
        };
    }

    private static Route route(IpAddress address, int index) {
        return Route.onLink(IpPrefix.ofHost(address), index);
    }

    private static Neighbour neighbour(Attachment attachment, IpAddress address, int index) {
        return new Neighbour(index, address, attachment.mac(), true);
    }

    @Override
    public void detach(Attachment attachment) {
        EveryStep steps = new EveryStep();
        if (shared(attachment)) {
            steps.run(() -> sockets.call(host -> host.link(PodNames.port(attachment)))
                    .ifPresent(link -> unreach(attachment, link.index(), steps)));
        }
        steps.run(() -> failPoints.reach("del.host"));
        steps.run(() -> inPod(attachment, in -> {
            in.link(attachment.hostIfname())
                    .filter(link -> !(link.kind() instanceof LinkKind.Veth))
                    .ifPresent(link -> in.deleteLink(link.index()));
            ours(in, attachment).ifPresent(link -> in.deleteLink(link.index()));
        }));
        steps.finish();
        failPoints.reach("del.link");
    }

    private void unreach(Attachment attachment, int index, EveryStep steps) {
        for (IpAddress address : attachment.addresses().list()) {
            steps.run(() -> sockets.run(host -> host.deleteRoute(route(address, index))));
            steps.run(() -> failPoints.reach("del.route"));
            steps.run(() -> sockets.run(host -> host.deleteNeighbour(neighbour(attachment, address, index))));
        }
    }

    private static Optional<Link> ours(Rtnetlink in, Attachment attachment) {
        return in.link(attachment.key().ifname()).filter(link -> link.alias().equals(PodNames.alias(attachment.key())));
    }

    /** Does something in the namespace of an attachment; nothing when that is gone from its path. */
    private static void inPod(Attachment attachment, Consumer<Rtnetlink> body) {
        try (Netns pod = Netns.open(Path.of(attachment.netnsPath()))) {
            if (pod.inode() != attachment.netnsInode()) {
                return;
            }
            try (Rtnetlink in = Rtnetlink.open(pod)) {
                body.accept(in);
            }
        } catch (NetnsException e) {
            if (e.reason() == NetnsException.Reason.FAILED) {
                throw e;
            }
        }
    }

    @Override
    public boolean linked(Attachment attachment) {
        List<Link> found = new ArrayList<>();
        inPod(attachment, in -> ours(in, attachment).ifPresent(found::add));
        return !found.isEmpty();
    }

    @Override
    public List<Finding> check(Attachment attachment, Netns pod, Set<IpFamily> routed) {
        List<Finding> findings = new ArrayList<>();
        KernelView view = sockets.call(host -> KernelView.of(host, families));
        checkHost(attachment, view, findings);
        Optional<MacAddress> gateway = shared(attachment)
                ? Optional.ofNullable(view.links().get(PodNames.port(attachment)))
                        .flatMap(Link::mac)
                : Optional.empty();
        try (Rtnetlink in = Rtnetlink.open(pod)) {
            PodEnd.check(in, attachment, gateway, routed, findings)
                    .ifPresent(link -> checkKind(attachment, view, link, findings));
        }
        return findings;
    }

    private static void checkKind(Attachment a, KernelView view, Link link, List<Finding> findings) {
        String ifname = a.key().ifname();
        Optional<Link> master =
                Optional.ofNullable(view.links().get(a.mode().device().orElseThrow()));
        if (master.isPresent()
                && !link.peerIndex().equals(OptionalInt.of(master.get().index()))) {
            findings.add(new Finding("link", ifname, "is not on " + master.get().name()));
        }
        if (a.mode() instanceof WiringMode.Macvlan mode) {
            if (!link.kind().equals(new LinkKind.Macvlan(macvlanMode(mode.reach())))) {
                findings.add(
                        new Finding("link", ifname, "is no macvlan of mode " + mode.reach() + " but " + link.kind()));
            }
            if (mode.promiscuous() && !link.promiscuous()) {
                findings.add(new Finding("link", ifname, "is not promiscuous"));
            }
        }
    }

    private void checkHost(Attachment a, KernelView view, List<Finding> findings) {
        String name = a.mode().device().orElseThrow();
        if (!view.links().containsKey(name)) {
            findings.add(new Finding("link", name, "the device of " + a.key() + " is gone"));
        }
        if (!shared(a)) {
            return;
        }
        String port = PodNames.port(a);
        Link link = view.links().get(port);
        if (link == null) {
            findings.add(new Finding("link", port, "the node's own macvlan on " + name + " is gone"));
            return;
        }
        if (!link.up()) {
            findings.add(new Finding("link", port, "the node's own macvlan on " + name + " is down"));
        }
        for (IpAddress address : a.addresses().list()) {
            IpAddress gateway = PodNames.gateway(address.family());
            if (!view.has(link, gateway)) {
                findings.add(new Finding("address", gateway.toString(), "is gone from " + port));
            }
            if (!view.routes().contains(route(address, link.index()))) {
                findings.add(new Finding("route", IpPrefix.ofHost(address).toString(), "no route to " + port));
            }
            if (!view.neighbours().contains(neighbour(a, address, link.index()))) {
                findings.add(new Finding("neighbour", address.toString(), "no permanent neighbour on " + port));
            }
        }
    }

    @Override
    public List<Finding> audit(List<Attachment> attachments) {
        List<Finding> findings = new ArrayList<>();
        KernelView view = sockets.call(host -> KernelView.of(host, families));
        attachments.forEach(a -> checkHost(a, view, findings));
        for (Link link : view.links().values()) {
            if (!PodNames.isHostMacvlan(link)) {
                continue;
            }
            List<IpAddress> addresses = attachments.stream()
                    .filter(a -> PodNames.port(a).equals(link.name()))
                    .flatMap(a -> a.addresses().stream())
                    .toList();
            view.routes().stream()
                    .filter(r -> r.protocol() == RouteProtocol.PODWIRE
                            && r.ifindex().equals(OptionalInt.of(link.index()))
                            && addresses.stream().noneMatch(a -> r.destination().equals(IpPrefix.ofHost(a))))
                    .forEach(r ->
                            findings.add(new Finding("route", r.destination().toString(), "belongs to no attachment")));
            view.neighbours().stream()
                    .filter(n -> n.ifindex() == link.index() && n.permanent() && !addresses.contains(n.address()))
                    .forEach(n ->
                            findings.add(new Finding("neighbour", n.address().toString(), "belongs to no attachment")));
        }
        return findings;
    }
}

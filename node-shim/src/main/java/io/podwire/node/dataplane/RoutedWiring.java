package io.podwire.node.dataplane;

import static io.podwire.node.dataplane.PodNames.BRIDGE_MAC;
import static io.podwire.node.dataplane.PodNames.gateway;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.LinkEvents;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.RouteProtocol;
import io.podwire.node.netlink.rt.Scope;
import io.podwire.node.netns.Netns;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The routed mode: a veth pair whose host end is a link of its own.
 *
 * <p>The host end has the gateways' addresses, and MAC address of the bridge; neighbours are permanent on both sides,
 * and a host route leads to each of the pod's addresses. Everything of the node's side is on that link and goes with
 * it. Every packet is routed through the host's hooks, where the ruleset knows the link by its name.
 *
 * <p>Safe for several threads: each call touches the objects of one pod only.
 */
public final class RoutedWiring implements PodWiring {
    private final RtnetlinkPool sockets;
    private final HostEnds hostEnds;
    private final PodEnd podEnd;
    private final Sysctl sysctl;
    private final Set<IpFamily> families;
    private final FailPoints failPoints;

    /**
     * Wires pods to the namespace that the sockets belong to, which forwards already.
     *
     * @param kernelThreads for the removal of links: the kernel keeps who asks for it waiting
     * @param families what pods have addresses of, at least one
     */
    public RoutedWiring(
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

    @Override
    public Attachment plan(Attachment asked) {
        return asked.wired(asked.mode(), PodNames.routedIfname(asked.key()), asked.mac(), asked.mtu());
    }

    @Override
    public Set<IpFamily> attach(Attachment attachment, Entrance entrance) {
        return hostEnds.attach(
                attachment,
                entrance,
                podEnd,
                failPoints,
                OptionalInt.empty(),
                host -> outside(host, attachment, entrance.pod()));
    }

    private int outside(Rtnetlink host, Attachment attachment, Netns pod) {
        int index = HostEnds.make(host, attachment, pod, Optional.of(BRIDGE_MAC), OptionalInt.empty());
        failPoints.reach("add.link");
        host.disableIpv6LinkLocal(index);
        settings(attachment);
        host.atOnce(() -> {
            for (IpAddress address : attachment.addresses().list()) {
                IpFamily family = address.family();
                host.replaceAddress(new InterfaceAddress(index, gateway(family), family.bits(), Scope.LINK));
                host.replaceNeighbour(neighbour(attachment, address, index));
                host.replaceRoute(route(address, index));
            }
        });
        return index;
    }

    /** What has another source than the pod's address dies here too: no route to it leads back by this link. */
    private void settings(Attachment attachment) {
        String ifname = attachment.hostIfname();
        try {
            sysctl.ensure("net/ipv4/conf/" + ifname + "/rp_filter", "1");
            sysctl.ensure("net/ipv4/conf/" + ifname + "/forwarding", "1");
            if (attachment.addresses().families().contains(IpFamily.V6)) {
                Ipv6Host.byHand(sysctl, ifname);
                sysctl.ensure("net/ipv6/conf/" + ifname + "/forwarding", "1");
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot prepare " + ifname + ": " + e.getMessage(), e);
        }
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

    private static void checkHost(Attachment a, KernelView view, List<Finding> findings) {
        Link link = view.links().get(a.hostIfname());
        if (link == null) {
            findings.add(new Finding("link", a.hostIfname(), "the host end of " + a.key() + " is gone"));
            return;
        }
        if (!link.up()) {
            findings.add(new Finding("link", a.hostIfname(), "the host end of " + a.key() + " is down"));
        }
        if (!link.mac().equals(Optional.of(BRIDGE_MAC))) {
            findings.add(
                    new Finding("link", a.hostIfname(), "has MAC address " + link.mac() + " instead of " + BRIDGE_MAC));
        }
        if (link.master().isPresent()) {
            findings.add(new Finding("link", a.hostIfname(), "is a port of another device"));
        }
        for (IpAddress address : a.addresses().list()) {
            IpAddress gateway = gateway(address.family());
            if (!view.has(link, gateway)) {
                findings.add(new Finding("address", gateway.toString(), "is gone from " + a.hostIfname()));
            }
            if (!view.routes().contains(route(address, link.index()))) {
                findings.add(
                        new Finding("route", IpPrefix.ofHost(address).toString(), "no route to " + a.hostIfname()));
            }
            if (!view.neighbours().contains(neighbour(a, address, link.index()))) {
                findings.add(
                        new Finding("neighbour", address.toString(), "no permanent neighbour on " + a.hostIfname()));
            }
        }
    }

    @Override
    public List<Finding> audit(List<Attachment> attachments) {
        List<Finding> findings = new ArrayList<>();
        KernelView view = sockets.call(host -> KernelView.of(host, families));
        attachments.forEach(a -> checkHost(a, view, findings));
        var byLink = attachments.stream().collect(Collectors.toMap(Attachment::hostIfname, Function.identity()));
        for (Link link : view.links().values()) {
            if (!PodNames.isRoutedLink(link)) {
                continue;
            }
            Optional<Attachment> owner = Optional.ofNullable(byLink.get(link.name()));
            if (owner.isEmpty()) {
                findings.add(new Finding("link", link.name(), "belongs to no attachment"));
                continue;
            }
            List<IpAddress> addresses = owner.get().addresses().list();
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

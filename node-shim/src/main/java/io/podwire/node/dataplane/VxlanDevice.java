package io.podwire.node.dataplane;

import static io.podwire.node.dataplane.PodNames.VXLAN;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkKind;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netlink.rt.Scope;
import io.podwire.node.netlink.rt.VxlanOuter;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Keeps the node's VXLAN device and its addresses as they must be. Belongs to {@link RouteReconciler}'s loop. */
public final class VxlanDevice {
    private static final Logger log = LoggerFactory.getLogger(VxlanDevice.class);

    /**
     * Source ports, as RFC 7348 §5 recommends them: apart from those that kernel and programs choose on this node, so that
     * a firewall can tell them.
     */
    static final int FIRST_SOURCE_PORT = 49_152;

    static final int LAST_SOURCE_PORT = 65_535;

    private final Rtnetlink host;
    private final Settings settings;
    private final Set<IpFamily> families;
    private final Sysctl sysctl;
    private final Consumer<Repair> repairs;
    /** With what the device was last as it must be: what differs from that is others' doing. */
    private Optional<Ensured> ensured = Optional.empty();

    /**
     * What never changes of the device.
     *
     * @param vni VXLAN network identifier, 1 to 16777215
     * @param port UDP port, both ends
     * @param mac of the device
     */
    public record Settings(int vni, int port, MacAddress mac) {}

    private record Ensured(Underlay underlay, PodAddresses addresses, int mtu) {
        boolean had(IpAddress address) {
            return addresses.list().contains(address);
        }
    }

    /** A device that has not been looked at; what others changed is told to {@code repairs}. */
    VxlanDevice(Rtnetlink host, Settings settings, Set<IpFamily> families, Sysctl sysctl, Consumer<Repair> repairs) {
        this.host = host;
        this.settings = settings;
        this.families = Set.copyOf(families);
        this.sysctl = sysctl;
        this.repairs = repairs;
    }

    /**
     * Compares the device with what it must be, and puts right what differs. Loses nothing of what is on it, unless
     * its VNI, MAC address, port or source is another: then it is made anew.
     *
     * @param underlay what it sends by
     * @param addresses of the node on it, and no others
     * @return its index
     * @throws io.podwire.node.netlink.NetlinkException when the kernel refuses
     * @throws IOException when a kernel setting cannot be written
     */
    int ensure(Underlay underlay, PodAddresses addresses) throws IOException {
        Optional<Ensured> before = ensured.filter(was -> was.underlay.samePlace(underlay));
        ensured = Optional.empty();
        int mtu = underlay.innerMtu();
        Link device = device(underlay, mtu, before);
        if (families.contains(IpFamily.V6)) {
            host.disableIpv6LinkLocal(device.index());
            Ipv6Host.byHand(sysctl, VXLAN);
        }
        ensureAddresses(device, addresses, before);
        if (!device.up()) {
            host.setUp(device.index());
            repaired(before.isPresent(), "vxlan", VXLAN, "was down", "set up");
        }
        ensured = Optional.of(new Ensured(underlay, addresses, mtu));
        return device.index();
    }

    /** Removes what an earlier life of the node left, or this one made; what led through it goes with it. */
    void remove() {
        ensured = Optional.empty();
        host.link(VXLAN).ifPresent(link -> {
            log.info("no packets go in VXLAN: removing {}", VXLAN);
            host.deleteLink(link.index());
        });
    }

    private Link device(Underlay underlay, int mtu, Optional<Ensured> before) {
        Optional<Link> found = host.link(VXLAN);
        if (found.isPresent() && !isAsPlanned(found.get(), underlay)) {
            log.warn("{} is not as it must be ({}), making it anew", VXLAN, found.get());
            host.deleteLink(found.get().index());
            found = Optional.empty();
        }
        if (found.isEmpty()) {
            host.addLink(new NewLink(
                    VXLAN,
                    new NewLinkKind.Vxlan(settings.vni(), underlay.address(), settings.port(), false, outer(underlay)),
                    Optional.of(settings.mac()),
                    OptionalInt.of(mtu),
                    OptionalInt.empty(),
                    false,
                    Optional.empty()));
            log.info("made {} with VNI {} over {}", VXLAN, settings.vni(), underlay.ifname());
            repaired(before.isPresent(), "vxlan", VXLAN, "was gone, or not as it must be", "made anew");
        }
        Link device = host.link(VXLAN).orElseThrow();
        if (device.mtu() != mtu) {
            log.info("MTU of {} is {} now, as {} has it", VXLAN, mtu, underlay.ifname());
            host.setMtu(device.index(), mtu);
            boolean others = before.filter(was -> was.mtu == mtu).isPresent();
            repaired(others, "vxlan", VXLAN, "had MTU " + device.mtu(), "set to " + mtu + " again");
        }
        return device;
    }

    private void ensureAddresses(Link device, PodAddresses addresses, Optional<Ensured> before) {
        List<InterfaceAddress> now = host.addresses().stream()
                .filter(a -> a.ifindex() == device.index()
                        && families.contains(a.address().family()))
                .toList();
        now.stream().filter(a -> !addresses.list().contains(a.address())).forEach(a -> {
            host.deleteAddress(a);
            boolean others = before.filter(was -> !was.had(a.address())).isPresent();
            repaired(others, "address", a.address().toString(), "was added to " + VXLAN, "removed");
        });
        for (IpAddress address : addresses.list()) {
            int length = address.family().bits();
            host.replaceAddress(new InterfaceAddress(device.index(), address, length, Scope.GLOBAL));
            if (now.stream().noneMatch(a -> a.address().equals(address))) {
                boolean others = before.filter(was -> was.had(address)).isPresent();
                repaired(others, "address", address.toString(), "was gone from " + VXLAN, "added");
            }
        }
    }

    /**
     * With a checksum: a receiver whose network card checks the outer one need not add up the inner packet again, and
     * the sender's kernel derives it from the inner one. Without it IPv6 refuses the packet.
     */
    private static VxlanOuter outer(Underlay underlay) {
        return new VxlanOuter(OptionalInt.of(underlay.ifindex()), FIRST_SOURCE_PORT, LAST_SOURCE_PORT, true);
    }

    private boolean isAsPlanned(Link link, Underlay underlay) {
        return link.kind()
                        instanceof
                        LinkKind.Vxlan(int vni, Optional<IpAddress> local, int port, boolean learning, VxlanOuter outer)
                && vni == settings.vni()
                && local.equals(Optional.of(underlay.address()))
                && port == settings.port()
                && !learning
                && outer.equals(outer(underlay))
                && link.mac().equals(Optional.of(settings.mac()));
    }

    private void repaired(boolean others, String object, String name, String problem, String done) {
        if (others) {
            repairs.accept(new Repair(new Finding(object, name, problem), done));
        }
    }
}

package io.podwire.node.dataplane;

import io.podwire.common.net.IpAddress;
import io.podwire.node.bpf.BpfException;
import io.podwire.node.bpf.FastPathProgram;
import io.podwire.node.bpf.FastPathProgram.Attached;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.KernelLacksException;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netlink.TrafficControl;
import io.podwire.node.netlink.rt.BpfFilter;
import io.podwire.node.netlink.rt.BpfFilter.Side;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkKind;
import io.podwire.node.netlink.rt.Qdisc;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.WiringMode;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which devices have the fast path's program: the node's ends of pods' veths, the VXLAN device and the underlay. A pod
 * has it soon after its ADD, not in it, for which its device was made with a place for filters. One whose packets queue
 * has not, by its own limit or by a plugin behind Podwire's in the chain: the short cut leads past the queue.
 *
 * <p>Safe for all threads.
 */
public final class FastPathDevices implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(FastPathDevices.class);
    /**
     * The kernel's connection tracking does not see what takes the short cut, and takes a packet that comes much later in
     * the stream for invalid unless it is told to be liberal (nf_conntrack-sysctl in the kernel's documentation).
     */
    private static final String LIBERAL = "net/netfilter/nf_conntrack_tcp_be_liberal";

    private static final int NONE = 0;

    private final FastPath path;
    private final RtnetlinkPool sockets;
    private final Sysctl sysctl;
    private final int tunnelPort;
    private final Supplier<Wanted> wanted;
    private final Map<EndpointKey, PodDevice> pods = new HashMap<>();
    private Optional<Attached> underlay = Optional.empty();
    private int tunnel;
    private boolean underlayRefused;
    private boolean on;
    private boolean over;

    /**
     * What there is to attach to.
     *
     * @param attachments those that are done
     * @param underlay index of the underlay's device
     * @param tunnel index of the VXLAN device, 0: none
     * @param bridge index of the pods' bridge
     * @param ownNetns inode of the node's own network namespace
     */
    public record Wanted(List<Attachment> attachments, int underlay, int tunnel, int bridge, long ownNetns) {}

    private record PodDevice(Attachment attachment, int ifindex) {}

    /**
     * No device has it yet.
     *
     * @param tunnelPort UDP port of VXLAN
     * @param wanted asked at each look
     */
    public FastPathDevices(
            FastPath path, RtnetlinkPool sockets, Sysctl sysctl, int tunnelPort, Supplier<Wanted> wanted) {
        this.path = path;
        this.sockets = sockets;
        this.sysctl = sysctl;
        this.tunnelPort = tunnelPort;
        this.wanted = wanted;
    }

    /**
     * Takes an earlier life's filters from all devices of this namespace, before rules change: nobody would tell them. Call
     * it in the namespace of the socket.
     */
    public static void detachAll(Rtnetlink host) {
        TrafficControl traffic = host.trafficControl();
        devices(traffic.qdiscs(), Qdisc::isClsact).forEach(ifindex -> detach(traffic, ifindex));
    }

    private static void detach(TrafficControl traffic, int ifindex) {
        for (Side side : Side.values()) {
            boolean _ = traffic.detach(ifindex, side);
        }
    }

    /**
     * Loads the program where there is none, gives it to devices that lack it, and has it go on. A failure is logged, and
     * is the end of it. Call it in the node's network namespace.
     */
    public synchronized void look() {
        if (over) {
            return;
        }
        try {
            Wanted now = wanted.get();
            if (path.program().isEmpty()) {
                path.use(FastPathProgram.load(), new FastPathProgram.Fixed(now.bridge(), tunnelPort));
            }
            if (!liberal()) {
                return;
            }
            path.renew();
            attach(now, path.program().orElseThrow());
            if (!on) {
                on = true;
                log.info("packets of flows that the rules let pass take a short cut: the fast path is on");
            }
        } catch (BpfException | KernelLacksException | IOException e) {
            close();
            log.info("the fast path is off, packets pass the rules one by one: {}", e.getMessage());
        }
    }

    private boolean liberal() throws IOException {
        boolean _ = sysctl.ensure(LIBERAL, "1");
        // Without connection tracking there is no such key, and nothing to be liberal about yet.
        return sysctl.read(LIBERAL).equals(Optional.of("1"));
    }

    private void attach(Wanted now, FastPathProgram program) throws BpfException {
        attachUnderlay(now.underlay(), program);
        List<Qdisc> qdiscs = sockets.call(host -> host.trafficControl().qdiscs());
        Set<Integer> fit = devices(qdiscs, Qdisc::isClsact);
        fit.removeAll(devices(qdiscs, qdisc -> !qdisc.isPlain()));
        if (tunnel != now.tunnel()) {
            tunnel = fit.contains(now.tunnel()) && attach(now.tunnel(), program) ? now.tunnel() : NONE;
        }
        attachPods(now, fit, program);
    }

    /** It is up and in use: nothing may be lost by this. */
    private void attachUnderlay(int ifindex, FastPathProgram program) throws BpfException {
        if (underlay.isPresent() && underlay.get().ifindex() != ifindex) {
            underlay.get().close();
            underlay = Optional.empty();
        }
        if (underlay.isEmpty() && !underlayRefused) {
            try {
                underlay = program.attach(ifindex);
            } catch (BpfException e) {
                underlayRefused = true;
                log.info("packets that come from other nodes pass the rules one by one: {}", e.getMessage());
            }
        }
    }

    private static Set<Integer> devices(List<Qdisc> qdiscs, Predicate<Qdisc> which) {
        return qdiscs.stream().filter(which).map(Qdisc::ifindex).collect(Collectors.toSet());
    }

    private void attachPods(Wanted now, Set<Integer> fit, FastPathProgram program) throws BpfException {
        Map<EndpointKey, Attachment> wired = new HashMap<>();
        now.attachments().stream()
                .filter(a -> fits(a) && a.netnsInode() != now.ownNetns())
                .forEach(a -> wired.put(a.key(), a));
        pods.values().removeIf(pod -> {
            boolean gone = !pod.attachment().equals(wired.get(pod.attachment().key()));
            boolean unfit = !fit.contains(pod.ifindex());
            if (gone || unfit) {
                pod.attachment().addresses().list().forEach(program::removePod);
            }
            if (unfit) {
                sockets.run(host -> detach(host.trafficControl(), pod.ifindex()));
            }
            if (unfit && !gone) {
                // Others' short cuts lead to it still.
                path.forget();
            }
            return gone || unfit;
        });
        for (Attachment attachment : wired.values()) {
            if (!pods.containsKey(attachment.key())) {
                OptionalInt ifindex = veth(attachment);
                if (ifindex.isPresent() && fit.contains(ifindex.getAsInt()) && attach(ifindex.getAsInt(), program)) {
                    for (IpAddress address : attachment.addresses().list()) {
                        program.putPod(address, ifindex.getAsInt());
                    }
                    pods.put(attachment.key(), new PodDevice(attachment, ifindex.getAsInt()));
                }
            }
        }
    }

    /** Whether a pod has it, if it is in a namespace of its own. */
    static boolean fits(Attachment a) {
        boolean veth = a.mode() instanceof WiringMode.Bridge || a.mode() instanceof WiringMode.Routed;
        boolean limited = a.request().shaping().ingress().isPresent()
                || a.request().shaping().egress().isPresent();
        return veth && !limited;
    }

    private OptionalInt veth(Attachment attachment) {
        return sockets.call(host -> host.link(attachment.hostIfname()))
                .filter(link -> link.kind() instanceof LinkKind.Veth)
                .map(Link::index)
                .map(OptionalInt::of)
                .orElseGet(OptionalInt::empty);
    }

    /** False where the device has it not. */
    private boolean attach(int ifindex, FastPathProgram program) {
        try {
            sockets.run(host -> {
                TrafficControl traffic = host.trafficControl();
                traffic.attach(new BpfFilter(ifindex, Side.EGRESS, program.toDevice(), "podwire-to"));
                traffic.attach(new BpfFilter(ifindex, Side.INGRESS, program.fromDevice(), "podwire-from"));
            });
            return true;
        } catch (KernelLacksException e) {
            throw e;
        } catch (NetlinkException e) {
            // A pod that has gone, or a device that another program has made otherwise.
            log.info("device {} has no fast path: {}", ifindex, e.getMessage());
            return false;
        }
    }

    /** How many packets have taken a short cut. */
    public long packets() {
        return path.program().map(FastPathProgram::packets).orElse(0L);
    }

    /** It goes no further. Filters stay where they are, and do nothing once the lease has ended. */
    @Override
    public synchronized void close() {
        over = true;
        underlay.ifPresent(Attached::close);
        underlay = Optional.empty();
    }
}

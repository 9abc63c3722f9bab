package io.podwire.node.dataplane;

import io.podwire.common.net.IpAddress;
import io.podwire.node.bpf.BpfException;
import io.podwire.node.bpf.FastPathProgram;
import io.podwire.node.bpf.FastPathProgram.Attached;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkKind;
import io.podwire.node.netlink.rt.Qdisc;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.WiringMode;
import java.io.IOException;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
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
 * Which devices have the fast path's program: the VXLAN device, the underlay, and the node's ends of the veths of pods that
 * pass many packets, once they do. One whose packets queue has not, by its own limit or by a plugin behind Podwire's
 * in the chain, nor has a device where another program has filters: the short cut leads past both.
 *
 * <p>Why not every pod: while the kernel gives a device the program it waits for all processors, some 8 to 16 ms each way,
 * with its lock of links held (tcx_entry_sync(), net/tcx.h), for which an ADD that comes meanwhile waits.
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
    /** Devices of pods that are given the program in one look, at most: what the others of them wait for. */
    private static final int AT_ONCE = 4;

    private final FastPath path;
    private final RtnetlinkPool sockets;
    private final Sysctl sysctl;
    private final int tunnelPort;
    private final long busy;
    private final Supplier<Wanted> wanted;
    private final Map<EndpointKey, PodDevice> pods = new HashMap<>();
    private final Map<Integer, Attached> others = new HashMap<>();
    private PassedPackets passed = new PassedPackets(Map.of());
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

    private record PodDevice(Attachment attachment, int ifindex, Attached attached) {}

    /**
     * No device has it yet.
     *
     * @param tunnelPort UDP port of VXLAN
     * @param busy a pod has it that has passed so many packets from one look to the next, or more
     * @param wanted asked at each look
     */
    public FastPathDevices(
            FastPath path, RtnetlinkPool sockets, Sysctl sysctl, int tunnelPort, long busy, Supplier<Wanted> wanted) {
        this.path = path;
        this.sockets = sockets;
        this.sysctl = sysctl;
        this.tunnelPort = tunnelPort;
        this.busy = busy;
        this.wanted = wanted;
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
        } catch (BpfException | IOException e) {
            close();
            log.info("the fast path is off, packets pass the rules one by one: {}", e.getMessage());
        }
    }

    private boolean liberal() throws IOException {
        boolean _ = sysctl.ensure(LIBERAL, "1");
        // Without connection tracking there is no such key, and nothing to be liberal about yet.
        return sysctl.read(LIBERAL).equals(Optional.of("1"));
    }

    private void attach(Wanted now, FastPathProgram program) throws BpfException, IOException {
        List<Qdisc> qdiscs = sockets.call(host -> host.trafficControl().qdiscs());
        Set<Integer> links = new HashSet<>(List.of(now.underlay(), now.tunnel()));
        links.remove(NONE);
        // A network card has queues, and packets that take the short cut wait in them as others do.
        links.removeAll(devices(qdiscs, Qdisc::takesFilters));
        others.entrySet().removeIf(other -> {
            boolean gone = !links.contains(other.getKey());
            if (gone) {
                other.getValue().close();
            }
            return gone;
        });
        for (int ifindex : links) {
            if (!others.containsKey(ifindex)) {
                program.attach(ifindex).ifPresent(attached -> others.put(ifindex, attached));
            }
        }
        Map<EndpointKey, Attachment> wired = new HashMap<>();
        now.attachments().stream().filter(a -> fits(a, now.ownNetns())).forEach(a -> wired.put(a.key(), a));
        Set<Integer> queues = devices(qdiscs, qdisc -> !qdisc.isNone());
        leave(wired, queues, program);
        join(wired, queues, program);
    }

    private static Set<Integer> devices(List<Qdisc> qdiscs, Predicate<Qdisc> which) {
        return qdiscs.stream().filter(which).map(Qdisc::ifindex).collect(Collectors.toSet());
    }

    private void leave(Map<EndpointKey, Attachment> wired, Set<Integer> queues, FastPathProgram program) {
        pods.values().removeIf(pod -> {
            boolean gone = !pod.attachment().equals(wired.get(pod.attachment().key()));
            boolean queued = queues.contains(pod.ifindex());
            if (gone || queued) {
                pod.attachment().addresses().list().forEach(program::removePod);
                pod.attached().close();
            }
            if (queued) {
                // Others' short cuts lead to it still.
                path.forget();
            }
            return gone || queued;
        });
    }

    private void join(Map<EndpointKey, Attachment> wired, Set<Integer> queues, FastPathProgram program)
            throws BpfException, IOException {
        PassedPackets before = passed;
        passed = PassedPackets.read();
        List<Attachment> busiest = wired.values().stream()
                .filter(attachment -> !pods.containsKey(attachment.key()))
                .filter(attachment -> passed.since(before, attachment.hostIfname()) >= busy)
                .sorted(Comparator.comparingLong(
                        (Attachment attachment) -> -passed.since(before, attachment.hostIfname())))
                .toList();
        int given = 0;
        for (Attachment attachment : busiest) {
            OptionalInt ifindex = veth(attachment);
            if (ifindex.isPresent()
                    && !queues.contains(ifindex.getAsInt())
                    && join(attachment, ifindex.getAsInt(), program)
                    && ++given == AT_ONCE) {
                return;
            }
        }
    }

    /** False where the device is gone. */
    private boolean join(Attachment attachment, int ifindex, FastPathProgram program) throws BpfException {
        Optional<Attached> attached = program.attach(ifindex);
        if (attached.isEmpty()) {
            return false;
        }
        pods.put(attachment.key(), new PodDevice(attachment, ifindex, attached.get()));
        for (IpAddress address : attachment.addresses().list()) {
            program.putPod(address, ifindex);
        }
        return true;
    }

    private static boolean fits(Attachment a, long ownNetns) {
        boolean veth = a.mode() instanceof WiringMode.Bridge || a.mode() instanceof WiringMode.Routed;
        boolean limited = a.request().shaping().ingress().isPresent()
                || a.request().shaping().egress().isPresent();
        return veth && !limited && a.netnsInode() != ownNetns;
    }

    private OptionalInt veth(Attachment attachment) {
        return sockets.call(host -> host.link(attachment.hostIfname()))
                .filter(link -> link.kind() instanceof LinkKind.Veth)
                .map(Link::index)
                .map(OptionalInt::of)
                .orElseGet(OptionalInt::empty);
    }

    /** How many packets have taken a short cut. */
    public long packets() {
        return path.program().map(FastPathProgram::packets).orElse(0L);
    }

    /** Takes the program from all devices, for good. */
    @Override
    public synchronized void close() {
        over = true;
        pods.values().forEach(pod -> pod.attached().close());
        pods.clear();
        others.values().forEach(Attached::close);
        others.clear();
    }
}

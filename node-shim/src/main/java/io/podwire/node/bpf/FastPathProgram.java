package io.podwire.node.bpf;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.ffm.Errno;
import io.podwire.node.ffm.LibBpf;
import io.podwire.node.ffm.Libc;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Optional;

/**
 * The programs of src/main/bpf/fast_path.bpf.c, which says what they do, and their maps. Safe for all threads.
 */
public final class FastPathProgram implements AutoCloseable {
    private static final String OBJECT = "fast_path.bpf.o";
    /** struct state: u64 until, u32 epoch, u32 bridge, be16 tunnel_port, padding. */
    private static final int STATE_BYTES = 24;

    private static final int TUNNEL_PORT_AT = 16;
    /** struct address. */
    private static final int ADDRESS_BYTES = 16;
    /** Of an IPv4 address, ::ffff:0:0/96. */
    private static final int MAPPED_AT = 10;

    /** enum bpf_attach_type, linux/bpf.h: since Linux 6.6 a device takes programs without a queueing discipline to hold them. */
    private static final int BPF_TCX_INGRESS = 46;

    private static final int BPF_TCX_EGRESS = 47;

    private static final byte[] FIRST = new byte[Integer.BYTES];

    private final LibBpf library;
    private final long object;
    private final int fromDevice;
    private final int toDevice;
    private final int state;
    private final int pods;
    private final int packets;

    private FastPathProgram(LibBpf library, long object) throws BpfException {
        this.library = library;
        this.object = object;
        this.fromDevice = found(library.programFd(object, "from_device"), "program from_device");
        this.toDevice = found(library.programFd(object, "to_device"), "program to_device");
        this.state = found(library.mapFd(object, "state"), "map state");
        this.pods = found(library.mapFd(object, "pods"), "map pods");
        this.packets = found(library.mapFd(object, "packets"), "map packets");
    }

    /**
     * Has the kernel verify and take the programs. No device has them yet, and until {@link #rules} is called they do
     * nothing where one has them.
     *
     * @throws BpfException when libbpf is not there, or the kernel refuses
     */
    public static FastPathProgram load() throws BpfException {
        LibBpf library = LibBpf.open()
                .orElseThrow(() -> new BpfException("libbpf.so.1 is not there: on Debian, apt-get install libbpf1"));
        long object = library.openObject(bytes());
        if (object < 0) {
            throw refused("reading " + OBJECT, (int) object);
        }
        int loaded = library.loadObject(object);
        if (loaded < 0) {
            library.closeObject(object);
            throw refused("loading " + OBJECT, loaded);
        }
        return new FastPathProgram(library, object);
    }

    private static byte[] bytes() {
        try (InputStream in = FastPathProgram.class.getResourceAsStream(OBJECT)) {
            if (in == null) {
                throw new IllegalStateException(OBJECT + " is missing beside this class: the build is broken");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static BpfException refused(String what, int code) {
        Errno errno = Errno.of(-code);
        String hint = switch (errno) {
            case EPERM, EACCES ->
                ": node-shim needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN, of the machine itself";
            case ESRCH, ENOENT, EINVAL ->
                ": the kernel needs CONFIG_DEBUG_INFO_BTF, and bpf_skb_ct_lookup of nf_conntrack, which is there since"
                        + " Linux 5.18";
            default -> "";
        };
        return new BpfException(what + " failed with errno " + -code + " (" + errno + ")" + hint);
    }

    private static int found(int fd, String what) throws BpfException {
        if (fd < 0) {
            throw refused("finding " + what, fd);
        }
        return fd;
    }

    /**
     * The programs at one device, until it is closed or this process ends: the kernel takes them off then.
     *
     * @param from descriptor of the link for what comes in
     * @param to descriptor of the link for what leaves
     */
    public record Attached(int from, int to) implements AutoCloseable {
        @Override
        public void close() {
            int _ = Libc.close(from);
            int _ = Libc.close(to);
        }
    }

    /**
     * Has the programs see a device's packets, before the filters of its queueing disciplines. No packet is lost by it, as
     * one is while an up device is given a clsact to hold them (qdisc_graft(), net/sched/sch_api.c).
     *
     * @param ifindex of a device in the caller's network namespace
     * @return empty where there is no such device any more
     * @throws BpfException when the kernel refuses
     */
    public Optional<Attached> attach(int ifindex) throws BpfException {
        int to = library.createLink(toDevice, ifindex, BPF_TCX_EGRESS);
        int from = to < 0 ? to : library.createLink(fromDevice, ifindex, BPF_TCX_INGRESS);
        if (from >= 0) {
            return Optional.of(new Attached(from, to));
        }
        if (to >= 0) {
            int _ = Libc.close(to);
        }
        return switch (Errno.of(-from)) {
            case ENODEV -> Optional.empty();
            case EINVAL ->
                throw new BpfException(
                        "the kernel cannot give a program to a device without losing packets: that is tcx, of Linux 6.6");
            default -> throw refused("attaching to device " + ifindex, from);
        };
    }

    /**
     * What does not change while a node runs.
     *
     * @param bridge index of the pods' bridge, 0: none
     * @param tunnelPort UDP port of VXLAN, 1 to 65535
     */
    public record Fixed(int bridge, int tunnelPort) {}

    /**
     * Tells of the rules.
     *
     * @param epoch odd while they are being changed; after a change another even number than before it
     * @param lease how long that holds unless it is told again
     */
    public void rules(int epoch, Fixed fixed, Duration lease) throws BpfException {
        byte[] value = ByteBuffer.allocate(STATE_BYTES)
                .order(ByteOrder.nativeOrder())
                .putLong(Libc.monotonicNanos() + lease.toNanos())
                .putInt(epoch)
                .putInt(fixed.bridge())
                .order(ByteOrder.BIG_ENDIAN)
                .putShort(TUNNEL_PORT_AT, (short) fixed.tunnelPort())
                .array();
        done(library.updateMember(state, FIRST, value), "map state");
    }

    /** Tells which device a pod's packets come in by, and leave by. */
    public void putPod(IpAddress address, int ifindex) throws BpfException {
        byte[] value = ByteBuffer.allocate(Integer.BYTES)
                .order(ByteOrder.nativeOrder())
                .putInt(ifindex)
                .array();
        done(library.updateMember(pods, key(address), value), "map pods, " + address);
    }

    /** Forgets a pod, where it is known. */
    public void removePod(IpAddress address) {
        int _ = library.deleteMember(pods, key(address));
    }

    /** How many packets have taken the short cut. */
    public long packets() {
        return Math.max(0, library.counter(packets, 0));
    }

    private static byte[] key(IpAddress address) {
        if (address.family() == IpFamily.V6) {
            return address.bytes();
        }
        return ByteBuffer.allocate(ADDRESS_BYTES)
                .putShort(MAPPED_AT, (short) 0xFFFF)
                .put(MAPPED_AT + Short.BYTES, address.bytes())
                .array();
    }

    private static void done(int code, String what) throws BpfException {
        if (code < 0) {
            throw refused("writing " + what, code);
        }
    }

    @Override
    public void close() {
        library.closeObject(object);
    }
}

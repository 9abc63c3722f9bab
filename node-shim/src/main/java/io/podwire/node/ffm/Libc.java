package io.podwire.node.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.function.LongSupplier;

/**
 * The C library calls that Podwire makes, in C's terms: ints in, ints out. A failed call returns the
 * negative errno, as the kernel's own system calls do; errno is captured per call, and read only
 * after a failure (a successful call leaves anything in it). A call that a signal interrupted (EINTR)
 * has done nothing and is made again. Safe for all threads.
 *
 * <p>A thread that is in one of these calls keeps its carrier, virtual or not. None of them waits for
 * a peer, but a netlink request takes as long as the kernel works on it.
 */
public final class Libc {
    /** AF_NETLINK, bits/socket.h. */
    public static final int AF_NETLINK = 16;
    /** SOCK_RAW, bits/socket_type.h. */
    public static final int SOCK_RAW = 3;
    /** SOCK_CLOEXEC, bits/socket_type.h. */
    public static final int SOCK_CLOEXEC = 0x80000;
    /** MSG_TRUNC, recv(2): the result is the datagram's length even where the buffer is smaller. */
    public static final int MSG_TRUNC = 0x20;
    /** MSG_DONTWAIT, recv(2). */
    public static final int MSG_DONTWAIT = 0x40;
    /** O_RDONLY, open(2). */
    public static final int O_RDONLY = 0;
    /** O_CLOEXEC, open(2). */
    public static final int O_CLOEXEC = 0x80000;
    /** O_PATH, open(2): a handle on the path that opens nothing. */
    public static final int O_PATH = 0x200000;
    /** CLONE_NEWNET, setns(2). */
    public static final int CLONE_NEWNET = 0x40000000;
    /** POLLIN, poll.h. */
    public static final int POLLIN = 0x1;
    /** SOL_SOCKET, asm-generic/socket.h. */
    public static final int SOL_SOCKET = 1;
    /** SO_RCVBUF, socket(7): bytes, up to the sysctl net.core.rmem_max. */
    public static final int SO_RCVBUF = 8;
    /** SO_RCVBUFFORCE, socket(7): without that limit, by CAP_NET_ADMIN. */
    public static final int SO_RCVBUFFORCE = 33;

    private static final StructLayout STATE = CFunction.STATE;
    private static final long ERRNO = CFunction.ERRNO;

    private static final MethodHandle SOCKET = find("socket");
    private static final MethodHandle CONNECT = find("connect");
    private static final MethodHandle SETSOCKOPT = find("setsockopt");
    private static final MethodHandle GETSOCKNAME = find("getsockname");
    private static final MethodHandle GETSOCKOPT = find("getsockopt");
    private static final MethodHandle SEND = find("send");
    private static final MethodHandle RECV = find("recv");
    private static final MethodHandle OPEN = find("open");
    private static final MethodHandle IOCTL = find("ioctl");
    private static final MethodHandle CLOSE = find("close");
    private static final MethodHandle SETNS = find("setns");
    private static final MethodHandle FSTATFS = find("fstatfs");
    private static final MethodHandle FSTAT = find("fstat");
    private static final MethodHandle BIND = find("bind");
    private static final MethodHandle EVENTFD = find("eventfd");
    private static final MethodHandle EVENTFD_WRITE = find("eventfd_write");
    private static final MethodHandle POLL = find("poll");
    private static final MethodHandle GETTID = find("gettid");
    private static final MethodHandle CLOCK_GETTIME = find("clock_gettime");
    private static final MethodHandle SCHED_GETCPU = find("sched_getcpu");
    private static final MethodHandle SCHED_SETAFFINITY = find("sched_setaffinity");
    private static final MethodHandle SCHED_GETAFFINITY = find("sched_getaffinity");

    /** NS_GET_NSTYPE, linux/nsfs.h, since Linux 4.11. */
    private static final long NS_GET_NSTYPE = 0xb703;
    /** More than struct stat and struct statfs take on any 64-bit machine. */
    private static final int STAT_BYTES = 256;
    /** Where st_ino lies in struct stat, on x86-64 and arm64. */
    private static final int ST_INO = 8;
    /** struct cpu_set_t, sched.h. */
    private static final int CPU_SET_BYTES = 128;
    /** struct pollfd: int fd, short events, short revents. */
    private static final int POLLFD_BYTES = 8;

    private static final int POLLFD_EVENTS = 4;
    private static final int POLLFD_REVENTS = 6;
    private static final int EFD_CLOEXEC = 0x80000;
    private static final int SO_PROTOCOL = 38;
    private static final int SO_ATTACH_FILTER = 26;
    /** struct sock_filter and struct sock_fprog (length, pointer), linux/filter.h. */
    private static final int SOCK_FILTER_BYTES = 8;

    private static final int SOCK_FPROG_BYTES = 16;
    private static final int SOCK_FPROG_FILTER = 8;
    /** struct sockaddr_nl, linux/netlink.h: family, padding, port, groups. */
    private static final int SOCKADDR_NL_BYTES = 12;

    private static final int SOCKADDR_NL_PORT = 4;
    private static final int CLOCK_MONOTONIC = 1;
    private static final long NANOS_PER_SECOND = 1_000_000_000L;
    /** More than any number of signals that come in a row. */
    private static final int INTERRUPTIONS = 1000;

    private Libc() {}

    /** socket(2). */
    public static int socket(int domain, int type, int protocol) {
        return (int) call("socket", (_, state) ->
                (int) (long) SOCKET.invokeExact(state, (long) domain, (long) type, (long) protocol, 0L, 0L));
    }

    /**
     * connect(2).
     *
     * @param address a struct sockaddr, from position to limit
     */
    public static int connect(int fd, ByteBuffer address) {
        return (int) call("connect", (arena, state) -> {
            MemorySegment copy = arena.allocate(address.remaining());
            copy.copyFrom(MemorySegment.ofBuffer(address));
            return (int)
                    (long) CONNECT.invokeExact(state, (long) fd, copy.address(), (long) address.remaining(), 0L, 0L);
        });
    }

    /**
     * bind(2).
     *
     * @param address a struct sockaddr, from position to limit
     */
    public static int bind(int fd, ByteBuffer address) {
        return (int) call("bind", (arena, state) -> {
            MemorySegment copy = arena.allocate(address.remaining());
            copy.copyFrom(MemorySegment.ofBuffer(address));
            return (int) (long) BIND.invokeExact(state, (long) fd, copy.address(), (long) address.remaining(), 0L, 0L);
        });
    }

    /**
     * The port of a netlink socket of that protocol: getsockname(2).
     *
     * @return the port, unsigned; -EAFNOSUPPORT for a socket of another kind, or the negative errno
     */
    public static long netlinkPort(int fd, int protocol) {
        return call("getsockname", (arena, state) -> {
            MemorySegment length = arena.allocateFrom(JAVA_INT, SOCKADDR_NL_BYTES);
            MemorySegment address = arena.allocate(SOCKADDR_NL_BYTES, Integer.BYTES);
            MemorySegment option = arena.allocate(JAVA_INT);
            MemorySegment optionLength = arena.allocateFrom(JAVA_INT, Integer.BYTES);
            if ((int) (long) GETSOCKNAME.invokeExact(state, (long) fd, address.address(), length.address(), 0L, 0L) < 0
                    || (int) (long) GETSOCKOPT.invokeExact(
                                    state,
                                    (long) fd,
                                    (long) SOL_SOCKET,
                                    (long) SO_PROTOCOL,
                                    option.address(),
                                    optionLength.address())
                            < 0) {
                return -1L;
            }
            boolean netlink = address.get(JAVA_SHORT, 0) == AF_NETLINK && option.get(JAVA_INT, 0) == protocol;
            if (!netlink) {
                state.set(JAVA_INT, ERRNO, Errno.EAFNOSUPPORT.number());
                return -1L;
            }
            return Integer.toUnsignedLong(address.get(JAVA_INT, SOCKADDR_NL_PORT));
        });
    }

    /** setsockopt(2) with a value of type int. */
    public static int setsockopt(int fd, int level, int option, int value) {
        return (int) call("setsockopt", (arena, state) -> {
            MemorySegment segment = arena.allocateFrom(JAVA_INT, value);
            return (int) (long) SETSOCKOPT.invokeExact(
                    state, (long) fd, (long) level, (long) option, segment.address(), (long) Integer.BYTES);
        });
    }

    /**
     * Has a socket drop what a classic BPF program returns 0 for (SO_ATTACH_FILTER, socket(7)).
     *
     * @param program array of struct sock_filter, linux/filter.h, in a direct buffer from position to limit
     */
    public static int attachFilter(int fd, ByteBuffer program) {
        return (int) call("setsockopt", (arena, state) -> {
            MemorySegment fprog = arena.allocate(SOCK_FPROG_BYTES, Long.BYTES);
            fprog.set(JAVA_SHORT, 0, (short) (program.remaining() / SOCK_FILTER_BYTES));
            fprog.set(ADDRESS, SOCK_FPROG_FILTER, direct(program));
            return (int) (long) SETSOCKOPT.invokeExact(
                    state, (long) fd, (long) SOL_SOCKET, (long) SO_ATTACH_FILTER, fprog.address(), (long)
                            SOCK_FPROG_BYTES);
        });
    }

    /**
     * send(2) of the bytes from position to limit; neither is moved.
     *
     * @param data a direct buffer
     * @return bytes sent, or the negative errno
     */
    public static int send(int fd, ByteBuffer data, int flags) {
        return (int) call("send", (_, state) -> {
            MemorySegment segment = direct(data);
            try {
                return (long)
                        SEND.invokeExact(state, (long) fd, segment.address(), segment.byteSize(), (long) flags, 0L);
            } finally {
                Reference.reachabilityFence(data);
            }
        });
    }

    /**
     * recv(2) into the bytes from position to limit; neither is moved.
     *
     * @param data a direct buffer
     * @return bytes received (with {@link #MSG_TRUNC} perhaps more than there is room for), or the
     *     negative errno
     */
    public static int recv(int fd, ByteBuffer data, int flags) {
        return (int) call("recv", (_, state) -> {
            MemorySegment segment = direct(data);
            try {
                return (long)
                        RECV.invokeExact(state, (long) fd, segment.address(), segment.byteSize(), (long) flags, 0L);
            } finally {
                Reference.reachabilityFence(data);
            }
        });
    }

    private static MemorySegment direct(ByteBuffer data) {
        if (!data.isDirect()) {
            throw new IllegalArgumentException("the C library needs a direct buffer, got " + data);
        }
        return MemorySegment.ofBuffer(data);
    }

    /** open(2) of an existing file. */
    public static int open(String path, int flags) {
        return (int) call("open", (arena, state) ->
                (int) (long) OPEN.invokeExact(state, arena.allocateFrom(path).address(), (long) flags, 0L, 0L, 0L));
    }

    /** close(2). Made once: the file is closed even where a signal interrupted it. */
    public static int close(int fd) {
        return (int) once("close", (_, state) -> (int) (long) CLOSE.invokeExact(state, (long) fd, 0L, 0L, 0L, 0L));
    }

    /** setns(2): moves the calling platform thread. Never call it on a thread that others share. */
    public static int setns(int fd, int type) {
        return (int) call(
                "setns", (_, state) -> (int) (long) SETNS.invokeExact(state, (long) fd, (long) type, 0L, 0L, 0L));
    }

    /** The f_type of fstatfs(2): the magic number of the file's file system; or the negative errno. */
    public static long fstatfsType(int fd) {
        return call("fstatfs", (arena, state) -> {
            MemorySegment statfs = arena.allocate(STAT_BYTES, Long.BYTES);
            int result = (int) (long) FSTATFS.invokeExact(state, (long) fd, statfs.address(), 0L, 0L, 0L);
            return result < 0 ? result : statfs.get(JAVA_LONG, 0);
        });
    }

    /** The st_ino of fstat(2), or the negative errno. */
    public static long fstatInode(int fd) {
        return call("fstat", (arena, state) -> {
            MemorySegment stat = arena.allocate(STAT_BYTES, Long.BYTES);
            int result = (int) (long) FSTAT.invokeExact(state, (long) fd, stat.address(), 0L, 0L, 0L);
            return result < 0 ? result : stat.get(JAVA_LONG, ST_INO);
        });
    }

    /** The CLONE_NEW... value of a namespace's file (ioctl_ns(2), NS_GET_NSTYPE), or the negative errno. */
    public static int namespaceType(int fd) {
        return (int) call(
                "ioctl", (_, state) -> (int) (long) IOCTL.invokeExact(state, (long) fd, NS_GET_NSTYPE, 0L, 0L, 0L));
    }

    /** eventfd(2) of 0. */
    public static int eventfd() {
        return (int) call(
                "eventfd", (_, state) -> (int) (long) EVENTFD.invokeExact(state, 0L, (long) EFD_CLOEXEC, 0L, 0L, 0L));
    }

    /** clock_gettime(2) of CLOCK_MONOTONIC, which BPF programs see too: ns since a fixed moment of this boot. */
    public static long monotonicNanos() {
        return call("clock_gettime", (arena, state) -> {
            MemorySegment timespec = arena.allocate(JAVA_LONG, 2);
            long result = (int)
                    (long) CLOCK_GETTIME.invokeExact(state, (long) CLOCK_MONOTONIC, timespec.address(), 0L, 0L, 0L);
            return result < 0
                    ? result
                    : timespec.getAtIndex(JAVA_LONG, 0) * NANOS_PER_SECOND + timespec.getAtIndex(JAVA_LONG, 1);
        });
    }

    /** gettid(2): the kernel's number of the calling thread. */
    public static int gettid() {
        return (int) call("gettid", (_, state) -> (int) (long) GETTID.invokeExact(state, 0L, 0L, 0L, 0L, 0L));
    }

    /** sched_getcpu(3): the processor that the calling thread is on at this moment. */
    public static int processor() {
        return (int)
                call("sched_getcpu", (_, state) -> (int) (long) SCHED_GETCPU.invokeExact(state, 0L, 0L, 0L, 0L, 0L));
    }

    /**
     * sched_getaffinity(2).
     *
     * @param thread its number, or 0: the calling one
     * @return a bit for each processor that it may be on; none where that cannot be found out, as with more than 1024
     */
    public static BitSet affinity(int thread) {
        long[] words = new long[CPU_SET_BYTES / Long.BYTES];
        long bytes = call("sched_getaffinity", (arena, state) -> {
            MemorySegment set = arena.allocate(CPU_SET_BYTES, Long.BYTES);
            long result = (int) (long)
                    SCHED_GETAFFINITY.invokeExact(state, (long) thread, (long) CPU_SET_BYTES, set.address(), 0L, 0L);
            MemorySegment.copy(set, JAVA_LONG, 0, words, 0, words.length);
            return result;
        });
        return bytes < 0 ? new BitSet() : BitSet.valueOf(words);
    }

    /** sched_setaffinity(2), of a thread by its number, or of the calling one by 0. */
    public static int setAffinity(int thread, BitSet processors) {
        return (int) call("sched_setaffinity", (arena, state) -> {
            MemorySegment set = arena.allocate(CPU_SET_BYTES, Long.BYTES);
            long[] words = processors.toLongArray();
            MemorySegment.copy(words, 0, set, JAVA_LONG, 0, words.length);
            return (int) (long)
                    SCHED_SETAFFINITY.invokeExact(state, (long) thread, (long) CPU_SET_BYTES, set.address(), 0L, 0L);
        });
    }

    /** Adds 1 to an eventfd, which makes it readable. */
    public static int signal(int eventfd) {
        return (int) call("eventfd_write", (_, state) ->
                (int) (long) EVENTFD_WRITE.invokeExact(state, (long) eventfd, 1L, 0L, 0L, 0L));
    }

    /**
     * poll(2) without limit, until at least one of the files is readable or broken.
     *
     * @param fds at most 31
     * @return a bit for each file that is, the first file's the lowest; or the negative errno
     */
    public static int awaitReadable(int... fds) {
        return (int) call("poll", (arena, state) -> {
            MemorySegment polled = arena.allocate((long) fds.length * POLLFD_BYTES, Integer.BYTES);
            for (int i = 0; i < fds.length; i++) {
                polled.set(JAVA_INT, (long) i * POLLFD_BYTES, fds[i]);
                polled.set(JAVA_SHORT, (long) i * POLLFD_BYTES + POLLFD_EVENTS, (short) POLLIN);
            }
            int ready = (int) (long) POLL.invokeExact(state, polled.address(), (long) fds.length, -1L, 0L, 0L);
            return ready < 0 ? ready : readyBits(polled, fds.length);
        });
    }

    private static int readyBits(MemorySegment polled, int count) {
        int bits = 0;
        for (int i = 0; i < count; i++) {
            boolean ready = polled.get(JAVA_SHORT, (long) i * POLLFD_BYTES + POLLFD_REVENTS) != 0;
            bits |= ready ? 1 << i : 0;
        }
        return bits;
    }

    /** One call into C: negative when it failed, with errno in {@code state} then. */
    private interface Call {
        long make(Arena arena, MemorySegment state) throws Throwable;
    }

    private static long call(String name, Call call) {
        return again(() -> once(name, call));
    }

    /** Makes a call again for as long as a signal interrupts it, but not for ever. */
    static long again(LongSupplier call) {
        long result = call.getAsLong();
        for (int i = 0; i < INTERRUPTIONS && result == -Errno.EINTR.number(); i++) {
            result = call.getAsLong();
        }
        return result;
    }

    private static long once(String name, Call call) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            long result = call.make(arena, state);
            return result < 0 ? -state.get(JAVA_INT, ERRNO) : result;
        } catch (Throwable e) {
            throw new AssertionError("calling " + name + " of the C library", e);
        }
    }

    private static MethodHandle find(String name) {
        return CFunction.of(Linker.nativeLinker().defaultLookup(), name);
    }
}

package io.podwire.node.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
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

    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout STATE = Linker.Option.captureStateLayout();
    private static final long ERRNO = STATE.byteOffset(PathElement.groupElement("errno"));

    private static final MethodHandle SOCKET = find("socket", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle CONNECT = find("connect", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle SETSOCKOPT =
            find("setsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle GETSOCKNAME = find("getsockname", JAVA_INT, JAVA_INT, ADDRESS, ADDRESS);
    private static final MethodHandle GETSOCKOPT =
            find("getsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS);
    private static final MethodHandle SEND = find("send", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
    private static final MethodHandle RECV = find("recv", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
    private static final MethodHandle OPEN = findVariadic("open", 2, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT);
    private static final MethodHandle IOCTL = findVariadic("ioctl", 2, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle CLOSE = find("close", JAVA_INT, JAVA_INT);
    private static final MethodHandle SETNS = find("setns", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle FSTATFS = find("fstatfs", JAVA_INT, JAVA_INT, ADDRESS);
    private static final MethodHandle FSTAT = find("fstat", JAVA_INT, JAVA_INT, ADDRESS);
    private static final MethodHandle BIND = find("bind", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle EVENTFD = find("eventfd", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle EVENTFD_WRITE = find("eventfd_write", JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle POLL = find("poll", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);

    /** NS_GET_NSTYPE, linux/nsfs.h, since Linux 4.11. */
    private static final long NS_GET_NSTYPE = 0xb703;
    /** More than struct stat and struct statfs take on any 64-bit machine. */
    private static final int STAT_BYTES = 256;
    /** Where st_ino lies in struct stat, on x86-64 and arm64. */
    private static final int ST_INO = 8;
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
    /** More than any number of signals that come in a row. */
    private static final int INTERRUPTIONS = 1000;

    private Libc() {}

    /** socket(2). */
    public static int socket(int domain, int type, int protocol) {
        return (int) call("socket", (_, state) -> (int) SOCKET.invokeExact(state, domain, type, protocol));
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
            return (int) CONNECT.invokeExact(state, fd, copy, address.remaining());
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
            return (int) BIND.invokeExact(state, fd, copy, address.remaining());
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
            if ((int) GETSOCKNAME.invokeExact(state, fd, address, length) < 0
                    || (int) GETSOCKOPT.invokeExact(state, fd, SOL_SOCKET, SO_PROTOCOL, option, optionLength) < 0) {
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
            return (int) SETSOCKOPT.invokeExact(state, fd, level, option, segment, Integer.BYTES);
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
            fprog.set(ADDRESS, SOCK_FPROG_FILTER, MemorySegment.ofBuffer(program));
            return (int) SETSOCKOPT.invokeExact(state, fd, SOL_SOCKET, SO_ATTACH_FILTER, fprog, SOCK_FPROG_BYTES);
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
            MemorySegment segment = MemorySegment.ofBuffer(data);
            return (long) SEND.invokeExact(state, fd, segment, segment.byteSize(), flags);
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
            MemorySegment segment = MemorySegment.ofBuffer(data);
            return (long) RECV.invokeExact(state, fd, segment, segment.byteSize(), flags);
        });
    }

    /** open(2) of an existing file. */
    public static int open(String path, int flags) {
        return (int) call("open", (arena, state) -> (int) OPEN.invokeExact(state, arena.allocateFrom(path), flags, 0));
    }

    /** close(2). Made once: the file is closed even where a signal interrupted it. */
    public static int close(int fd) {
        return (int) once("close", (_, state) -> (int) CLOSE.invokeExact(state, fd));
    }

    /** setns(2): moves the calling platform thread. Never call it on a thread that others share. */
    public static int setns(int fd, int type) {
        return (int) call("setns", (_, state) -> (int) SETNS.invokeExact(state, fd, type));
    }

    /** The f_type of fstatfs(2): the magic number of the file's file system; or the negative errno. */
    public static long fstatfsType(int fd) {
        return call("fstatfs", (arena, state) -> {
            MemorySegment statfs = arena.allocate(STAT_BYTES, Long.BYTES);
            int result = (int) FSTATFS.invokeExact(state, fd, statfs);
            return result < 0 ? result : statfs.get(JAVA_LONG, 0);
        });
    }

    /** The st_ino of fstat(2), or the negative errno. */
    public static long fstatInode(int fd) {
        return call("fstat", (arena, state) -> {
            MemorySegment stat = arena.allocate(STAT_BYTES, Long.BYTES);
            int result = (int) FSTAT.invokeExact(state, fd, stat);
            return result < 0 ? result : stat.get(JAVA_LONG, ST_INO);
        });
    }

    /** The CLONE_NEW... value of a namespace's file (ioctl_ns(2), NS_GET_NSTYPE), or the negative errno. */
    public static int namespaceType(int fd) {
        return (int) call("ioctl", (_, state) -> (int) IOCTL.invokeExact(state, fd, NS_GET_NSTYPE, 0L));
    }

    /** eventfd(2) of 0. */
    public static int eventfd() {
        return (int) call("eventfd", (_, state) -> (int) EVENTFD.invokeExact(state, 0, EFD_CLOEXEC));
    }

    /** Adds 1 to an eventfd, which makes it readable. */
    public static int signal(int eventfd) {
        return (int) call("eventfd_write", (_, state) -> (int) EVENTFD_WRITE.invokeExact(state, eventfd, 1L));
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
            int ready = (int) POLL.invokeExact(state, polled, (long) fds.length, -1);
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

    private static MethodHandle find(String name, MemoryLayout result, MemoryLayout... arguments) {
        return link(name, FunctionDescriptor.of(result, arguments), Linker.Option.captureCallState("errno"));
    }

    private static MethodHandle findVariadic(String name, int fixed, MemoryLayout result, MemoryLayout... arguments) {
        return link(
                name,
                FunctionDescriptor.of(result, arguments),
                Linker.Option.captureCallState("errno"),
                Linker.Option.firstVariadicArg(fixed));
    }

    @SuppressWarnings("restricted") // calls into C are what this package is for
    private static MethodHandle link(String name, FunctionDescriptor descriptor, Linker.Option... options) {
        MemorySegment symbol = LINKER.defaultLookup()
                .find(name)
                .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no symbol " + name));
        return LINKER.downcallHandle(symbol, descriptor, options);
    }
}

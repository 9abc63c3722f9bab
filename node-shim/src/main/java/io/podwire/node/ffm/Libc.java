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

/**
 * The C library calls that Podwire makes, in C's terms: ints in, ints out. A failed call returns the
 * negative errno, as the kernel's own system calls do; errno is captured per call, and read only
 * after a failure (a successful call leaves anything in it). Safe for all threads.
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

    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout STATE = Linker.Option.captureStateLayout();
    private static final long ERRNO = STATE.byteOffset(PathElement.groupElement("errno"));

    private static final MethodHandle SOCKET = find("socket", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle CONNECT = find("connect", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle SETSOCKOPT =
            find("setsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
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

    private Libc() {}

    /** socket(2). */
    public static int socket(int domain, int type, int protocol) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            return result((int) SOCKET.invokeExact(state, domain, type, protocol), state);
        } catch (Throwable e) {
            throw broken("socket", e);
        }
    }

    /**
     * connect(2).
     *
     * @param address a struct sockaddr, from position to limit
     */
    public static int connect(int fd, ByteBuffer address) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            MemorySegment copy = arena.allocate(address.remaining());
            copy.copyFrom(MemorySegment.ofBuffer(address));
            return result((int) CONNECT.invokeExact(state, fd, copy, address.remaining()), state);
        } catch (Throwable e) {
            throw broken("connect", e);
        }
    }

    /** setsockopt(2) with a value of type int. */
    public static int setsockopt(int fd, int level, int option, int value) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            MemorySegment segment = arena.allocateFrom(JAVA_INT, value);
            return result((int) SETSOCKOPT.invokeExact(state, fd, level, option, segment, Integer.BYTES), state);
        } catch (Throwable e) {
            throw broken("setsockopt", e);
        }
    }

    /**
     * send(2) of the bytes from position to limit; neither is moved.
     *
     * @param data a direct buffer
     * @return bytes sent, or the negative errno
     */
    public static int send(int fd, ByteBuffer data, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            MemorySegment segment = MemorySegment.ofBuffer(data);
            long sent = (long) SEND.invokeExact(state, fd, segment, segment.byteSize(), flags);
            return result((int) sent, state);
        } catch (Throwable e) {
            throw broken("send", e);
        }
    }

    /**
     * recv(2) into the bytes from position to limit; neither is moved.
     *
     * @param data a direct buffer
     * @return bytes received (with {@link #MSG_TRUNC} perhaps more than there is room for), or the
     *     negative errno
     */
    public static int recv(int fd, ByteBuffer data, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            MemorySegment segment = MemorySegment.ofBuffer(data);
            long received = (long) RECV.invokeExact(state, fd, segment, segment.byteSize(), flags);
            return result((int) received, state);
        } catch (Throwable e) {
            throw broken("recv", e);
        }
    }

    /** open(2) of an existing file. */
    public static int open(String path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            return result((int) OPEN.invokeExact(state, arena.allocateFrom(path), flags, 0), state);
        } catch (Throwable e) {
            throw broken("open", e);
        }
    }

    /** close(2). */
    public static int close(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            return result((int) CLOSE.invokeExact(state, fd), state);
        } catch (Throwable e) {
            throw broken("close", e);
        }
    }

    /** setns(2): moves the calling platform thread. Never call it on a thread that others share. */
    public static int setns(int fd, int type) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            return result((int) SETNS.invokeExact(state, fd, type), state);
        } catch (Throwable e) {
            throw broken("setns", e);
        }
    }

    /** The f_type of fstatfs(2): the magic number of the file's file system; or the negative errno. */
    public static long fstatfsType(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            MemorySegment statfs = arena.allocate(STAT_BYTES, Long.BYTES);
            int result = result((int) FSTATFS.invokeExact(state, fd, statfs), state);
            return result < 0 ? result : statfs.get(JAVA_LONG, 0);
        } catch (Throwable e) {
            throw broken("fstatfs", e);
        }
    }

    /** The st_ino of fstat(2), or the negative errno. */
    public static long fstatInode(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            MemorySegment stat = arena.allocate(STAT_BYTES, Long.BYTES);
            int result = result((int) FSTAT.invokeExact(state, fd, stat), state);
            return result < 0 ? result : stat.get(JAVA_LONG, ST_INO);
        } catch (Throwable e) {
            throw broken("fstat", e);
        }
    }

    /** The CLONE_NEW... value of a namespace's file (ioctl_ns(2), NS_GET_NSTYPE), or the negative errno. */
    public static int namespaceType(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            return result((int) IOCTL.invokeExact(state, fd, NS_GET_NSTYPE, 0L), state);
        } catch (Throwable e) {
            throw broken("ioctl", e);
        }
    }

    /**
     * bind(2).
     *
     * @param address a struct sockaddr, from position to limit
     */
    public static int bind(int fd, ByteBuffer address) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            MemorySegment copy = arena.allocate(address.remaining());
            copy.copyFrom(MemorySegment.ofBuffer(address));
            return result((int) BIND.invokeExact(state, fd, copy, address.remaining()), state);
        } catch (Throwable e) {
            throw broken("bind", e);
        }
    }

    /** eventfd(2) of 0. */
    public static int eventfd() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            return result((int) EVENTFD.invokeExact(state, 0, EFD_CLOEXEC), state);
        } catch (Throwable e) {
            throw broken("eventfd", e);
        }
    }

    /** Adds 1 to an eventfd, which makes it readable. */
    public static int signal(int eventfd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            return result((int) EVENTFD_WRITE.invokeExact(state, eventfd, 1L), state);
        } catch (Throwable e) {
            throw broken("eventfd_write", e);
        }
    }

    /**
     * poll(2) without limit, until at least one of the files is readable or broken.
     *
     * @param fds at most 31
     * @return a bit for each file that is, the first file's the lowest; or the negative errno
     */
    public static int awaitReadable(int... fds) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            MemorySegment polled = arena.allocate((long) fds.length * POLLFD_BYTES, Integer.BYTES);
            for (int i = 0; i < fds.length; i++) {
                polled.set(JAVA_INT, (long) i * POLLFD_BYTES, fds[i]);
                polled.set(JAVA_SHORT, (long) i * POLLFD_BYTES + POLLFD_EVENTS, (short) POLLIN);
            }
            int ready = result((int) POLL.invokeExact(state, polled, (long) fds.length, -1), state);
            return ready < 0 ? ready : readyBits(polled, fds.length);
        } catch (Throwable e) {
            throw broken("poll", e);
        }
    }

    private static int readyBits(MemorySegment polled, int count) {
        int bits = 0;
        for (int i = 0; i < count; i++) {
            boolean ready = polled.get(JAVA_SHORT, (long) i * POLLFD_BYTES + POLLFD_REVENTS) != 0;
            bits |= ready ? 1 << i : 0;
        }
        return bits;
    }

    private static int result(int result, MemorySegment state) {
        return result < 0 ? -state.get(JAVA_INT, ERRNO) : result;
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

    private static AssertionError broken(String name, Throwable e) {
        return new AssertionError("calling " + name + " of the C library", e);
    }
}

package io.podwire.node.netns;

import io.podwire.node.ffm.Errno;
import io.podwire.node.ffm.Libc;
import java.nio.file.Path;
import java.util.regex.Pattern;

/**
 * An open handle on a network namespace (network_namespaces(7)), which keeps the namespace alive.
 * Closed by the one who opened it, when nobody uses it any more; not safe against use during close.
 */
public final class Netns implements AutoCloseable {
    /** NSFS_MAGIC, linux/magic.h. */
    private static final long NSFS_MAGIC = 0x6e736673;
    /** O_NOFOLLOW with O_PATH opens a link itself, which then is not on nsfs. */
    private static final int O_NOFOLLOW = 0x20000;
    /** These are links by nature, made by the kernel, that lead to the namespace alone: proc_pid_ns(5). */
    private static final Pattern PROC_LINK = Pattern.compile("/proc/(self|thread-self|[0-9]+(/task/[0-9]+)?)/ns/net");

    private static final Path OWN = Path.of("/proc/self/ns/net");
    private static final Path CURRENT = Path.of("/proc/thread-self/ns/net");

    private final Path path;
    private final int fd;
    private final long inode;
    private boolean closed;

    private Netns(Path path, int fd, long inode) {
        this.path = path;
        this.fd = fd;
        this.inode = inode;
    }

    /**
     * Opens the namespace at a path. Whatever else lies there is not opened and not followed: the path
     * is looked at by O_PATH first.
     *
     * @param path a bind mount such as /run/netns/x, or /proc/PID/ns/net; the last component may be a
     *     symbolic link in the second form only
     * @throws NetnsException when nothing is there, or something else
     */
    public static Netns open(Path path) {
        boolean link = PROC_LINK.matcher(path.toString()).matches();
        int seen = Libc.open(path.toString(), Libc.O_PATH | Libc.O_CLOEXEC | (link ? 0 : O_NOFOLLOW));
        if (seen < 0) {
            throw failure(path, "open", -seen);
        }
        try {
            long type = Libc.fstatfsType(seen);
            if (type != NSFS_MAGIC) {
                throw new NetnsException(
                        NetnsException.Reason.NOT_A_NAMESPACE,
                        path,
                        "is not a namespace file (symbolic links are not followed)");
            }
            return openNsfs(path, seen);
        } finally {
            Libc.close(seen);
        }
    }

    /** The namespace that the calling thread is in. */
    public static Netns current() {
        return open(CURRENT);
    }

    /** The namespace that this process started in. */
    public static Netns own() {
        return open(OWN);
    }

    private static Netns openNsfs(Path path, int seen) {
        int fd = Libc.open("/proc/self/fd/" + seen, Libc.O_RDONLY | Libc.O_CLOEXEC);
        if (fd < 0) {
            throw failure(path, "open for reading", -fd);
        }
        int type = Libc.namespaceType(fd);
        long inode = Libc.fstatInode(fd);
        if (type == Libc.CLONE_NEWNET && inode > 0) {
            return new Netns(path, fd, inode);
        }
        Libc.close(fd);
        throw new NetnsException(
                NetnsException.Reason.NOT_A_NAMESPACE,
                path,
                "is a namespace of another kind (type 0x" + Integer.toHexString(type) + ")");
    }

    private static NetnsException failure(Path path, String what, int errno) {
        return switch (Errno.of(errno)) {
            case ENOENT, ENOTDIR -> new NetnsException(NetnsException.Reason.GONE, path, "does not exist");
            case ELOOP, ENAMETOOLONG ->
                new NetnsException(NetnsException.Reason.NOT_A_NAMESPACE, path, what + ": " + Errno.describe(errno));
            default -> new NetnsException(NetnsException.Reason.FAILED, path, what + ": " + Errno.describe(errno));
        };
    }

    /** Moves the calling platform thread into it: only {@link NetnsThread} may. */
    void enter() {
        int result = Libc.setns(fd(), Libc.CLONE_NEWNET);
        if (result < 0) {
            throw failure(path, "setns", -result);
        }
    }

    /** Its inode number, the identity of a namespace for as long as it lives (used again afterwards). */
    public long inode() {
        return inode;
    }

    /**
     * Its file descriptor, for netlink attributes; valid until {@link #close}.
     *
     * @throws IllegalStateException after close
     */
    public int fd() {
        if (closed) {
            throw new IllegalStateException(this + " is closed");
        }
        return fd;
    }

    /** True when both are the same namespace. */
    public boolean sameAs(Netns other) {
        return inode == other.inode;
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            Libc.close(fd);
        }
    }

    /** Its path and inode. */
    @Override
    public String toString() {
        return path + " (inode " + inode + ")";
    }
}

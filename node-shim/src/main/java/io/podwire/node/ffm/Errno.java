package io.podwire.node.ffm;

/**
 * The error numbers that Podwire tells apart (errno(3); asm-generic/errno.h, the same on x86-64 and
 * arm64). A number that is not here reads as {@link #OTHER}: keep the raw number beside it.
 */
public enum Errno {
    EPERM(1),
    ENOENT(2),
    ESRCH(3),
    EINTR(4),
    EIO(5),
    EBADF(9),
    EAGAIN(11),
    ENOMEM(12),
    EACCES(13),
    EBUSY(16),
    EEXIST(17),
    ENODEV(19),
    ENOTDIR(20),
    EINVAL(22),
    ENFILE(23),
    EMFILE(24),
    ENOSPC(28),
    ERANGE(34),
    ENAMETOOLONG(36),
    ELOOP(40),
    EMSGSIZE(90),
    ENOPROTOOPT(92),
    EOPNOTSUPP(95),
    EAFNOSUPPORT(97),
    EADDRINUSE(98),
    EADDRNOTAVAIL(99),
    ENETDOWN(100),
    ENETUNREACH(101),
    ENOBUFS(105),
    ENOTCONN(107),
    EHOSTUNREACH(113),
    /** Any number without a constant of its own. */
    OTHER(-1);

    private static final Errno[] VALUES = values();

    private final int number;

    Errno(int number) {
        this.number = number;
    }

    /**
     * The constant of a number.
     *
     * @param number a positive errno
     * @return its constant, or {@link #OTHER}
     */
    public static Errno of(int number) {
        for (Errno errno : VALUES) {
            if (errno.number == number) {
                return errno;
            }
        }
        return OTHER;
    }

    /** The name and number of a raw errno, for messages: {@code EEXIST (17)}, or {@code errno 200}. */
    public static String describe(int number) {
        Errno errno = of(number);
        return errno == OTHER ? "errno " + number : errno + " (" + number + ")";
    }

    /** Its number; -1 for {@link #OTHER}. */
    public int number() {
        return number;
    }
}

package io.podwire.node.netlink;

import io.podwire.node.ffm.Errno;
import java.io.Serial;

/** A dump during which the kernel's tables changed each time it was tried. */
public final class DumpInterruptedException extends NetlinkException {
    @Serial
    private static final long serialVersionUID = 1L;

    DumpInterruptedException(String asked, int tries) {
        super(asked, Errno.EINTR.number(), "the tables changed during each of " + tries + " dumps");
    }
}

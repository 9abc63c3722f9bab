package io.podwire.node.netlink;

import io.podwire.node.netlink.rt.KernelPart;
import java.io.Serial;

/** A request that needs a part of the kernel that is not there: asking again is of no use before it is. */
public final class KernelLacksException extends NetlinkException {
    @Serial
    private static final long serialVersionUID = 1L;

    KernelLacksException(NetlinkException refusal, KernelPart part) {
        super(
                refusal,
                "the kernel has no " + part.name() + ": load it with 'modprobe " + part.module()
                        + "', or boot a kernel with " + part.option());
    }
}

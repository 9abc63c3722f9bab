package io.podwire.node.netlink;

import java.io.Serial;

/**
 * A request that went to the kernel and whose answer did not come back: ENOBUFS where the kernel had no room for
 * it, EAGAIN where there is none, ENOMEM, EMSGSIZE. The kernel may have done as asked, or not: look.
 */
public final class AnswerLostException extends NetlinkException {
    @Serial
    private static final long serialVersionUID = 1L;

    AnswerLostException(String asked, int number) {
        super(asked, number, "the answer is lost: what was asked for may have been done, look before asking again");
    }

    /** The kernel said nothing. */
    @Override
    public String kernelText() {
        return "";
    }
}

package io.podwire.node.netlink;

import io.podwire.node.ffm.Errno;
import java.io.Serial;

/** A netlink request that the kernel refused or could not answer: what was asked, and what it said. */
public sealed class NetlinkException extends RuntimeException
        permits AnswerLostException, DumpInterruptedException, KernelLacksException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final int number;
    private final String kernelText;

    /**
     * A refusal.
     *
     * @param asked what was asked of the kernel, with its arguments
     * @param number the errno
     * @param kernelText the kernel's extended acknowledgement; empty when it gave none
     */
    NetlinkException(String asked, int number, String kernelText) {
        super("netlink: " + asked + ": " + Errno.describe(number) + (kernelText.isEmpty() ? "" : ": " + kernelText));
        this.number = number;
        this.kernelText = kernelText;
    }

    /** The same refusal with more to say about it. */
    NetlinkException(NetlinkException refusal, String more) {
        super(refusal.getMessage() + ": " + more, refusal);
        this.number = refusal.number;
        this.kernelText = refusal.kernelText;
    }

    /** The kernel's reason; {@link Errno#OTHER} for a number without a name here. */
    public Errno errno() {
        return Errno.of(number);
    }

    /** The kernel's reason as it came, positive. */
    public int errnoNumber() {
        return number;
    }

    /** The kernel's own words (extended acknowledgement); empty when it gave none. */
    public String kernelText() {
        return kernelText;
    }
}

package io.podwire.common.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.proto.common.v1.Handshake;

/** Whether a service and whoever opens a stream to it understand each other. */
public final class Handshakes {
    private Handshakes() {}

    /**
     * Refuses a node that a service cannot understand.
     *
     * @param level the protocol level that the service speaks, which is the lowest that it understands
     * @throws ServiceException INVALID_ARGUMENT without a level, FAILED_PRECONDITION when none is spoken by both
     */
    public static void check(Handshake handshake, int level) {
        if (handshake.getProtocol() == 0) {
            throw new ServiceException(
                    ErrorReason.INVALID_ARGUMENT,
                    "handshake.protocol: not set; the first message says what the node speaks");
        }
        if (Integer.compareUnsigned(handshake.getProtocol(), level) < 0
                || Integer.compareUnsigned(handshake.getMinProtocol(), level) > 0) {
            throw new ServiceException(
                    ErrorReason.FAILED_PRECONDITION,
                    "handshake.protocol: this service speaks level " + level + ", the node (release "
                            + handshake.getRelease() + ") speaks "
                            + Integer.toUnsignedString(handshake.getMinProtocol()) + " to "
                            + Integer.toUnsignedString(handshake.getProtocol()) + "; upgrade the older one");
        }
    }
}

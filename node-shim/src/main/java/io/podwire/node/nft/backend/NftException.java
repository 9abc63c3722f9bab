package io.podwire.node.nft.backend;

/** The kernel, or the library before it, refused, and nothing was changed; or nobody knows, which the message says. */
public final class NftException extends Exception {
    private static final long serialVersionUID = 1;

    /** With what was attempted and what came back. */
    public NftException(String message) {
        super(message);
    }

    /** With the cause. */
    public NftException(String message, Throwable cause) {
        super(message, cause);
    }
}

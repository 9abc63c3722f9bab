package io.podwire.node.cni.request;

import java.io.Serial;

/** What was asked for cannot be had; the message names the key, the details its value, the range and what to do. */
public final class RequestException extends Exception {
    @Serial
    private static final long serialVersionUID = 1L;

    private final Kind kind;
    private final String details;

    /** Whose fault it is. */
    public enum Kind {
        /** CNI_ARGS is wrong. */
        ENVIRONMENT,
        /** The configuration, or what the runtime put into it, is wrong. */
        INVALID,
        /** It is right, and Podwire does not do it. */
        UNSUPPORTED
    }

    private RequestException(Kind kind, String message, String details) {
        super(message);
        this.kind = kind;
        this.details = details;
    }

    /** A wrong value. */
    static RequestException invalid(String key, String details) {
        return new RequestException(Kind.INVALID, "invalid " + key, details);
    }

    /** A value that Podwire does not support. */
    static RequestException unsupported(String key, String details) {
        return new RequestException(Kind.UNSUPPORTED, "unsupported " + key, details);
    }

    /** A wrong value in CNI_ARGS. */
    static RequestException environment(String key, String details) {
        return new RequestException(Kind.ENVIRONMENT, "invalid " + key + " in CNI_ARGS", details);
    }

    /** Whose fault it is. */
    public Kind kind() {
        return kind;
    }

    /** Value, range and what to do. */
    public String details() {
        return details;
    }
}

package io.podwire.node.cni;

import java.io.Serial;

/** A CNI call that ends with an error object (CNI 1.1, "Error"). */
public final class CniException extends Exception {
    @Serial
    private static final long serialVersionUID = 1L;

    private final Code code;
    private final String details;

    /** Error codes: 0 to 99 are CNI's (SPEC.md, "Error"), from 100 on they are Podwire's. */
    public enum Code {
        /** The version of the configuration is not spoken. */
        INCOMPATIBLE_VERSION(1),
        /** A field of the configuration has a value that is not supported. */
        UNSUPPORTED_FIELD(2),
        /** An environment variable is missing or wrong. */
        INVALID_ENVIRONMENT(4),
        /** The configuration is not JSON. */
        DECODE(6),
        /** The configuration is JSON and wrong. */
        INVALID_CONFIG(7),
        /** The network namespace is the node's own, or none. In the CNI library, not in its specification. */
        INVALID_NETNS(8),
        /** It may work later: the runtime should try again. */
        TRY_AGAIN(11),
        /** STATUS: an ADD would not be served now. */
        NOT_AVAILABLE(50),
        /** The kernel refused a step; all steps before it were undone. */
        INTERFACE(102),
        /** CHECK: an attachment is not as its ADD left it. */
        CHECK_FAILED(103),
        /** A bug or a damaged state, see node-shim's log. */
        INTERNAL(104),
        /** A policy isolates the pod, and its mode lets others reach it past the node's rules. */
        NOT_ENFORCEABLE(107);

        private final int value;

        Code(int value) {
            this.value = value;
        }

        /** The number in the error object. */
        public int value() {
            return value;
        }
    }

    /**
     * An error.
     *
     * @param message short, names what is wrong
     * @param details what was attempted and what helps next; may be empty
     */
    public CniException(Code code, String message, String details) {
        super(message);
        this.code = code;
        this.details = details;
    }

    /** An error with its cause. */
    public CniException(Code code, String message, String details, Throwable cause) {
        super(message, cause);
        this.code = code;
        this.details = details;
    }

    /** The error code. */
    public Code code() {
        return code;
    }

    /** What was attempted and what helps next. */
    public String details() {
        return details;
    }
}

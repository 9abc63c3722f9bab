package io.podwire.common.error;

import java.io.Serial;
import java.util.Map;
import java.util.TreeMap;

/** A failed call: reason for programs, sentence for people, facts for both. */
public final class ServiceException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final ErrorReason reason;
    private final transient Map<String, String> facts;

    /**
     * A failure.
     *
     * @param reason why, for programs
     * @param message what was attempted, with which arguments, and what happens or helps next
     */
    public ServiceException(ErrorReason reason, String message) {
        this(reason, message, Map.of(), null);
    }

    /** A failure caused by another one. */
    public ServiceException(ErrorReason reason, String message, Throwable cause) {
        this(reason, message, Map.of(), cause);
    }

    /** A failure with facts that a program may read. */
    public ServiceException(ErrorReason reason, String message, Map<String, String> facts) {
        this(reason, message, facts, null);
    }

    private ServiceException(ErrorReason reason, String message, Map<String, String> facts, Throwable cause) {
        super(message, cause);
        this.reason = reason;
        this.facts = Map.copyOf(facts);
    }

    /** Why, for programs. */
    public ErrorReason reason() {
        return reason;
    }

    /** Facts named in the message, sorted by name; empty after Java serialization. */
    public Map<String, String> facts() {
        return facts == null ? Map.of() : new TreeMap<>(facts);
    }
}

package io.podwire.node.dataplane;

import java.io.IOException;
import java.io.Serial;

/** Something that a pod asks for inside itself cannot be made. */
public final class RefusedException extends Exception {
    @Serial
    private static final long serialVersionUID = 1L;

    private final boolean missing;

    RefusedException(String message, boolean missing, IOException cause) {
        super(message, cause);
        this.missing = missing;
    }

    /** True when the kernel has no such thing; false when it does not take what was asked for. */
    public boolean missing() {
        return missing;
    }
}

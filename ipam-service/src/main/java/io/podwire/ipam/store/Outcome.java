package io.podwire.ipam.store;

/** How a compare-and-set ended. */
public enum Outcome {
    /** All changes are in place, on disk. */
    APPLIED,
    /** A key had another version; nothing was changed. */
    CONFLICT,
    /**
     * The answer was lost. The changes are in place, or will be within the store's timeout, or will
     * never be: read again and decide anew. As every change expects a version, a new attempt and
     * this one cannot both be applied.
     */
    UNKNOWN
}

package io.podwire.ipam.store;

/** How a compare-and-set ended. */
public sealed interface Outcome {
    /**
     * All changes are in place, on disk.
     *
     * @param version that every written key has now; the store's revision right after them
     */
    record Applied(long version) implements Outcome {}

    /** A key had another version; nothing was changed. */
    record Conflict() implements Outcome {}

    /**
     * The answer was lost. The changes are in place, or will be within the store's timeout, or will
     * never be: read again and decide anew. As every change expects a version, a new attempt and
     * this one cannot both be applied.
     */
    record Unknown() implements Outcome {}
}

package io.podwire.ipam.store;

import io.podwire.common.error.ServiceException;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Keys with values and versions. A version is given by the store, grows with every write over the
 * whole store, and is never given twice, also not after a delete.
 */
public interface IpamStore extends AutoCloseable {
    /**
     * The entries that were written after a revision, as they were at one moment between call and answer; or all of them,
     * where {@code since} is 0, a key was deleted since, or the store does not know that revision.
     *
     * @param since {@link Reading#revision} of an earlier reading, or 0
     * @throws ServiceException UNAVAILABLE when the store does not answer in time
     */
    Reading read(long since);

    /** All entries; as {@link #read} of 0. */
    default List<Entry> load() {
        return read(0).entries();
    }

    /**
     * A number that grows with every write: when two calls answer the same, nothing was written between
     * them. It may grow without a write here, too.
     *
     * @throws ServiceException UNAVAILABLE when the store does not answer in time
     */
    long revision();

    /**
     * Applies all changes at one moment, or none: none when a key has another version than its
     * change expects. Nothing is answered before it is on disk.
     *
     * @param changes at least one, no key twice
     * @throws ServiceException UNAVAILABLE when the store refused; nothing is changed then
     */
    Outcome compareAndSet(List<Change> changes);

    /**
     * As {@link #compareAndSet}, without waiting where {@link #waits} is false. It ends on a thread of the store, which must
     * not be kept waiting.
     *
     * @return ends in time, with a ServiceException where that would be thrown
     * @throws ServiceException as that, or so
     */
    default CompletableFuture<Outcome> write(List<Change> changes) {
        return CompletableFuture.completedFuture(compareAndSet(changes));
    }

    /** Whether {@link #write} has its caller wait until all is on disk. */
    default boolean waits() {
        return true;
    }

    /** True when the store answered lately. Does not block. */
    boolean connected();

    @Override
    void close();
}

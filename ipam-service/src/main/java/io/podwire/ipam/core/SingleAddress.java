package io.podwire.ipam.core;

import io.podwire.common.net.IpAddress;
import java.time.Instant;

/**
 * An address of a block of the service's own that is not free.
 *
 * @param pool name of its pool
 * @param address the address
 * @param use what it is
 * @param since when that began, by the clock of the replica that wrote it; no decision rests on it
 */
public record SingleAddress(String pool, IpAddress address, AddressUse use, Instant since) {
    /** The same address in another use. */
    public SingleAddress turned(AddressUse next, Instant now) {
        return new SingleAddress(pool, address, next, now);
    }
}

package io.podwire.node.upstream;

import io.podwire.common.net.IpPrefix;
import java.time.Duration;
import java.util.Optional;

/**
 * A block as ipam-service knows it.
 *
 * @param cidr its addresses
 * @param pool the pool it is of
 * @param drains true when its pool gives no blocks any more: its owner is to leave it
 * @param coolDown how long its owner gives a released address of it to nobody, 0 or more; empty: as long as the owner
 *     does by itself
 * @param owner whose it is, in the newest life that the service knows
 * @param claim id of the claim that took it, which its release names; empty from a service that does not tell
 */
record ListedBlock(
        IpPrefix cidr, String pool, boolean drains, Optional<Duration> coolDown, NodeIdentity owner, String claim) {}

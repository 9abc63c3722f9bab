package io.podwire.ipam.core;

/**
 * A pool, and how much of it is used.
 *
 * @param pool the pool
 * @param ownedBlocks blocks that nodes own
 */
public record PoolUsage(Pool pool, int ownedBlocks) {}

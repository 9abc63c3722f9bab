package io.podwire.ipam.core;

/**
 * A block and what its pool says of its addresses.
 *
 * @param block the block
 * @param coolDown how long its owner gives a released address to nobody
 */
public record OwnedBlock(Block block, CoolDown coolDown) {}

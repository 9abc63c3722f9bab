package io.podwire.ipam.source;

/**
 * What became of an IPPool; a field that is not known is null, and written so: it replaces what was known before.
 *
 * @param ownedBlocks blocks that nodes own
 * @param totalBlocks blocks in all; the largest long stands for that many or more
 * @param drainingFromBlocks blocks that were owned when it began to drain
 * @param state Active, Draining or Retired, as stored; Refused: nothing is stored under its name for it
 * @param message what is wrong, one sentence; empty: nothing is
 */
record IpPoolStatus(Integer ownedBlocks, Long totalBlocks, Integer drainingFromBlocks, String state, String message) {}

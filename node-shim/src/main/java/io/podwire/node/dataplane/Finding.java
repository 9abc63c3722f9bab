package io.podwire.node.dataplane;

/**
 * One difference between what should be and what is.
 *
 * @param object kind of object: link, address, route, neighbour, fdb, nft, netns
 * @param name its name
 * @param problem what is wrong, one sentence
 */
public record Finding(String object, String name, String problem) {}

package io.podwire.node.dataplane;

/**
 * Something that others had changed in the kernel and that was put right.
 *
 * @param found what was found
 * @param done what was done about it
 */
public record Repair(Finding found, String done) {}

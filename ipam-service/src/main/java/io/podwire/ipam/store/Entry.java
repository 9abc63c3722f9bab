package io.podwire.ipam.store;

/**
 * A key's value.
 *
 * @param key without the store's own prefix
 * @param version of the last write, 1 or more
 * @param value text
 */
public record Entry(String key, long version, String value) {}

package io.podwire.route.bgp.codec;

/**
 * Something wrong with an attribute of an UPDATE.
 *
 * @param type its type code, 0 to 255
 * @param action what it leads to by itself
 * @param reason in words
 */
public record AttributeError(int type, ErrorAction action, String reason) {}

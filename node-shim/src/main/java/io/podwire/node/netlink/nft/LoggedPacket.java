package io.podwire.node.netlink.nft;

/**
 * A packet that a rule has logged.
 *
 * @param prefix the rule's
 * @param payload how it begins, from the IP header on
 */
public record LoggedPacket(String prefix, Octets payload) {}

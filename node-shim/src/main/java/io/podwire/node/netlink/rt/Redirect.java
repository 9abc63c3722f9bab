package io.podwire.node.netlink.rt;

/**
 * A filter of Podwire's: all that comes in by one device goes out of another, and nowhere else. An ifb hands it
 * back where it came in.
 *
 * @param ifindex where it comes in
 * @param target where it goes out; 0 when the kernel tells of a filter that does something else
 */
public record Redirect(int ifindex, int target) {}

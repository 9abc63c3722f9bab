package io.podwire.node.netlink.nft;

import java.util.Optional;

/**
 * What kind of set it is.
 *
 * @param flags NFT_SET_...
 * @param keyBytes length of its keys
 */
public record KernelSet(int flags, int keyBytes) {
    private static final int INTERVAL = 0x4;
    private static final int CONCATENATED = 0x80;

    /** True when its members are ranges. */
    public boolean isInterval() {
        return (flags & INTERVAL) != 0;
    }

    /** True when its members are ranges in several fields at once. */
    public boolean isConcatenatedInterval() {
        return isInterval() && (flags & CONCATENATED) != 0;
    }

    /**
     * A member, or an end of a range of members.
     *
     * @param key its key
     * @param verdict where a verdict map leads from there
     * @param data what another map has for it; no bytes: nothing
     * @param end true: a range that began before ends before this key
     */
    public record Member(Octets key, Optional<SetVerdict> verdict, Octets data, boolean end) {}
}

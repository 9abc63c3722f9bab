package io.podwire.ipam.core;

import io.podwire.common.net.NodeName;
import java.util.Set;

/**
 * A node, or installations of one, of which everything is to be taken back, as it was when that was first thought of.
 * What has changed since is not taken: somebody is alive.
 *
 * @param node its name
 * @param lives its installations that own blocks
 * @param addresses single addresses of pods on it
 */
public record GoneNode(NodeName node, Set<Life> lives, Set<SingleAddress> addresses) {
    /**
     * An installation.
     *
     * @param newest the newest epoch known of it
     * @param version of what is stored of it, which each claim, confirmation and release of its makes another one
     */
    public record Life(NodeEpoch newest, long version) {}

    /** Copies. */
    public GoneNode {
        lives = Set.copyOf(lives);
        addresses = Set.copyOf(addresses);
    }

    /** True when {@code later} shows no sign of life since: nothing is new, and no installation has written. */
    boolean sameAs(GoneNode later) {
        return lives.equals(later.lives) && addresses.containsAll(later.addresses);
    }
}

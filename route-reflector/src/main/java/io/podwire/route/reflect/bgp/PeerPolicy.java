package io.podwire.route.reflect.bgp;

import io.podwire.route.bgp.message.Community;
import io.podwire.route.bgp.message.LargeCommunity;
import java.util.List;

/**
 * What is taken from a neighbour and given to it.
 *
 * @param importRules what it may tell us
 * @param export what we tell it
 * @param communities set on what our nodes hold, at most 64
 * @param largeCommunities set on what our nodes hold, at most 64
 */
public record PeerPolicy(
        PrefixList importRules, Export export, List<Community> communities, List<LargeCommunity> largeCommunities) {
    private static final int MOST_COMMUNITIES = 64;

    /** Copies, and checks that a message holds them. */
    public PeerPolicy {
        communities = List.copyOf(communities);
        largeCommunities = List.copyOf(largeCommunities);
        if (communities.size() > MOST_COMMUNITIES || largeCommunities.size() > MOST_COMMUNITIES) {
            throw new IllegalArgumentException("communities and largeCommunities: at most " + MOST_COMMUNITIES
                    + " each, got " + communities.size() + " and " + largeCommunities.size());
        }
    }

    /** Takes nothing, and gives what our nodes hold and what is to be reflected. */
    public static final PeerPolicy DEFAULT =
            new PeerPolicy(PrefixList.NOTHING, new Export.Reflected(), List.of(), List.of());

    /** What a neighbour is told. */
    public sealed interface Export {
        /**
         * What nodes hold, or the aggregate in its place; to neighbours of our AS also what others told us. Of another AS's routes none is told
         * to a third one: RFC 8212.
         */
        record Reflected() implements Export {}

        /** What these rules permit, wherever it is from. */
        record Listed(PrefixList rules) implements Export {}
    }
}

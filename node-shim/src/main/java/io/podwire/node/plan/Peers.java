package io.podwire.node.plan;

import io.podwire.common.net.IpPrefix;
import io.podwire.node.nft.model.Field;
import io.podwire.node.nft.model.Match;
import io.podwire.node.nft.model.Value;
import java.util.Optional;

/** By what a rule knows the addresses of its peers of one family. */
sealed interface Peers {
    /** The match of a rule. */
    Match match(Field address);

    /**
     * A set, whose members come and go while the rule stays.
     *
     * @param name its nft name
     */
    record InSet(String name) implements Peers {
        @Override
        public Match match(Field address) {
            return Match.in(address, name);
        }
    }

    /** One block, which is in the rule itself: it never changes, and a set for each makes the kernel slow (ADR 0030). */
    record InBlock(IpPrefix block) implements Peers {
        @Override
        public Match match(Field address) {
            return Match.is(address, new Value.Network(block));
        }
    }

    /**
     * The block that this set is, and will be as long as it has its id: an ipBlock without exceptions. Sets of pods have
     * single addresses alone. All addresses of a family are no block: nft leaves such a match out, and with it the family.
     */
    static Optional<IpPrefix> block(AddressSet set) {
        return set.members().size() == 1
                ? Optional.of(set.members().getFirst())
                        .filter(only -> only.length() > 0
                                && only.length() < only.family().bits())
                : Optional.empty();
    }
}

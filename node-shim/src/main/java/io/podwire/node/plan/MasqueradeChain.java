package io.podwire.node.plan;

import io.podwire.common.net.IpFamily;
import io.podwire.node.nft.model.Action;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.ChainType;
import io.podwire.node.nft.model.Field;
import io.podwire.node.nft.model.Hook;
import io.podwire.node.nft.model.Match;
import io.podwire.node.nft.model.NftSet;
import io.podwire.node.nft.model.Rule;
import io.podwire.node.nft.model.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Gives what leaves the cluster the node's address. Policy judges flows by who opened them and who was called, which
 * this does not change.
 */
final class MasqueradeChain {
    /** Behind host ports' own translation of sources, at 100: a flow is translated once. */
    private static final int AFTER_HOST_PORTS = 110;

    private MasqueradeChain() {}

    /** The chain; empty when nobody's packets are masqueraded. */
    static Optional<Chain> chain(Masquerade masquerade, Set<IpFamily> families) {
        List<Rule> rules = new ArrayList<>();
        for (IpFamily family : families) {
            if (masquerade.sources(family).isEmpty()) {
                continue;
            }
            rules.add(Rule.of(new Verdict.Return(), Match.in(destination(family), kept(family))));
            rules.add(Rule.of(
                    new Action.Masquerade(true), Match.in(FamilyTerms.of(family).source(), sources(family))));
        }
        return rules.isEmpty()
                ? Optional.empty()
                : Optional.of(new Chain.Base("nat-outside", ChainType.NAT, Hook.POSTROUTING, AFTER_HOST_PORTS, rules));
    }

    /** Its sets. */
    static List<NftSet> sets(Masquerade masquerade, Set<IpFamily> families) {
        List<NftSet> sets = new ArrayList<>();
        for (IpFamily family : families) {
            if (!masquerade.sources(family).isEmpty()) {
                sets.add(new NftSet.Prefixes(
                        sources(family),
                        family,
                        "pods-with-the-nodes-address-outside",
                        true,
                        masquerade.sources(family)));
                sets.add(new NftSet.Prefixes(
                        kept(family), family, "where-pods-have-their-own", true, masquerade.kept(family)));
            }
        }
        return sets;
    }

    private static String sources(IpFamily family) {
        return "masquerade" + FamilyTerms.of(family).suffix();
    }

    private static String kept(IpFamily family) {
        return "unmasqueraded" + FamilyTerms.of(family).suffix();
    }

    private static Field destination(IpFamily family) {
        return switch (family) {
            case V4 -> Field.IP_DESTINATION;
            case V6 -> Field.IP6_DESTINATION;
        };
    }
}

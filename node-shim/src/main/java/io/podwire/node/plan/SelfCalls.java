package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.nft.model.Field;
import io.podwire.node.nft.model.Match;
import io.podwire.node.nft.model.NftSet;
import io.podwire.node.nft.model.Rule;
import io.podwire.node.nft.model.Value;
import io.podwire.node.nft.model.Verdict;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Pods that call themselves, by a port of the node or the address of a Service. Policy lets them ("a Pod cannot block
 * access to itself", NetworkPolicy's documentation).
 */
final class SelfCalls {
    private SelfCalls() {}

    /** Name of the set of pairs of such a pod's address with itself. */
    static String set(IpFamily family) {
        return "self" + FamilyTerms.of(family).suffix();
    }

    /** Rules of routed packets that let them pass. */
    static List<Rule> rules(List<Value> podSides, Set<IpFamily> families) {
        Match in = new Match.OneOf(Field.IIFNAME, podSides);
        Match out = new Match.OneOf(Field.OIFNAME, podSides);
        List<Rule> rules = new ArrayList<>();
        for (IpFamily family : families) {
            FamilyTerms terms = FamilyTerms.of(family);
            rules.add(Rule.of(
                    new Verdict.Return(),
                    in,
                    out,
                    new Match.InSet(List.of(terms.flowSource(), terms.flowDestination()), set(family))));
        }
        return rules;
    }

    /**
     * Their set of each family.
     *
     * @param services true: every pod may be behind a Service; false: those with host ports find themselves alone
     */
    static List<NftSet> sets(Collection<LocalEndpoint> endpoints, Set<IpFamily> families, boolean services) {
        List<NftSet> sets = new ArrayList<>();
        for (IpFamily family : families) {
            TreeSet<IpAddress> selves = new TreeSet<>();
            for (LocalEndpoint endpoint : endpoints) {
                if (services || endpoint.hostPorts().stream().anyMatch(port -> port.has(family))) {
                    endpoint.addresses().of(family).ifPresent(selves::add);
                }
            }
            sets.add(new NftSet.Selves(set(family), family, List.copyOf(selves)));
        }
        return sets;
    }
}

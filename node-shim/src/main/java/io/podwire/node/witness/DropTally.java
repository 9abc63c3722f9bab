package io.podwire.node.witness;

import io.podwire.node.netlink.nft.Expression;
import io.podwire.node.netlink.nft.KernelRule;
import io.podwire.node.netlink.nft.SetVerdict;
import io.podwire.node.plan.DropCause;
import java.time.Instant;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Adds up what dropping rules have counted, by cause, over rules that come and go. A rule's number is its own for good, so
 * one that was written anew counts from 0 again, and nothing twice. What it counted between the last look and its end
 * is lost. Belongs to one thread.
 */
final class DropTally {
    /** More causes than that are counted together. */
    static final int MOST = 500;

    private final Map<RuleId, Expression.Counter> seen = new HashMap<>();
    private final Map<DropCause, Count> counts = new LinkedHashMap<>();
    private Optional<Count> more = Optional.empty();
    private boolean looked;

    /** Which rule. */
    private record RuleId(int family, long handle) {}

    /** A rule of one of our tables; its family is NFPROTO_.... */
    record Found(int family, KernelRule rule) {}

    /**
     * What was counted of a cause since the first look.
     *
     * @param lastRisen the look that last found more; empty: none has yet
     */
    record Count(long packets, long bytes, Optional<Instant> lastRisen) {
        private static final Count NONE = new Count(0, 0, Optional.empty());

        Count plus(long morePackets, long moreBytes, Instant at) {
            return new Count(packets + morePackets, bytes + moreBytes, Optional.of(at));
        }
    }

    /** Takes all rules of our tables as they are now. The first look says only where counting begins. */
    void look(List<Found> rules, Instant at) {
        Map<RuleId, Expression.Counter> now = new HashMap<>();
        for (Found found : rules) {
            Optional<Expression.Counter> counter = dropped(found.rule());
            if (counter.isEmpty() || found.rule().comment().isEmpty()) {
                continue;
            }
            RuleId id = new RuleId(found.family(), found.rule().handle());
            Expression.Counter before = seen.getOrDefault(id, new Expression.Counter(0, 0));
            Expression.Counter after = counter.get();
            now.put(id, after);
            if (looked && after.packets() > before.packets()) {
                add(
                        DropCause.of(found.rule().chain(), found.rule().comment()),
                        after.packets() - before.packets(),
                        after.bytes() - before.bytes(),
                        at);
            }
        }
        seen.clear();
        seen.putAll(now);
        looked = true;
    }

    private void add(DropCause cause, long packets, long bytes, Instant at) {
        if (counts.containsKey(cause) || counts.size() < MOST) {
            counts.merge(cause, Count.NONE.plus(packets, bytes, at), (before, _) -> before.plus(packets, bytes, at));
        } else {
            more = Optional.of(more.orElse(Count.NONE).plus(packets, bytes, at));
        }
    }

    /** By cause, those that have dropped something since the first look. */
    Map<DropCause, Count> counts() {
        return Map.copyOf(counts);
    }

    /** Of all further causes together; empty when there are none. */
    Optional<Count> more() {
        return more;
    }

    /** The counter of a rule that drops whatever it counts. */
    private static Optional<Expression.Counter> dropped(KernelRule rule) {
        boolean drops = rule.expressions().stream()
                .anyMatch(e -> e instanceof Expression.Decide(SetVerdict v) && v.code() == SetVerdict.DROP);
        return rule.expressions().stream()
                .filter(_ -> drops)
                .filter(Expression.Counter.class::isInstance)
                .map(Expression.Counter.class::cast)
                .findFirst();
    }

    /** Most packets first. */
    static final Comparator<Map.Entry<DropCause, Count>> MOST_FIRST = Comparator.comparingLong(
                    (Map.Entry<DropCause, Count> e) -> -e.getValue().packets())
            .thenComparing(e -> e.getKey().toString());
}

package io.podwire.ipam.source;

import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.PoolUsage;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What to do about the difference between declared and stored pools. A pool that is declared no more drains while
 * blocks of it are owned, and is deleted once none is. A pool of another source is never touched.
 */
final class PoolPlan {
    private PoolPlan() {}

    /**
     * The steps, in order: what makes room comes first.
     *
     * @param missed stored pools that were missing before already: a pool is not withdrawn on one look
     */
    static List<PoolAction> decide(Declared declared, List<PoolUsage> stored, Set<String> missed) {
        List<PoolAction> withdrawals = new ArrayList<>();
        for (PoolUsage usage : stored) {
            if (declared.lacks(usage.pool()) && missed.contains(usage.pool().name())) {
                withdraw(usage, withdrawals);
            }
        }
        Map<String, Pool> byName =
                stored.stream().map(PoolUsage::pool).collect(Collectors.toMap(Pool::name, Function.identity()));
        List<PoolAction> changes = new ArrayList<>();
        List<PoolAction> creations = new ArrayList<>();
        declared.pools().forEach((name, pool) -> {
            Pool before = byName.get(name);
            if (before == null) {
                creations.add(new PoolAction.Create(pool));
            } else if (before.source().kind() != declared.kind()) {
                changes.add(new PoolAction.Refuse(
                        name,
                        "a pool of this name is there already, declared by " + before.source()
                                + ": it is left alone; delete that one, or use another name"));
            } else {
                List<PoolEdit> edits = edits(before, pool);
                if (!edits.isEmpty()) {
                    changes.add(new PoolAction.Change(name, edits));
                }
            }
        });
        List<PoolAction> steps = new ArrayList<>(withdrawals);
        steps.addAll(changes);
        steps.addAll(creations);
        return steps;
    }

    private static void withdraw(PoolUsage usage, List<PoolAction> steps) {
        Pool pool = usage.pool();
        if (usage.ownedBlocks() == 0) {
            steps.add(new PoolAction.Delete(pool.name()));
        } else if (pool.state() != PoolState.DRAINING) {
            steps.add(new PoolAction.Change(pool.name(), List.of(new PoolEdit.State(PoolState.DRAINING))));
        }
    }

    /** The fields that differ. */
    private static List<PoolEdit> edits(Pool before, Pool next) {
        List<PoolEdit> edits = new ArrayList<>();
        add(edits, before, next, Pool::cidr, PoolEdit.Cidr::new);
        add(edits, before, next, Pool::blockLength, PoolEdit.BlockLength::new);
        add(edits, before, next, Pool::state, PoolEdit.State::new);
        add(edits, before, next, Pool::reserved, PoolEdit.Reserved::new);
        add(edits, before, next, Pool::nodes, PoolEdit.Nodes::new);
        add(edits, before, next, Pool::namespaces, PoolEdit.Namespaces::new);
        add(edits, before, next, Pool::purpose, PoolEdit.Purpose::new);
        add(edits, before, next, Pool::coolDown, PoolEdit.Cooling::new);
        add(edits, before, next, Pool::drainPace, PoolEdit.Pace::new);
        add(edits, before, next, Pool::source, PoolEdit.Source::new);
        return edits;
    }

    private static <T> void add(
            List<PoolEdit> edits, Pool before, Pool next, Function<Pool, T> field, Function<T, PoolEdit> edit) {
        if (!field.apply(before).equals(field.apply(next))) {
            edits.add(edit.apply(field.apply(next)));
        }
    }
}

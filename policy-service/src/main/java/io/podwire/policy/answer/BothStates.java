package io.podwire.policy.answer;

import io.podwire.common.net.NodeName;
import io.podwire.policy.compile.IncrementalCompiler;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What policies mean now and what they would mean, both compiled in a compiler of their own.
 *
 * @param now judges by the programs of the snapshot
 * @param then judges by those of the snapshot with the change
 */
public record BothStates(Judge now, Judge then) {
    /**
     * Compiles both.
     *
     * @param policies policies that come, change and go; nothing else
     */
    public static BothStates of(PolicyCompiler compiler, ClusterSnapshot snapshot, ClusterDelta policies) {
        IncrementalCompiler incremental = whole(compiler, snapshot);
        Judge now = judge(incremental, snapshot.nodes().keySet());
        incremental.apply(policies);
        return new BothStates(now, judge(incremental, snapshot.nodes().keySet()));
    }

    /** The programs of some nodes in any snapshot. */
    public static Map<NodeName, NodeProgram> programs(
            PolicyCompiler compiler, ClusterSnapshot snapshot, Collection<NodeName> nodes) {
        return programs(whole(compiler, snapshot), nodes);
    }

    private static IncrementalCompiler whole(PolicyCompiler compiler, ClusterSnapshot snapshot) {
        IncrementalCompiler incremental = compiler.incremental();
        incremental.apply(ClusterDelta.ofObjects(ClusterSnapshot.EMPTY, snapshot));
        List<Change> nodes = new ArrayList<>();
        snapshot.nodes().forEach((node, endpoints) -> nodes.add(new Change.NodeSet(node, endpoints)));
        incremental.apply(new ClusterDelta(nodes));
        return incremental;
    }

    private static Judge judge(IncrementalCompiler compiler, Collection<NodeName> nodes) {
        return new Judge(programs(compiler, nodes)::get);
    }

    private static Map<NodeName, NodeProgram> programs(IncrementalCompiler compiler, Collection<NodeName> nodes) {
        Map<NodeName, NodeProgram> programs = new HashMap<>();
        nodes.forEach(node -> programs.put(node, compiler.program(node)));
        return programs;
    }
}

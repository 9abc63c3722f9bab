package io.podwire.policy.answer;

import io.podwire.common.net.NodeName;
import io.podwire.policy.model.Tier;
import java.util.List;

/** Why one direction of a connection passes, or does not. */
public sealed interface Ruling {
    /** True when it passes. */
    boolean passes();

    /** Policy holds for pods, and this end is none that it sees, or none whose node is known. */
    record NotJudged() implements Ruling {
        @Override
        public boolean passes() {
            return true;
        }
    }

    /** It never leaves the pod. */
    record WithinPod() implements Ruling {
        @Override
        public boolean passes() {
            return true;
        }
    }

    /** A pod can be reached from its own node. */
    record OwnNode(NodeName node) implements Ruling {
        @Override
        public boolean passes() {
            return true;
        }
    }

    /** No policy isolates the pod in this direction. */
    record NotIsolated(NodeName node) implements Ruling {
        @Override
        public boolean passes() {
            return true;
        }
    }

    /**
     * A rule allows it: the first that does.
     *
     * @param policy its policy, "namespace/name"
     * @param index its index in the policy's ingress or egress list
     * @param peer its peer that matched, as text; empty where it names none
     */
    record Allowed(NodeName node, String policy, int index, String peer) implements Ruling {
        @Override
        public boolean passes() {
            return true;
        }
    }

    /**
     * A rule of a cluster-wide policy decides: the first that matches and passes nothing on.
     *
     * @param tier of its policy, ADMIN or BASELINE
     * @param priority of its policy
     * @param policy its policy's name
     * @param index its index in the policy's ingress or egress list
     * @param name the rule's name; empty where it has none
     * @param peer its peer that matched, as text; empty where it is compiled closed and matches everyone
     */
    record ByTier(
            NodeName node, Tier tier, int priority, boolean passes, String policy, int index, String name, String peer)
            implements Ruling {}

    /** These policies isolate the pod, and none allows it. */
    record Isolated(NodeName node, List<String> policies) implements Ruling {
        /** Copies the list. */
        public Isolated {
            policies = List.copyOf(policies);
        }

        @Override
        public boolean passes() {
            return false;
        }
    }

    /** The node waits for the pod's object, and lets nothing pass. */
    record NotCovered(NodeName node) implements Ruling {
        @Override
        public boolean passes() {
            return false;
        }
    }
}

package io.podwire.node.plan;

import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Why a rule of ours drops packets, as its chain and its comment tell. */
public sealed interface DropCause {
    /** Which traffic of a pod. */
    enum Direction {
        /** To it. */
        INGRESS,
        /** From it. */
        EGRESS
    }

    /**
     * Policies isolate the pod, and none has a rule that allows it.
     *
     * @param policies "namespace/name"; of a list too long for a comment the last one says how many more
     */
    record DefaultDeny(Direction direction, List<String> policies) implements DropCause {
        /** Copies. */
        public DefaultDeny {
            policies = List.copyOf(policies);
        }

        @Override
        public String toString() {
            return "default deny by " + String.join(", ", policies);
        }
    }

    /**
     * A rule of a policy denies it.
     *
     * @param index from 0, of the rule in its policy's list
     */
    record ByRule(Direction direction, String policy, int index) implements DropCause {
        @Override
        public String toString() {
            return "rule " + index + " of " + policy;
        }
    }

    /** No policy: a rule that holds for every pod. */
    record Guard(String name) implements DropCause {
        @Override
        public String toString() {
            return name;
        }
    }

    /** The cause that a dropping rule of this chain with this comment counts. */
    static DropCause of(String chain, String comment) {
        if (chain.startsWith(EndpointChains.INGRESS)) {
            return ofPolicy(Direction.INGRESS, comment);
        }
        return chain.startsWith(EndpointChains.EGRESS) ? ofPolicy(Direction.EGRESS, comment) : new Guard(comment);
    }

    /** The cause that the prefix of a logged packet names. */
    static DropCause ofLogged(String prefix) {
        return of(
                prefix,
                prefix.startsWith(EndpointChains.INGRESS)
                        ? prefix.substring(EndpointChains.INGRESS.length())
                        : prefix.startsWith(EndpointChains.EGRESS)
                                ? prefix.substring(EndpointChains.EGRESS.length())
                                : prefix);
    }

    private static DropCause ofPolicy(Direction direction, String comment) {
        List<String> words = Arrays.asList(comment.split(":"));
        if (words.getFirst().equals(EndpointChains.DENIED)) {
            return new DefaultDeny(direction, words.subList(1, words.size()));
        }
        Matcher rule = Pattern.compile("(.+):([0-9]{1,9})").matcher(comment);
        return rule.matches()
                ? new ByRule(direction, rule.group(1), Integer.parseInt(rule.group(2)))
                : new Guard(comment);
    }
}

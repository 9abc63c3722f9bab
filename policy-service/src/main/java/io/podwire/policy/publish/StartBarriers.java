package io.podwire.policy.publish;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * Those who wait until the nodes enforce an endpoint. Decides from what it is shown; owned by the publisher's loop.
 *
 * <p>What counts is not a revision but the addresses: a node is there when each of its sets in the kernel holds or does not
 * hold them as its newest program says. So nobody waits for a change that is about others, and an address that another pod
 * had before is waited for where it is still taken for that one's.
 */
final class StartBarriers {
    private final List<Waiting> waiting = new ArrayList<>();

    /**
     * An endpoint.
     *
     * @param node that has it
     * @param key its key there
     * @param addresses all that it has
     */
    record Question(NodeName node, String key, Set<IpAddress> addresses) {
        Question {
            addresses = Set.copyOf(addresses);
        }
    }

    /** A node that lags, and why. */
    record Laggard(NodeName node, String reason) {}

    /**
     * Who does not enforce it.
     *
     * @param servedNodes how many nodes have a stream to this replica
     */
    record Answer(List<Laggard> laggards, int servedNodes, long revision) {
        Answer {
            laggards = List.copyOf(laggards);
        }
    }

    /** How a node stands to its program. */
    sealed interface Standing {
        /**
         * What its kernel holds differs from its program.
         *
         * @param acked revision of what it holds
         * @param due revision of its program
         */
        record Behind(Settling rest, long acked, long due) implements Standing {}

        /** What its kernel holds is not known, or it may come back any moment. */
        record Unknown(String reason) implements Standing {}

        /** It is away for long: it is named, and not waited for. */
        record Away(String reason) implements Standing {}
    }

    /**
     * What is so now.
     *
     * @param compiled whether programs are those of the newest state; else nobody is there yet
     * @param known the addresses of an endpoint as its node told them; empty: it has not
     * @param standings of the nodes that may lag, by name
     */
    record View(
            boolean compiled,
            Function<Question, Optional<Set<IpAddress>>> known,
            Map<NodeName, Standing> standings,
            int servedNodes,
            long revision) {}

    /** One that waits. */
    static final class Waiting {
        private final Question question;
        private final CompletableFuture<Answer> answer;

        private Waiting(Question question, CompletableFuture<Answer> answer) {
            this.question = question;
            this.answer = answer;
        }
    }

    /** True while nobody waits: then there is nothing to look for. */
    boolean isEmpty() {
        return waiting.isEmpty();
    }

    Waiting add(Question question, CompletableFuture<Answer> answer) {
        Waiting one = new Waiting(question, answer);
        waiting.add(one);
        return one;
    }

    /** Answers those whose nodes are there, but for those that are away. */
    void look(View view) {
        waiting.removeIf(one -> one.answer.isDone());
        if (!view.compiled()) {
            return;
        }
        for (Waiting one : List.copyOf(waiting)) {
            if (view.servedNodes() == 0 || awaited(one.question, view).isEmpty()) {
                waiting.remove(one);
                one.answer.complete(answer(one.question, view));
            }
        }
    }

    /** Answers one as things are, unless it is answered already. */
    void over(Waiting one, View view) {
        if (waiting.remove(one)) {
            one.answer.complete(answer(one.question, view));
        }
    }

    private static Answer answer(Question question, View view) {
        List<Laggard> laggards = new ArrayList<>(awaited(question, view));
        view.standings().forEach((node, standing) -> {
            if (standing instanceof Standing.Away(String reason)) {
                laggards.add(new Laggard(node, reason));
            }
        });
        return new Answer(laggards, view.servedNodes(), view.revision());
    }

    private static Collection<Laggard> awaited(Question question, View view) {
        Map<NodeName, Laggard> laggards = new HashMap<>();
        view.standings().forEach((node, standing) -> {
            switch (standing) {
                case Standing.Behind(Settling rest, long acked, long due) -> {
                    if (rest.about(question.addresses())) {
                        laggards.put(
                                node,
                                new Laggard(
                                        node,
                                        "it has acknowledged revision " + acked + ", and its program changed at "
                                                + due));
                    }
                }
                case Standing.Unknown(String reason) -> laggards.put(node, new Laggard(node, reason));
                case Standing.Away _ -> {}
            }
        });
        if (!view.known().apply(question).equals(Optional.of(question.addresses()))) {
            laggards.put(
                    question.node(),
                    new Laggard(question.node(), "it has not told of the endpoint " + question.key() + " yet"));
        } else if (!view.compiled()) {
            laggards.put(question.node(), new Laggard(question.node(), "the objects have not all been read yet"));
        }
        return laggards.values();
    }
}

package io.podwire.policy.publish;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.NodeName;
import io.podwire.policy.answer.Draw;
import io.podwire.policy.answer.Ends;
import io.podwire.policy.answer.Explanation;
import io.podwire.policy.answer.Judge;
import io.podwire.policy.compile.PortRange;
import io.podwire.policy.model.Protocol;
import io.podwire.proto.policy.v1.Witness;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Draws a connection now and then, and compares what this service says of it with what the kernels of its nodes say. A
 * difference counts when a second look, at a state that holds still, finds it too. One thread calls it.
 */
public final class WitnessSampler {
    private static final Logger log = LoggerFactory.getLogger(WitnessSampler.class);
    private static final int LOOKS = 2;

    private final Publisher publisher;
    private final NodeQuestions questions;
    private final Witnesses witnesses;
    private final Draw draw;
    private final Counter agreed;
    private final Counter mismatches;
    private final Counter untold;

    /** A sampler that has not drawn anything yet. */
    public WitnessSampler(Publisher publisher, NodeQuestions questions, RandomGenerator random, MeterRegistry meters) {
        this.publisher = publisher;
        this.questions = questions;
        this.witnesses = new Witnesses(questions);
        this.draw = new Draw(random);
        this.agreed = samples(meters, "agreed");
        this.untold = samples(meters, "untold");
        this.mismatches = Counter.builder("podwire.policy.witness.mismatch")
                .description(
                        "Connections drawn at random of which a node's kernel said otherwise than what was compiled")
                .register(meters);
    }

    private static Counter samples(MeterRegistry meters, String result) {
        return Counter.builder("podwire.policy.witness.samples")
                .tag("result", result)
                .description("Connections drawn at random: a node's kernel agreed, or could not be compared, as while a"
                        + " change is under way")
                .register(meters);
    }

    /** What is compared: a connection, and what was compiled for it. */
    private record Sample(Ends.Pair pair, Protocol protocol, int port) {}

    /** What one look found of a node. */
    private enum Finding {
        AGREES,
        DIFFERS,
        UNTOLD
    }

    /** Draws one connection and compares. Waits for nodes, 2 s at most each time. */
    public void sample() {
        try {
            Set<NodeName> asked = questions.nodes();
            Optional<Ends.Pair> pair =
                    draw.pair(new Ends(publisher.enforcement(_ -> Set.of()).snapshot()), asked);
            if (pair.isPresent()) {
                compare(pair.get(), asked);
            }
        } catch (ServiceException e) {
            log.debug("no connection was compared: {}", e.getMessage());
        }
    }

    private void compare(Ends.Pair pair, Set<NodeName> asked) {
        Publisher.Enforcement state = state(pair);
        PortRange port = draw.port(new Judge(state.programs()::get), pair);
        Sample sample = new Sample(pair, port.protocol(), port.first());
        for (NodeName node : new TreeSet<>(state.programs().keySet())) {
            if (asked.contains(node)) {
                compare(sample, node);
            }
        }
    }

    private void compare(Sample sample, NodeName node) {
        Finding finding = Finding.UNTOLD;
        for (int i = 0; i < LOOKS; i++) {
            Publisher.Enforcement before = state(sample.pair());
            Ends ends = new Ends(before.snapshot());
            Ends.Pair now = new Ends.Pair(
                    ends.at(sample.pair().source().address()),
                    ends.at(sample.pair().destination().address()));
            if (!now.equals(sample.pair())) {
                finding = Finding.UNTOLD; // a pod has come or gone
                break;
            }
            Explanation explanation = new Judge(before.programs()::get)
                    .explain(sample.pair().source(), sample.pair().destination(), sample.protocol(), sample.port());
            Optional<Witness> witness = witnesses.of(explanation, sample.protocol(), sample.port()).stream()
                    .filter(w -> w.getNode().equals(node.value()))
                    .findFirst();
            finding = finding(before, state(sample.pair()), node, witness);
            if (finding == Finding.AGREES) {
                break;
            }
            if (finding == Finding.DIFFERS && i == LOOKS - 1) {
                tell(explanation, sample, node, witness.orElseThrow());
            }
        }
        switch (finding) {
            case AGREES -> agreed.increment();
            case DIFFERS -> mismatches.increment();
            case UNTOLD -> untold.increment();
        }
    }

    /** Only what a node enforces before and after can be compared. */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // a node that is not asked has none
    private static Finding finding(
            Publisher.Enforcement before, Publisher.Enforcement after, NodeName node, Optional<Witness> witness) {
        boolean still = before.revision() == after.revision()
                && before.enforcing().contains(node)
                && after.enforcing().contains(node);
        if (!still || witness.isEmpty() || !Witnesses.told(witness.get())) {
            return Finding.UNTOLD;
        }
        return witness.get().getAgrees() ? Finding.AGREES : Finding.DIFFERS;
    }

    private Publisher.Enforcement state(Ends.Pair pair) {
        return publisher.enforcement(snapshot -> {
            Set<NodeName> nodes = pair.judges();
            nodes.retainAll(snapshot.nodes().keySet());
            return nodes;
        });
    }

    private static void tell(Explanation explanation, Sample sample, NodeName node, Witness witness) {
        log.error(
                "node {} enforces something else than what was compiled: {} to {}, {} port {}: compiled {}, its kernel"
                        + " says {}{}; `podwire audit` on the node compares all rules",
                node,
                explanation.source().address(),
                explanation.destination().address(),
                sample.protocol(),
                sample.port(),
                explanation.passesAt(node) ? "passes" : "is denied",
                witness.getVerdict().getOutcome(),
                witness.getVerdict().getChain().isEmpty()
                        ? ""
                        : " in chain " + witness.getVerdict().getChain() + " by "
                                + witness.getVerdict().getRule());
    }
}

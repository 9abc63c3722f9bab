package io.podwire.policy.answer;

import io.podwire.common.net.IpAddress;
import io.podwire.policy.model.Protocol;
import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;

/**
 * A connection that a node has seen.
 *
 * @param source who opened it
 * @param destination whom it reached, of the same family
 * @param protocol by which protocol
 * @param port to which port
 */
public record RecordedFlow(IpAddress source, IpAddress destination, Protocol protocol, int port) {
    /** Checks the families. */
    public RecordedFlow {
        if (source.family() != destination.family()) {
            throw new IllegalArgumentException(source + " and " + destination + " are of two families");
        }
    }

    /**
     * One whose verdict would change.
     *
     * @param allowed true: it would pass and does not now
     */
    public record Flip(End source, End destination, Protocol protocol, int port, boolean allowed) {}

    /** Those of some connections whose verdict would change, in their order, each once. */
    public static List<Flip> flips(BothStates states, Ends ends, Collection<RecordedFlow> flows) {
        return flows.stream()
                .distinct()
                .flatMap(flow -> {
                    End source = ends.at(flow.source());
                    End destination = ends.at(flow.destination());
                    boolean before = states.now()
                            .explain(source, destination, flow.protocol(), flow.port())
                            .allowed();
                    boolean after = states.then()
                            .explain(source, destination, flow.protocol(), flow.port())
                            .allowed();
                    return before == after
                            ? Stream.empty()
                            : Stream.of(new Flip(source, destination, flow.protocol(), flow.port(), after));
                })
                .toList();
    }
}

package io.podwire.node.cni.request;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.node.plan.StartBarrier;
import io.podwire.node.plan.StartBarrier.Scope;
import java.time.Duration;
import java.time.format.DateTimeParseException;

/**
 * Reads who must know a pod before its ADD is answered: the pod's annotation, else the configuration's keys, else what
 * the node usually does. Pure.
 */
public final class StartBarrierReader {
    private static final String SCOPE = "startBarrier";
    private static final String LONGEST = "startBarrierTimeout";

    private StartBarrierReader() {}

    /**
     * Reads it.
     *
     * @param config the network configuration; not changed
     * @param usual where nothing is said
     * @throws RequestException naming what is wrong and what is allowed
     */
    public static StartBarrier read(ObjectNode config, StartBarrier usual) throws RequestException {
        CaselessObject keys = CaselessObject.of("", config);
        String annotated =
                Annotations.read(PodRequestReader.declared(keys)).getOrDefault(Annotations.START_BARRIER, "");
        Scope scope = annotated.isEmpty()
                ? scope(keys.at(SCOPE), keys.text(SCOPE), usual.scope())
                : scope("annotation " + Annotations.START_BARRIER, annotated, usual.scope());
        String longest = keys.text(LONGEST);
        if (longest.isEmpty()) {
            return new StartBarrier(scope, usual.longest());
        }
        try {
            return new StartBarrier(scope, Duration.parse(longest));
        } catch (DateTimeParseException | IllegalArgumentException e) {
            throw RequestException.invalid(
                    keys.at(LONGEST),
                    "it must be an ISO-8601 duration from " + StartBarrier.LEAST + " to " + StartBarrier.MOST
                            + ", got \"" + longest + "\"");
        }
    }

    private static Scope scope(String path, String said, Scope usual) throws RequestException {
        if (said.isEmpty()) {
            return usual;
        }
        return Scope.of(said)
                .orElseThrow(() -> RequestException.invalid(path, "it must be node or cluster, got \"" + said + "\""));
    }
}

package io.podwire.policy.service;

import com.google.common.collect.Iterables;
import java.util.Collection;
import java.util.List;
import java.util.function.Predicate;

/**
 * Which endpoints of a port a node uses, as kube-proxy chooses them (pkg/proxy/topology.go, CategorizeEndpoints): those that
 * are ready, and where none is those that are about to end and still answer. Hints count for policy Cluster alone, when every
 * ready endpoint has one and one of them is for this node, or else for its zone.
 *
 * @param cluster for traffic under policy Cluster
 * @param local for traffic under policy Local
 * @param hasEndpoints true when some node has an endpoint that takes traffic
 * @param preference the hints that were followed
 */
public record EndpointChoice(
        List<PortEndpoint> cluster, List<PortEndpoint> local, boolean hasEndpoints, Preference preference) {
    /** Hints to follow. */
    public enum Preference {
        /** None. */
        ANYWHERE,
        /** Those for nodes. */
        SAME_NODE,
        /** Those for zones. */
        SAME_ZONE
    }

    /**
     * What becomes of an endpoint.
     *
     * @param endpoint the endpoint
     * @param chosen traffic under policy Cluster may go there
     * @param chosenLocally traffic under policy Local may
     * @param reason why, or why not, for people
     */
    public record Verdict(PortEndpoint endpoint, boolean chosen, boolean chosenLocally, String reason) {}

    /** Copies the lists. */
    public EndpointChoice {
        cluster = List.copyOf(cluster);
        local = List.copyOf(local);
    }

    /**
     * Chooses.
     *
     * @param traffic which kinds of traffic the port has
     * @param endpoints all of the port, no address and port twice; the order is kept
     * @param place whose view it is
     */
    public static EndpointChoice of(Traffic traffic, Collection<PortEndpoint> endpoints, Place place) {
        Preference preference = traffic.usesCluster() ? preference(endpoints, place) : Preference.ANYWHERE;
        List<PortEndpoint> cluster = traffic.usesCluster()
                ? readyElseLastResort(endpoints, endpoint -> isFor(endpoint, preference, place))
                : List.of();
        List<PortEndpoint> local = traffic.usesLocal()
                ? readyElseLastResort(
                        endpoints.stream()
                                .filter(endpoint -> endpoint.isOn(place))
                                .toList(),
                        _ -> true)
                : List.of();
        boolean any = endpoints.stream().anyMatch(endpoint -> endpoint.isReady() || endpoint.isLastResort());
        return new EndpointChoice(cluster, local, any, preference);
    }

    /** When one is preferred it is ready: so only where none is ready at all the others are looked at. */
    private static List<PortEndpoint> readyElseLastResort(
            Collection<PortEndpoint> endpoints, Predicate<PortEndpoint> preferred) {
        List<PortEndpoint> ready = endpoints.stream()
                .filter(PortEndpoint::isReady)
                .filter(preferred)
                .toList();
        return ready.isEmpty()
                ? endpoints.stream().filter(PortEndpoint::isLastResort).toList()
                : ready;
    }

    private static Preference preference(Collection<PortEndpoint> endpoints, Place place) {
        Iterable<PortEndpoint> ready = Iterables.filter(endpoints, PortEndpoint::isReady);
        if (Iterables.all(ready, endpoint -> !endpoint.hints().nodes().isEmpty())
                && Iterables.any(ready, endpoint -> isFor(endpoint, Preference.SAME_NODE, place))) {
            return Preference.SAME_NODE;
        }
        if (Iterables.all(ready, endpoint -> !endpoint.hints().zones().isEmpty())
                && Iterables.any(ready, endpoint -> isFor(endpoint, Preference.SAME_ZONE, place))) {
            return Preference.SAME_ZONE;
        }
        return Preference.ANYWHERE;
    }

    private static boolean isFor(PortEndpoint endpoint, Preference preference, Place place) {
        return switch (preference) {
            case ANYWHERE -> true;
            case SAME_NODE ->
                !place.node().isEmpty() && endpoint.hints().nodes().contains(place.node());
            case SAME_ZONE ->
                !place.zone().isEmpty() && endpoint.hints().zones().contains(place.zone());
        };
    }

    /** Why each endpoint is used or not; the arguments are those of {@link #of}. */
    public static List<Verdict> explain(Traffic traffic, Collection<PortEndpoint> endpoints, Place place) {
        EndpointChoice choice = of(traffic, endpoints, place);
        return endpoints.stream()
                .map(endpoint -> {
                    boolean chosen = choice.cluster.contains(endpoint);
                    boolean locally = choice.local.contains(endpoint);
                    return new Verdict(
                            endpoint, chosen, locally, choice.reason(traffic, endpoint, chosen, locally, place));
                })
                .toList();
    }

    private String reason(Traffic traffic, PortEndpoint endpoint, boolean chosen, boolean locally, Place place) {
        if (!endpoint.isReady() && !endpoint.isLastResort()) {
            return endpoint.conditions().terminating() ? "terminating, and it does not answer any more" : "not ready";
        }
        String forLocal = !traffic.usesLocal()
                ? ""
                : locally
                        ? "under policy Local: it is on this node"
                        : endpoint.isOn(place)
                                ? "not under policy Local: others on this node are ready"
                                : "not under policy Local: " + elsewhere(endpoint);
        String state = state(traffic, endpoint, chosen, locally);
        String forCluster = traffic.usesCluster() && endpoint.isReady() ? hint(endpoint, chosen, place) : "";
        return String.join(
                "; ",
                List.of(state, forCluster, forLocal).stream()
                        .filter(part -> !part.isEmpty())
                        .toList());
    }

    private static String state(Traffic traffic, PortEndpoint endpoint, boolean chosen, boolean locally) {
        if (endpoint.isReady()) {
            return "ready";
        }
        if (chosen) {
            return "terminating, but none is ready";
        }
        if (locally) {
            return "terminating, but none on this node is ready";
        }
        return traffic.usesCluster() ? "terminating, and others are ready" : "terminating";
    }

    private static String elsewhere(PortEndpoint endpoint) {
        return endpoint.node().isEmpty() ? "it is on no node" : "it is on node " + endpoint.node();
    }

    private String hint(PortEndpoint endpoint, boolean chosen, Place place) {
        String zones = String.join(", ", endpoint.hints().zones());
        String nodes = String.join(", ", endpoint.hints().nodes());
        return switch (preference) {
            case SAME_NODE ->
                chosen ? "its hint is this node" : "its hint is node " + nodes + " and this node is " + place.node();
            case SAME_ZONE ->
                chosen
                        ? "its hint is this node's zone " + place.zone()
                        : "its hint is zone " + zones + " and this node is in zone " + place.zone();
            case ANYWHERE -> {
                if (zones.isEmpty() && nodes.isEmpty()) {
                    yield "";
                }
                yield nodes.isEmpty() && place.zone().isEmpty()
                        ? "its hint does not count, as this node has no zone"
                        : "its hint does not count, as not every ready endpoint has one or none is for this node";
            }
        };
    }
}

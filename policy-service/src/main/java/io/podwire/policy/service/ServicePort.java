package io.podwire.policy.service;

import java.util.List;

/**
 * One port of a Service in one family, as one node has it.
 *
 * @param front what every node has
 * @param clusterEndpoints where traffic under policy Cluster goes, sorted
 * @param localEndpoints where traffic under policy Local goes, sorted
 * @param hasEndpoints true when some node has an endpoint that takes traffic
 * @param readyHere how many ready endpoints of the Service the node has, 0 or more, those of several ports counted once
 */
public record ServicePort(
        ServiceFront front,
        List<ServiceEndpoint> clusterEndpoints,
        List<ServiceEndpoint> localEndpoints,
        boolean hasEndpoints,
        int readyHere) {
    /** Copies the lists. */
    public ServicePort {
        clusterEndpoints = List.copyOf(clusterEndpoints);
        localEndpoints = List.copyOf(localEndpoints);
    }

    static ServicePort of(ServiceFront front, List<PortEndpoint> endpoints, Place place, int readyHere) {
        EndpointChoice choice = EndpointChoice.of(front.traffic(), endpoints, place);
        return new ServicePort(
                front,
                choice.cluster().stream()
                        .map(endpoint -> ServiceEndpoint.of(endpoint, place))
                        .toList(),
                choice.local().stream()
                        .map(endpoint -> ServiceEndpoint.of(endpoint, place))
                        .toList(),
                choice.hasEndpoints(),
                readyHere);
    }

    /** The front's. */
    public String id() {
        return front.id();
    }
}

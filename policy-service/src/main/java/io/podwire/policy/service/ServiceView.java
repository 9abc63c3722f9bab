package io.podwire.policy.service;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.policy.model.EndpointSlice;
import io.podwire.policy.model.EndpointSlice.Backend;
import io.podwire.policy.model.Service;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A Service with its endpoints at one moment, and what nodes make of it. Never changes; remembers what it has computed, so one
 * thread uses it.
 *
 * <p>Nodes without endpoints of the Service that are in the same zone have the same, which is computed once for all of them and
 * kept. What a node with endpoints has is computed when it is asked for, and not kept.
 */
public final class ServiceView {
    /** No Service. */
    public static final ServiceView ABSENT = new ServiceView(Optional.empty(), List.of());

    private final Optional<Service> service;
    private final List<EndpointSlice> slices;
    private final List<ServiceFront> fronts;
    /** By zone; "" where zones do not matter. */
    private final Map<String, List<ServicePort>> elsewhere = new HashMap<>();

    private Optional<Merged> merged = Optional.empty();

    /**
     * What the slices say together.
     *
     * @param endpoints by the front's id
     * @param nodes those that have an endpoint, or that a hint names
     * @param zoned whether there is a hint for a zone
     */
    private record Merged(Map<String, List<PortEndpoint>> endpoints, Set<String> nodes, boolean zoned) {}

    private ServiceView(Optional<Service> service, Collection<EndpointSlice> slices) {
        this.service = service;
        this.slices = List.copyOf(slices);
        this.fronts = service.map(ServiceFront::of).orElse(List.of());
    }

    static ServiceView of(Service service, Collection<EndpointSlice> slices) {
        return new ServiceView(Optional.of(service), slices);
    }

    /** True when it is of the same objects. */
    boolean isOf(Service other, Collection<EndpointSlice> otherSlices) {
        return service.isPresent() && service.get().equals(other) && slices.equals(List.copyOf(otherSlices));
    }

    /** The Service; empty: there is none. */
    public Optional<Service> service() {
        return service;
    }

    /** Its ports by family, as every node has them; none where it is not served. */
    public List<ServiceFront> fronts() {
        return fronts;
    }

    /** Endpoints of a port, by address and port. */
    public List<PortEndpoint> endpoints(ServiceFront front) {
        return merged().endpoints().getOrDefault(front.id(), List.of());
    }

    /** Whether it matters in which zone a node is. */
    public boolean isZoned() {
        return !fronts.isEmpty() && merged().zoned();
    }

    /** What a node has of it. */
    public List<ServicePort> ports(Place place) {
        if (fronts.isEmpty()) {
            return List.of();
        }
        if (merged().nodes().contains(place.node())) {
            return compute(place);
        }
        return elsewhere.computeIfAbsent(merged().zoned() ? place.zone() : "", zone -> compute(new Place("", zone)));
    }

    private List<ServicePort> compute(Place place) {
        return fronts.stream()
                .map(front -> ServicePort.of(front, endpoints(front), place, readyOn(place, front.family())))
                .toList();
    }

    private int readyOn(Place place, IpFamily family) {
        Set<IpAddress> ready = new HashSet<>();
        if (!place.node().isEmpty()) {
            backends(family)
                    .filter(backend ->
                            backend.conditions().ready() && backend.node().equals(place.node()))
                    .forEach(backend -> ready.add(backend.address()));
        }
        return ready.size();
    }

    /** A slice without ports has endpoints that nothing can be sent to. */
    private Stream<Backend> backends(IpFamily family) {
        return slices.stream()
                .filter(slice -> slice.family() == family && !slice.ports().isEmpty())
                .flatMap(slice -> slice.backends().stream());
    }

    /**
     * How many endpoints there are.
     *
     * @param serving that take traffic
     * @param all of them
     */
    public record Count(int serving, int all) {}

    /** Its endpoints, each counted once however many ports it has, and once for each family it has. */
    public Count count() {
        Set<IpAddress> all = new HashSet<>();
        Set<IpAddress> ready = new HashSet<>();
        Set<IpAddress> last = new HashSet<>();
        slices.forEach(slice -> slice.backends().forEach(backend -> {
            all.add(backend.address());
            if (backend.conditions().ready()) {
                ready.add(backend.address());
            } else if (backend.conditions().serving() && backend.conditions().terminating()) {
                last.add(backend.address());
            }
        }));
        return new Count(ready.isEmpty() ? last.size() : ready.size(), all.size());
    }

    private Merged merged() {
        if (merged.isEmpty()) {
            merged = Optional.of(merge());
        }
        return merged.get();
    }

    private Merged merge() {
        Map<String, List<PortEndpoint>> endpoints = new HashMap<>();
        Set<String> nodes = new HashSet<>();
        boolean zoned = false;
        for (ServiceFront front : fronts) {
            endpoints.put(front.id(), merge(front));
        }
        for (EndpointSlice slice : slices) {
            for (Backend backend : slice.backends()) {
                nodes.add(backend.node());
                nodes.addAll(backend.hints().nodes());
                zoned |= !backend.hints().zones().isEmpty();
            }
        }
        nodes.remove("");
        return new Merged(endpoints, nodes, zoned);
    }

    private List<PortEndpoint> merge(ServiceFront front) {
        List<PortEndpoint> all = new ArrayList<>();
        for (EndpointSlice slice : slices) {
            if (slice.family() == front.family()) {
                for (EndpointSlice.Port port : slice.ports()) {
                    if (port.name().equals(front.port().name())
                            && port.protocol() == front.port().protocol()) {
                        slice.backends()
                                .forEach(backend -> all.add(new PortEndpoint(
                                        backend.address(),
                                        port.port(),
                                        backend.conditions(),
                                        backend.node(),
                                        backend.pod(),
                                        backend.hints())));
                    }
                }
            }
        }
        all.sort(PortEndpoint.ORDER);
        List<PortEndpoint> once = new ArrayList<>();
        for (PortEndpoint endpoint : all) {
            if (once.isEmpty() || !once.getLast().isSameAs(endpoint)) {
                once.add(endpoint);
            }
        }
        return List.copyOf(once);
    }
}

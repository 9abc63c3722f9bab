package io.podwire.policy.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.testing.Seeds;
import io.podwire.policy.model.EndpointSlice;
import io.podwire.policy.model.Service;
import io.podwire.policy.model.ServiceKey;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** What is kept up change by change is what the objects mean. */
class ServiceCatalogPropertyTest {
    /** Every port of every Service as a node has it: the slow way, which knows no views and shares nothing. */
    private static SortedMap<String, ServicePort> scratch(ClusterSnapshot snapshot, String node) {
        String zone = snapshot.clusterNodes().containsKey(node)
                ? snapshot.clusterNodes().get(node).labels().getOrDefault(Place.ZONE_LABEL, "")
                : "";
        SortedMap<String, ServicePort> out = new TreeMap<>();
        for (Service service : snapshot.services().values()) {
            for (ServiceFront front : ServiceFront.of(service)) {
                List<EndpointSlice> slices = snapshot.slices().values().stream()
                        .filter(slice -> slice.service().equals(service.key()) && slice.family() == front.family())
                        .toList();
                List<PortEndpoint> all = new ArrayList<>();
                Set<Object> here = new HashSet<>();
                slices.forEach(slice -> slice.ports()
                        .forEach(port -> slice.backends().forEach(backend -> {
                            if (port.name().equals(front.port().name())) {
                                all.add(new PortEndpoint(
                                        backend.address(),
                                        port.port(),
                                        backend.conditions(),
                                        backend.node(),
                                        backend.pod(),
                                        backend.hints()));
                            }
                            if (backend.conditions().ready() && backend.node().equals(node)) {
                                here.add(backend.address());
                            }
                        })));
                all.sort(PortEndpoint.ORDER);
                List<PortEndpoint> once = new ArrayList<>();
                all.stream()
                        .filter(endpoint -> once.stream().noneMatch(endpoint::isSameAs))
                        .forEach(once::add);
                out.put(front.id(), ServicePort.of(front, once, new Place(node, zone), here.size()));
            }
        }
        return out;
    }

    private static SortedMap<String, ServicePort> ports(
            ServiceCatalog catalog, Map<ServiceKey, ServiceView> views, String node) {
        SortedMap<String, ServicePort> out = new TreeMap<>();
        views.values().forEach(view -> view.ports(catalog.place(node)).forEach(port -> out.put(port.id(), port)));
        return out;
    }

    @Test
    void equalsWhatIsComputedFromScratch() {
        Seeds.forEach(ServiceCatalogPropertyTest.class, 100, random -> {
            RandomServices changes = new RandomServices(random);
            ServiceCatalog catalog = new ServiceCatalog();
            ClusterSnapshot snapshot = ClusterSnapshot.EMPTY;
            for (int step = 0; step < 40; step++) {
                ClusterDelta delta = changes.delta();
                Map<ServiceKey, ServiceView> then = new TreeMap<>(catalog.views());
                ServiceCatalog.Before before = catalog.apply(delta);
                snapshot = delta.applyTo(snapshot);
                for (String node : RandomServices.NODES) {
                    assertThat(ports(catalog, catalog.views(), node))
                            .as("step %d, %s", step, node)
                            .isEqualTo(scratch(snapshot, node));
                }
                // What changed, undone, is what there was.
                Map<ServiceKey, ServiceView> undone = new TreeMap<>(catalog.views());
                before.views().forEach((key, view) -> {
                    if (view.service().isEmpty()) {
                        undone.remove(key);
                    } else {
                        undone.put(key, view);
                    }
                });
                assertThat(undone).as("step %d", step).isEqualTo(then);
            }
        });
    }

    @Test
    void nodesElsewhereShareWhatTheyHave() {
        Seeds.forEach(ServiceCatalogPropertyTest.class, 20, random -> {
            RandomServices changes = new RandomServices(random);
            ServiceCatalog catalog = new ServiceCatalog();
            for (int step = 0; step < 60; step++) {
                var _ = catalog.apply(changes.delta());
            }
            Map<ServiceKey, List<ServicePort>> first = new HashMap<>();
            catalog.views().forEach((key, view) -> first.put(key, view.ports(new Place("far-1", "zone-a"))));
            catalog.views()
                    .forEach((key, view) ->
                            assertThat(view.ports(new Place("far-2", "zone-a"))).isSameAs(first.get(key)));
        });
    }
}

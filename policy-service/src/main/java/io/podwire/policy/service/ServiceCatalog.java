package io.podwire.policy.service;

import io.podwire.common.net.IpAddress;
import io.podwire.policy.model.ClusterNode;
import io.podwire.policy.model.EndpointSlice;
import io.podwire.policy.model.Service;
import io.podwire.policy.model.ServiceKey;
import io.podwire.policy.model.SliceKey;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The Services of the cluster, change by change: a change of one is a new view of that one alone, and costs as much as it has
 * slices. Belongs to one thread.
 */
public final class ServiceCatalog {
    private final Map<ServiceKey, Service> services = new HashMap<>();
    private final Map<ServiceKey, SortedMap<SliceKey, EndpointSlice>> slices = new HashMap<>();
    private final Map<SliceKey, ServiceKey> owners = new HashMap<>();
    private final Map<String, ClusterNode> nodes = new HashMap<>();
    private final NavigableMap<ServiceKey, ServiceView> views = new TreeMap<>();

    /**
     * What was otherwise before some changes.
     *
     * @param views of Services; {@link ServiceView#ABSENT} of those that were not there
     * @param zones of nodes
     */
    public record Before(Map<ServiceKey, ServiceView> views, Map<String, String> zones) {
        /** Copies the maps. */
        public Before {
            views = Map.copyOf(views);
            zones = Map.copyOf(zones);
        }
    }

    /** Takes changes in. */
    public Before apply(ClusterDelta delta) {
        Set<ServiceKey> touched = new HashSet<>();
        Map<String, String> zones = new HashMap<>();
        for (Change change : delta.changes()) {
            switch (change) {
                case Change.OfServices ofServices -> apply(ofServices, touched);
                case Change.ClusterNodeSet(var node) -> {
                    zones.putIfAbsent(node.name(), zone(node.name()));
                    nodes.put(node.name(), node);
                }
                case Change.ClusterNodeGone(var name) -> {
                    zones.putIfAbsent(name, zone(name));
                    nodes.remove(name);
                }
                case Change.PodSet _,
                        Change.PodGone _,
                        Change.NamespaceSet _,
                        Change.NamespaceGone _,
                        Change.PolicySet _,
                        Change.PolicyGone _,
                        Change.ClusterPolicySet _,
                        Change.ClusterPolicyGone _,
                        Change.NodeSet _,
                        Change.EndpointSet _,
                        Change.EndpointGone _ -> {}
            }
        }
        zones.entrySet().removeIf(before -> before.getValue().equals(zone(before.getKey())));
        Map<ServiceKey, ServiceView> before = new HashMap<>();
        touched.forEach(key -> renew(key).ifPresent(old -> before.put(key, old)));
        return new Before(before, zones);
    }

    private void apply(Change.OfServices change, Set<ServiceKey> touched) {
        switch (change) {
            case Change.ServiceSet(var service) -> {
                services.put(service.key(), service);
                touched.add(service.key());
            }
            case Change.ServiceGone(var key) -> {
                services.remove(key);
                touched.add(key);
            }
            case Change.SliceSet(var slice) -> {
                // Its label may name another Service than before.
                if (!slice.service().equals(owners.get(slice.key()))) {
                    disown(slice.key(), touched);
                }
                owners.put(slice.key(), slice.service());
                slices.computeIfAbsent(slice.service(), _ -> new TreeMap<>()).put(slice.key(), slice);
                touched.add(slice.service());
            }
            case Change.SliceGone(var key) -> disown(key, touched);
        }
    }

    private void disown(SliceKey key, Set<ServiceKey> touched) {
        ServiceKey owner = owners.remove(key);
        if (owner != null) {
            slices.computeIfPresent(owner, (_, of) -> {
                of.remove(key);
                return of.isEmpty() ? null : of;
            });
            touched.add(owner);
        }
    }

    /** Empty: nothing is otherwise. */
    private Optional<ServiceView> renew(ServiceKey key) {
        ServiceView old = view(key);
        Service service = services.get(key);
        if (service == null) {
            return Optional.ofNullable(views.remove(key));
        }
        Collection<EndpointSlice> of =
                slices.getOrDefault(key, Collections.emptySortedMap()).values();
        if (old.isOf(service, of)) {
            return Optional.empty();
        }
        views.put(key, ServiceView.of(service, of));
        return Optional.of(old);
    }

    /** A Service as it is now. */
    public ServiceView view(ServiceKey key) {
        return views.getOrDefault(key, ServiceView.ABSENT);
    }

    /** Every Service as it is now; only to be read. */
    public NavigableMap<ServiceKey, ServiceView> views() {
        return Collections.unmodifiableNavigableMap(views);
    }

    /** Where a node is. */
    public Place place(String node) {
        return new Place(node, zone(node));
    }

    private String zone(String node) {
        ClusterNode object = nodes.get(node);
        return object == null ? "" : object.labels().getOrDefault(Place.ZONE_LABEL, "");
    }

    /** True when it is an address of a node. */
    public boolean isOfNode(IpAddress address) {
        return nodes.values().stream().anyMatch(node -> node.addresses().contains(address));
    }
}

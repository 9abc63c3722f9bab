package io.podwire.policy.publish;

import io.podwire.common.net.NodeName;
import io.podwire.policy.model.ServiceKey;
import io.podwire.policy.service.Place;
import io.podwire.policy.service.ServiceCatalog;
import io.podwire.policy.service.ServicePort;
import io.podwire.policy.service.ServiceView;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A node with a stream of Services, and what it has not been told. Owned by the service publisher's loop.
 *
 * <p>What it was told is not kept: of a Service that has not changed since it is what the catalog says, and of one that has the
 * view before the first such change is remembered until the node is told of it.
 */
final class ServiceFollower {
    /** Ports of an update. */
    static final int MOST_PORTS = 500;
    /** Endpoints of an update, some 25 bytes each: a message is refused that is larger than 4 MB. */
    static final int MOST_ENDPOINTS = 20_000;

    private final ServiceCatalog catalog;
    private final ServiceStream stream;
    private final NodeName node;
    private final int mostPorts;
    /** Services that changed since the node was told of them: as what. */
    private final NavigableMap<ServiceKey, Told> pending = new TreeMap<>();
    /** The last Service of the first state that it was told of. */
    private Optional<ServiceKey> cursor = Optional.empty();

    private boolean complete;

    private record Told(ServiceView view, Place place) {}

    /**
     * One update.
     *
     * @param changed ports new or changed
     * @param removed ids of those that are gone
     * @param complete whether the node knows everything then
     */
    record Part(List<ServicePort> changed, List<String> removed, boolean complete) {
        Part {
            changed = List.copyOf(changed);
            removed = List.copyOf(removed);
        }
    }

    /** Updates to send one after the other: what is in them counts as told. */
    record Step(List<Part> parts) {
        Step {
            parts = List.copyOf(parts);
        }
    }

    /**
     * One that knows nothing.
     *
     * @param mostPorts ports of an update, 1 or more; a Service is told of as a whole
     */
    ServiceFollower(ServiceCatalog catalog, ServiceStream stream, NodeName node, int mostPorts) {
        this.mostPorts = mostPorts;
        this.catalog = catalog;
        this.stream = stream;
        this.node = node;
    }

    ServiceStream stream() {
        return stream;
    }

    /** The catalog changed. */
    void changed(ServiceCatalog.Before before) {
        Place now = catalog.place(node.value());
        Place then = new Place(now.node(), before.zones().getOrDefault(node.value(), now.zone()));
        before.views().forEach((key, view) -> {
            if (isTold(key)) {
                pending.putIfAbsent(key, new Told(view, then));
            }
        });
        if (!then.equals(now)) {
            catalog.views().forEach((key, view) -> {
                if (isTold(key) && view.isZoned()) {
                    pending.putIfAbsent(key, new Told(view, then));
                }
            });
        }
    }

    /** False for those that the first state has yet to come to. */
    private boolean isTold(ServiceKey key) {
        return complete || (cursor.isPresent() && key.compareTo(cursor.get()) <= 0);
    }

    /** What to send next; empty: the node knows everything. */
    Optional<Step> next() {
        return complete ? later() : Optional.of(first());
    }

    private Step first() {
        Place place = catalog.place(node.value());
        NavigableMap<ServiceKey, ServiceView> rest =
                cursor.map(key -> catalog.views().tailMap(key, false)).orElse(catalog.views());
        Batch batch = new Batch();
        for (Map.Entry<ServiceKey, ServiceView> service : rest.entrySet()) {
            service.getValue().ports(place).forEach(batch::change);
            cursor = Optional.of(service.getKey());
            if (batch.isLarge()) {
                return batch.step(false, false);
            }
        }
        complete = true;
        return batch.step(false, true);
    }

    private Optional<Step> later() {
        Place place = catalog.place(node.value());
        Batch batch = new Batch();
        while (!pending.isEmpty() && !batch.isLarge()) {
            Map.Entry<ServiceKey, Told> told = pending.pollFirstEntry();
            Map<String, ServicePort> before = new HashMap<>();
            told.getValue().view().ports(told.getValue().place()).forEach(port -> before.put(port.id(), port));
            for (ServicePort port : catalog.view(told.getKey()).ports(place)) {
                if (!port.equals(before.remove(port.id()))) {
                    batch.change(port);
                }
            }
            before.keySet().stream().sorted().forEach(batch::remove);
        }
        return batch.isEmpty() ? Optional.empty() : Optional.of(batch.step(true, true));
    }

    /** Updates in the making, cut where one becomes large. What changes of a Service is in one, unless that is large by itself. */
    private final class Batch {
        private final List<Part> parts = new ArrayList<>();
        private List<ServicePort> changed = new ArrayList<>();
        private List<String> removed = new ArrayList<>();
        private int endpoints;

        void change(ServicePort port) {
            if (endpoints >= MOST_ENDPOINTS) {
                cut();
            }
            changed.add(port);
            endpoints += port.clusterEndpoints().size() + port.localEndpoints().size();
        }

        void remove(String id) {
            removed.add(id);
        }

        private void cut() {
            parts.add(new Part(changed, removed, true));
            changed = new ArrayList<>();
            removed = new ArrayList<>();
            endpoints = 0;
        }

        boolean isLarge() {
            return !parts.isEmpty() || changed.size() + removed.size() >= mostPorts || endpoints >= MOST_ENDPOINTS;
        }

        boolean isEmpty() {
            return parts.isEmpty() && changed.isEmpty() && removed.isEmpty();
        }

        /**
         * The updates.
         *
         * @param before whether the node knows everything already
         * @param after whether it does then
         */
        Step step(boolean before, boolean after) {
            cut();
            List<Part> out = new ArrayList<>();
            for (int i = 0; i < parts.size(); i++) {
                Part part = parts.get(i);
                out.add(new Part(part.changed(), part.removed(), i < parts.size() - 1 ? before : after));
            }
            return new Step(out);
        }
    }
}

package io.podwire.node.dataplane;

import io.podwire.node.netlink.RtnetlinkEvent;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Events that wait for a look: of each object the last one, since what was before it is not true any more. For any thread. */
final class PendingEvents {
    /** More objects than this, and everything is looked at. */
    private static final int MOST = 10_000;

    private final Map<List<Object>, RtnetlinkEvent> byObject = new LinkedHashMap<>();

    /** Takes an event; true when it is the first since the last {@link #take}. */
    synchronized boolean add(RtnetlinkEvent event) {
        boolean first = byObject.isEmpty();
        List<Object> object = object(event);
        // The last of an object is handed on last, as it was told.
        byObject.remove(object);
        if (byObject.size() < MOST) {
            byObject.put(object, event);
        } else {
            byObject.clear();
            byObject.put(List.of("all"), new RtnetlinkEvent.Lost());
        }
        return first;
    }

    /** All there are, the oldest first. */
    synchronized List<RtnetlinkEvent> take() {
        List<RtnetlinkEvent> all = List.copyOf(byObject.values());
        byObject.clear();
        return all;
    }

    private static List<Object> object(RtnetlinkEvent event) {
        return switch (event) {
            case RtnetlinkEvent.LinkChanged(var link) -> List.of("link", link.index());
            case RtnetlinkEvent.LinkGone(int index) -> List.of("link", index);
            case RtnetlinkEvent.PortChanged(int index, var _) -> List.of("port", index);
            case RtnetlinkEvent.AddressChanged(var a) -> List.of("address", a.ifindex(), a.address());
            case RtnetlinkEvent.AddressGone(var a) -> List.of("address", a.ifindex(), a.address());
            case RtnetlinkEvent.RouteChanged(var r) -> List.of("route", r.destination(), r.table(), r.metric());
            case RtnetlinkEvent.RouteGone(var r) -> List.of("route", r.destination(), r.table(), r.metric());
            case RtnetlinkEvent.NeighbourChanged(var n) -> List.of("neighbour", n.ifindex(), n.address());
            case RtnetlinkEvent.NeighbourGone(var n) -> List.of("neighbour", n.ifindex(), n.address());
            case RtnetlinkEvent.FdbChanged(var e) -> List.of("fdb", e.ifindex(), e.mac());
            case RtnetlinkEvent.FdbGone(var e) -> List.of("fdb", e.ifindex(), e.mac());
            case RtnetlinkEvent.Lost _ -> List.of("all");
        };
    }
}

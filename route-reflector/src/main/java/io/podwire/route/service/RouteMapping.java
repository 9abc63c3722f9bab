package io.podwire.route.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.NodeName;
import io.podwire.proto.route.v1.Announcement;
import io.podwire.proto.route.v1.RefusalReason;
import io.podwire.proto.route.v1.RefusedPrefix;
import io.podwire.proto.route.v1.RouteDelta;
import io.podwire.proto.route.v1.RouteEntry;
import io.podwire.proto.route.v1.RouteUpdate;
import io.podwire.route.reflect.ReaderUpdate;
import io.podwire.route.rib.NodeEpoch;
import io.podwire.route.rib.NodeRoute;
import io.podwire.route.rib.Overlay;
import io.podwire.route.rib.Refusal;
import io.podwire.route.rib.RibDelta;
import io.podwire.route.rib.RibEntry;
import io.podwire.route.rib.ServiceAddresses;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * Between the API's messages and the RIB's records. What comes in is checked here: a failure is an
 * INVALID_ARGUMENT whose message begins with the field's name.
 */
final class RouteMapping {
    /** The protocol level spoken, and the lowest one understood. */
    static final int PROTOCOL = 1;

    static final int MAX_PREFIXES = 4096;
    static final int MAX_SERVICE_ADDRESSES = 4096;
    private static final int MAX_ID_LENGTH = 128;

    private RouteMapping() {}

    static NodeEpoch epoch(io.podwire.proto.common.v1.NodeEpoch proto) {
        NodeName node = parse("node.node", proto.getNode(), NodeName::new);
        String uid = parse("node.node_uid", proto.getNodeUid(), RouteMapping::id);
        String bootId = parse("node.boot_id", proto.getBootId(), RouteMapping::id);
        if (proto.getCounter() < 1) {
            throw invalid("node.counter: must be 1 to 2^63 - 1, got " + Long.toUnsignedString(proto.getCounter()));
        }
        return new NodeEpoch(node, uid, bootId, proto.getCounter());
    }

    static NodeRoute route(io.podwire.proto.route.v1.NodeRoute proto) {
        NodeName node = parse("route.node", proto.getNode(), NodeName::new);
        if (proto.getPrefixesCount() > MAX_PREFIXES) {
            throw invalid("route.prefixes: at most " + MAX_PREFIXES + ", got " + proto.getPrefixesCount());
        }
        List<IpPrefix> prefixes = proto.getPrefixesList().stream()
                .map(text -> parse("route.prefixes", text, IpPrefix::parse))
                .toList();
        Overlay overlay = overlay(proto);
        try {
            return new NodeRoute(node, underlay(proto), overlay, prefixes);
        } catch (IllegalArgumentException e) {
            throw invalid("route." + e.getMessage());
        }
    }

    static ServiceAddresses services(Announcement announcement) {
        if (!announcement.hasServiceAddresses()) {
            return new ServiceAddresses.Unknown();
        }
        List<String> texts = announcement.getServiceAddresses().getAddressesList();
        if (texts.size() > MAX_SERVICE_ADDRESSES) {
            throw invalid("service_addresses.addresses: at most " + MAX_SERVICE_ADDRESSES + ", got " + texts.size());
        }
        return new ServiceAddresses.Of(texts.stream()
                .map(text -> parse("service_addresses.addresses", text, IpAddress::parse))
                .toList());
    }

    static io.podwire.proto.common.v1.NodeEpoch toProto(NodeEpoch epoch) {
        return io.podwire.proto.common.v1.NodeEpoch.newBuilder()
                .setNode(epoch.node().value())
                .setNodeUid(epoch.nodeUid())
                .setBootId(epoch.bootId())
                .setCounter(epoch.counter())
                .build();
    }

    static io.podwire.proto.route.v1.NodeRoute toProto(NodeRoute route) {
        var proto = io.podwire.proto.route.v1.NodeRoute.newBuilder()
                .setNode(route.node().value())
                .setUnderlayAddress(route.underlay().getFirst().address().toString())
                .setUnderlayLength(route.underlay().getFirst().length());
        route.underlay().stream()
                .skip(1)
                .forEach(second -> proto.setUnderlayAddressIpv6(second.address().toString())
                        .setUnderlayLengthIpv6(second.length()));
        switch (route.overlay()) {
            case Overlay.None _ -> {}
            case Overlay.Vxlan(MacAddress mac, IpAddress address) ->
                proto.setVtepMac(mac.toString()).setVtepAddress(address.toString());
        }
        route.prefixes().forEach(prefix -> proto.addPrefixes(prefix.toString()));
        return proto.build();
    }

    static RouteEntry toProto(RibEntry entry, List<Refusal> refusals) {
        RouteEntry.Builder proto = RouteEntry.newBuilder()
                .setRoute(toProto(entry.route()))
                .setEpoch(toProto(entry.epoch()))
                .setConnected(entry.connected());
        entry.services().forEach(address -> proto.addServiceAddresses(address.toString()));
        refusals.forEach(refusal -> proto.addRefused(toProto(refusal)));
        return proto.build();
    }

    static RefusedPrefix toProto(Refusal refusal) {
        return RefusedPrefix.newBuilder()
                .setPrefix(refusal.prefix().toString())
                .setReason(
                        switch (refusal.reason()) {
                            case NOT_OWNED -> RefusalReason.REFUSAL_REASON_NOT_OWNED;
                            case OWNED_BY_OTHER -> RefusalReason.REFUSAL_REASON_OWNED_BY_OTHER;
                            case STALE_EPOCH -> RefusalReason.REFUSAL_REASON_STALE_EPOCH;
                            case UNKNOWN -> RefusalReason.REFUSAL_REASON_UNKNOWN;
                            case NOT_OF_SERVICES -> RefusalReason.REFUSAL_REASON_NOT_OF_SERVICES;
                        })
                .setMessage(refusal.why())
                .build();
    }

    static RouteUpdate toProto(String epoch, ReaderUpdate update) {
        RouteUpdate.Builder proto = RouteUpdate.newBuilder().setEpoch(epoch).setSequence(update.sequence());
        switch (update) {
            case ReaderUpdate.Full(long _, List<NodeRoute> routes) -> {
                var full = proto.getFullBuilder();
                routes.forEach(route -> full.addRoutes(toProto(route)));
            }
            case ReaderUpdate.Delta(long _, RibDelta(List<NodeRoute> updated, List<NodeName> removed)) -> {
                RouteDelta.Builder delta = proto.getDeltaBuilder();
                updated.forEach(route -> delta.addUpdated(toProto(route)));
                removed.forEach(node -> delta.addRemoved(node.value()));
            }
            case ReaderUpdate.Refused(long _, List<Refusal> refusals) -> {
                var refused = proto.setDelta(RouteDelta.getDefaultInstance()).getRefusedBuilder();
                refusals.forEach(refusal -> refused.addPrefixes(toProto(refusal)));
            }
        }
        return proto.build();
    }

    /** Reads one field; its name is put before the parser's own message. */
    static <T> T parse(String field, String text, Function<String, T> parser) {
        try {
            return parser.apply(text);
        } catch (IllegalArgumentException e) {
            throw invalid(field + ": " + e.getMessage());
        }
    }

    static ServiceException invalid(String message) {
        return new ServiceException(ErrorReason.INVALID_ARGUMENT, message);
    }

    private static List<NodeRoute.Underlay> underlay(io.podwire.proto.route.v1.NodeRoute proto) {
        List<NodeRoute.Underlay> ends = new ArrayList<>();
        ends.add(new NodeRoute.Underlay(
                parse("route.underlay_address", proto.getUnderlayAddress(), IpAddress::parse),
                proto.getUnderlayLength()));
        if (!proto.getUnderlayAddressIpv6().isEmpty()) {
            ends.add(new NodeRoute.Underlay(
                    parse("route.underlay_address_ipv6", proto.getUnderlayAddressIpv6(), IpAddress::parse),
                    proto.getUnderlayLengthIpv6()));
        }
        return ends;
    }

    private static Overlay overlay(io.podwire.proto.route.v1.NodeRoute proto) {
        if (proto.getVtepMac().isEmpty() && proto.getVtepAddress().isEmpty()) {
            return new Overlay.None();
        }
        if (proto.getVtepMac().isEmpty() || proto.getVtepAddress().isEmpty()) {
            throw invalid("route.vtep_mac and route.vtep_address: both or neither, got '" + proto.getVtepMac()
                    + "' and '" + proto.getVtepAddress() + "'");
        }
        IpAddress address = parse("route.vtep_address", proto.getVtepAddress(), IpAddress::parse);
        return parse("route.vtep_mac", proto.getVtepMac(), text -> new Overlay.Vxlan(MacAddress.parse(text), address));
    }

    private static String id(String text) {
        if (text.isEmpty() || text.length() > MAX_ID_LENGTH || text.chars().anyMatch(c -> c <= ' ' || c > '~')) {
            throw new IllegalArgumentException(
                    "must be 1 to " + MAX_ID_LENGTH + " printable ASCII characters without spaces");
        }
        return text;
    }
}

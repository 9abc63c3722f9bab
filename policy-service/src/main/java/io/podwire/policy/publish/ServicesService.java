package io.podwire.policy.publish;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.common.service.Handshakes;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.model.Service;
import io.podwire.policy.model.ServiceKey;
import io.podwire.policy.service.EndpointChoice;
import io.podwire.policy.service.Place;
import io.podwire.policy.service.ServiceCatalog;
import io.podwire.policy.service.ServiceFront;
import io.podwire.policy.service.ServicePort;
import io.podwire.policy.service.ServiceView;
import io.podwire.proto.policy.v1.ExplainServiceRequest;
import io.podwire.proto.policy.v1.ExplainServiceResponse;
import io.podwire.proto.policy.v1.ListServicesRequest;
import io.podwire.proto.policy.v1.ListServicesResponse;
import io.podwire.proto.policy.v1.ServiceSummary;
import io.podwire.proto.policy.v1.ServiceUpdate;
import io.podwire.proto.policy.v1.ServicesGrpc;
import io.podwire.proto.policy.v1.WatchServicesRequest;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.function.Predicate;

/** podwire.policy.v1.Services: checks what comes in and hands it to the publisher. */
public final class ServicesService extends ServicesGrpc.ServicesImplBase {
    private static final int PROTOCOL = 1;
    private static final int MAX_PAGE = 1000;

    private final ServicePublisher publisher;

    /** The service over a publisher. */
    public ServicesService(ServicePublisher publisher) {
        this.publisher = publisher;
    }

    @Override
    public void watchServices(WatchServicesRequest request, StreamObserver<ServiceUpdate> out) {
        Handshakes.check(request.getHandshake(), PROTOCOL);
        NodeName node;
        try {
            node = new NodeName(request.getNode());
        } catch (IllegalArgumentException e) {
            throw new ServiceException(ErrorReason.INVALID_ARGUMENT, "watching services: " + e.getMessage(), e);
        }
        var call = (ServerCallStreamObserver<ServiceUpdate>) out;
        ServiceStream stream = new ServiceStream(call);
        call.setOnReadyHandler(() -> publisher.ready(stream, node));
        call.setOnCancelHandler(() -> publisher.gone(stream, node));
        publisher.watch(stream, node);
    }

    @Override
    public void listServices(ListServicesRequest request, StreamObserver<ListServicesResponse> out) {
        if (request.getPageSize() < 0 || request.getPageSize() > MAX_PAGE) {
            throw new ServiceException(
                    ErrorReason.INVALID_ARGUMENT,
                    "listing services: page_size must be 0 to " + MAX_PAGE + ", got " + request.getPageSize());
        }
        int size = request.getPageSize() == 0 ? MAX_PAGE : request.getPageSize();
        // The token is the last key of the page before: a page goes on behind it whatever came or went.
        Optional<ServiceKey> last = lastOfPage(request.getPageToken());
        // Messages are made on the loop: a view is not to be used beside it.
        out.onNext(publisher.ask(catalog -> {
            ListServicesResponse.Builder response = ListServicesResponse.newBuilder();
            NavigableMap<ServiceKey, ServiceView> all = catalog.views();
            for (var each : last.map(key -> all.tailMap(key, false)).orElse(all).entrySet()) {
                Optional<Service> service = each.getValue().service();
                String namespace = each.getKey().namespace();
                if (service.isEmpty()
                        || !(request.getNamespace().isEmpty()
                                || request.getNamespace().equals(namespace))) {
                    continue;
                }
                if (response.getServicesCount() == size) {
                    ServiceSummary end = response.getServices(size - 1);
                    response.setNextPageToken(new ServiceKey(end.getNamespace(), end.getName()).toString());
                    break;
                }
                response.addServices(ServicePortMapping.summary(service.get(), each.getValue()));
            }
            return response.build();
        }));
        out.onCompleted();
    }

    private static Optional<ServiceKey> lastOfPage(String token) {
        if (token.isEmpty()) {
            return Optional.empty();
        }
        try {
            int slash = token.indexOf('/');
            return Optional.of(new ServiceKey(token.substring(0, Math.max(slash, 0)), token.substring(slash + 1)));
        } catch (IllegalArgumentException e) {
            throw new ServiceException(
                    ErrorReason.INVALID_ARGUMENT,
                    "listing services: page_token must be the next_page_token of an answer, got '" + token + "'",
                    e);
        }
    }

    @Override
    public void explainService(ExplainServiceRequest request, StreamObserver<ExplainServiceResponse> out) {
        Question question;
        try {
            question = Question.of(request);
        } catch (IllegalArgumentException e) {
            throw new ServiceException(ErrorReason.INVALID_ARGUMENT, "explaining a service: " + e.getMessage(), e);
        }
        out.onNext(publisher.ask(question::answer));
        out.onCompleted();
    }

    /** Who answers there, seen from a node; an empty name is none. */
    private record Question(IpAddress address, int port, Protocol protocol, String node) {
        static Question of(ExplainServiceRequest request) {
            int port = request.getPort();
            if (port < 1 || port > 65535) {
                throw new IllegalArgumentException("port must be 1 to 65535, got " + Integer.toUnsignedString(port));
            }
            return new Question(
                    IpAddress.parse(request.getAddress()),
                    port,
                    request.getProtocolValue() == 0
                            ? Protocol.TCP
                            : ServicePortMapping.fromProto(request.getProtocol()),
                    request.getNode().isEmpty() ? "" : new NodeName(request.getNode()).value());
        }

        ExplainServiceResponse answer(ServiceCatalog catalog) {
            Found found =
                    find(catalog).orElseThrow(() -> new ServiceException(ErrorReason.NOT_FOUND, missing(catalog)));
            Place place = node.isEmpty() ? Place.NOWHERE : catalog.place(node);
            ServiceFront front = found.front();
            ServicePort seen = found.view().ports(place).stream()
                    .filter(candidate -> candidate.id().equals(front.id()))
                    .findFirst()
                    .orElseThrow();
            ExplainServiceResponse.Builder response = ExplainServiceResponse.newBuilder()
                    .setPort(ServicePortMapping.toProto(seen))
                    .setAddressKind(found.kind());
            EndpointChoice.explain(front.traffic(), found.view().endpoints(front), place)
                    .forEach(verdict -> response.addEndpoints(ServicePortMapping.toProto(verdict, place)));
            return response.build();
        }

        private record Found(ServiceView view, ServiceFront front, String kind) {}

        private Optional<Found> find(ServiceCatalog catalog) {
            return find(
                            catalog,
                            "cluster IP",
                            front -> isAt(front) && front.clusterIp().equals(address))
                    .or(() -> find(
                            catalog,
                            "load balancer IP",
                            front -> isAt(front) && front.loadBalancerIps().contains(address)))
                    .or(() -> find(
                            catalog,
                            "external IP",
                            front -> isAt(front) && front.externalIps().contains(address)))
                    .or(() -> catalog.isOfNode(address)
                            ? find(catalog, "node port", this::isNodePort)
                            : Optional.empty());
        }

        private Optional<Found> find(ServiceCatalog catalog, String kind, Predicate<ServiceFront> matches) {
            for (ServiceView view : catalog.views().values()) {
                for (ServiceFront front : view.fronts()) {
                    if (front.port().protocol() == protocol
                            && front.family() == address.family()
                            && matches.test(front)) {
                        return Optional.of(new Found(view, front, kind));
                    }
                }
            }
            return Optional.empty();
        }

        private boolean isAt(ServiceFront front) {
            return front.port().port() == port;
        }

        private boolean isNodePort(ServiceFront front) {
            return front.port().nodePort() == port;
        }

        /** What is nearest to what was asked for. */
        private String missing(ServiceCatalog catalog) {
            String asked = "no service answers at " + address + " port " + port + "/" + protocol;
            Optional<Found> nodePort = find(catalog, "", this::isNodePort);
            if (nodePort.isPresent()) {
                return asked + ": it is a node port of "
                        + nodePort.get().front().service() + ", but no node object has that address";
            }
            for (ServiceView view : catalog.views().values()) {
                for (ServiceFront front : view.fronts()) {
                    if (front.clusterIp().equals(address)
                            || front.externalIps().contains(address)
                            || front.loadBalancerIps().contains(address)) {
                        return asked + ": the address is that of " + front.service() + ", whose ports are "
                                + ServicePortMapping.ports(view.service().orElseThrow());
                    }
                }
                if (view.service().isPresent()
                        && view.service().get().clusterIps().contains(address)) {
                    return asked + ": the address is that of "
                            + view.service().get().key() + ", which is not served: "
                            + view.service().get().notServed();
                }
            }
            return asked + (catalog.isOfNode(address) ? ", which is an address of a node" : "")
                    + "; ListServices has all of them";
        }
    }
}

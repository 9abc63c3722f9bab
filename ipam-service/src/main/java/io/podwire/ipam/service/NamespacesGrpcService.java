package io.podwire.ipam.service;

import io.grpc.stub.StreamObserver;
import io.podwire.proto.ipam.v1.ListNamespaceUsagesRequest;
import io.podwire.proto.ipam.v1.ListNamespaceUsagesResponse;
import io.podwire.proto.ipam.v1.NamespaceUsage;
import io.podwire.proto.ipam.v1.NamespacesGrpc;
import java.util.List;
import java.util.Map;

/** podwire.ipam.v1.Namespaces. */
public final class NamespacesGrpcService extends NamespacesGrpc.NamespacesImplBase {
    private static final int LARGEST_PAGE = 10_000;

    private final NamespaceUse use;

    /** The service over what is counted. */
    public NamespacesGrpcService(NamespaceUse use) {
        this.use = use;
    }

    @Override
    public void listNamespaceUsages(
            ListNamespaceUsagesRequest request, StreamObserver<ListNamespaceUsagesResponse> answer) {
        String wanted = request.getNamespace();
        List<Map.Entry<String, NamespaceUse.Of>> all = use.read().entrySet().stream()
                .filter(of -> wanted.isEmpty() || of.getKey().equals(wanted))
                .toList();
        Page<Map.Entry<String, NamespaceUse.Of>> page = Page.of(
                all, of -> of.getKey().compareTo(request.getPageToken()) > 0, request.getPageSize(), LARGEST_PAGE);
        ListNamespaceUsagesResponse.Builder response = ListNamespaceUsagesResponse.newBuilder();
        page.items().forEach(of -> response.addUsages(toProto(of.getKey(), of.getValue())));
        if (page.more()) {
            response.setNextPageToken(page.last().getKey());
        }
        answer.onNext(response.build());
        answer.onCompleted();
    }

    private static NamespaceUsage toProto(String namespace, NamespaceUse.Of of) {
        NamespaceUsage.Builder usage = NamespaceUsage.newBuilder()
                .setNamespace(namespace)
                .setPodAddresses(of.pods())
                .setSingleAddresses(of.singles());
        of.quota().ifPresent(usage::setQuota);
        return usage.build();
    }
}

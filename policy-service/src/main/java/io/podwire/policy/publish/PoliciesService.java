package io.podwire.policy.publish;

import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.PolicyKey;
import io.podwire.proto.policy.v1.ListPoliciesRequest;
import io.podwire.proto.policy.v1.ListPoliciesResponse;
import io.podwire.proto.policy.v1.PoliciesGrpc;
import io.podwire.proto.policy.v1.Policy;
import java.util.List;
import java.util.Map;

/** podwire.policy.v1.Policies. */
public final class PoliciesService extends PoliciesGrpc.PoliciesImplBase {
    private static final int MAX_PAGE = 1000;

    private final Publisher publisher;
    private final PolicyCompiler compiler;

    /** The service over a publisher. */
    public PoliciesService(Publisher publisher, PolicyCompiler compiler) {
        this.publisher = publisher;
        this.compiler = compiler;
    }

    @Override
    public void listPolicies(ListPoliciesRequest request, StreamObserver<ListPoliciesResponse> out) {
        if (request.getPageSize() < 0 || request.getPageSize() > MAX_PAGE) {
            throw new ServiceException(
                    ErrorReason.INVALID_ARGUMENT,
                    "listing policies: page_size must be 0 to " + MAX_PAGE + ", got " + request.getPageSize());
        }
        int size = request.getPageSize() == 0 ? MAX_PAGE : request.getPageSize();
        Publisher.Current current = publisher.current();
        // The token is the last key of the page before: a page goes on behind it whatever came or went.
        List<NetworkPolicy> rest = current.snapshot().policies().values().stream()
                .filter(policy -> request.getNamespace().isEmpty()
                        || policy.key().namespace().equals(request.getNamespace()))
                .filter(policy -> isBehind(policy.key(), request.getPageToken()))
                .limit(size + 1L)
                .toList();
        List<NetworkPolicy> page = rest.subList(0, Math.min(size, rest.size()));
        Map<PolicyKey, Integer> selected = compiler.selectedPods(current.snapshot(), page);
        out.onNext(ListPoliciesResponse.newBuilder()
                .addAllPolicies(page.stream()
                        .map(policy -> Policy.newBuilder()
                                .setNamespace(policy.key().namespace())
                                .setName(policy.key().name())
                                .setSelectedPods(selected.getOrDefault(policy.key(), 0))
                                .setInvalid(policy.invalid())
                                .build())
                        .toList())
                .setNextPageToken(rest.size() > size ? page.getLast().key().toString() : "")
                .setRevision(current.revision())
                .build());
        out.onCompleted();
    }

    private static boolean isBehind(PolicyKey key, String token) {
        if (token.isEmpty()) {
            return true;
        }
        int slash = token.indexOf('/');
        try {
            return key.compareTo(new PolicyKey(token.substring(0, Math.max(slash, 0)), token.substring(slash + 1))) > 0;
        } catch (IllegalArgumentException e) {
            throw new ServiceException(
                    ErrorReason.INVALID_ARGUMENT, "listing policies: page_token '" + token + "' is not one of ours", e);
        }
    }
}

package io.podwire.policy.publish;

import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.model.ClusterPolicy;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.Tier;
import io.podwire.policy.snapshot.ClusterSnapshot;
import io.podwire.proto.policy.v1.ListPoliciesRequest;
import io.podwire.proto.policy.v1.ListPoliciesResponse;
import io.podwire.proto.policy.v1.PoliciesGrpc;
import io.podwire.proto.policy.v1.Policy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

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
        List<Listed> rest = all(current.snapshot())
                .filter(listed ->
                        request.getNamespace().isEmpty() || listed.namespace().equals(request.getNamespace()))
                .filter(listed -> isBehind(listed, request.getPageToken()))
                .limit(size + 1L)
                .toList();
        List<Listed> page = rest.subList(0, Math.min(size, rest.size()));
        out.onNext(ListPoliciesResponse.newBuilder()
                .addAllPolicies(messages(current.snapshot(), page))
                .setNextPageToken(rest.size() > size ? page.getLast().token() : "")
                .setRevision(current.revision())
                .build());
        out.onCompleted();
    }

    /** A policy by its place in the list. */
    private sealed interface Listed {
        String namespace();

        String name();

        default String token() {
            return namespace() + "/" + name();
        }

        record OfCluster(ClusterPolicy policy) implements Listed {
            @Override
            public String namespace() {
                return "";
            }

            @Override
            public String name() {
                return policy.name();
            }
        }

        record OfNamespace(NetworkPolicy policy) implements Listed {
            @Override
            public String namespace() {
                return policy.key().namespace();
            }

            @Override
            public String name() {
                return policy.key().name();
            }
        }
    }

    private static Stream<Listed> all(ClusterSnapshot snapshot) {
        return Stream.concat(
                snapshot.clusterPolicies().values().stream().map(Listed.OfCluster::new),
                snapshot.policies().values().stream().map(Listed.OfNamespace::new));
    }

    private List<Policy> messages(ClusterSnapshot snapshot, List<Listed> page) {
        List<NetworkPolicy> ofNamespaces = new ArrayList<>();
        List<ClusterPolicy> ofCluster = new ArrayList<>();
        for (Listed listed : page) {
            switch (listed) {
                case Listed.OfNamespace(var policy) -> ofNamespaces.add(policy);
                case Listed.OfCluster(var policy) -> ofCluster.add(policy);
            }
        }
        Map<PolicyKey, Integer> selected = compiler.selectedPods(snapshot, ofNamespaces);
        Map<String, Integer> subjects = compiler.subjects(snapshot, ofCluster);
        Map<PolicyKey, List<String>> nodes = compiler.selectedNodes(snapshot, ofNamespaces);
        Map<String, List<String>> nodesOfCluster = compiler.subjectNodes(snapshot, ofCluster);
        return page.stream()
                .map(listed -> switch (listed) {
                    case Listed.OfNamespace(var policy) ->
                        Policy.newBuilder()
                                .setNamespace(policy.key().namespace())
                                .setName(policy.key().name())
                                .setSelectedPods(selected.getOrDefault(policy.key(), 0))
                                .setInvalid(policy.invalid())
                                .setTier(TierMapping.toProto(Tier.NETWORK_POLICY))
                                .addAllNodes(nodes.get(policy.key()))
                                .build();
                    case Listed.OfCluster(var policy) ->
                        Policy.newBuilder()
                                .setName(policy.name())
                                .setSelectedPods(subjects.getOrDefault(policy.name(), 0))
                                .setInvalid(policy.invalid())
                                .setTier(TierMapping.toProto(policy.tier()))
                                .setPriority(policy.priority())
                                .addAllNodes(nodesOfCluster.get(policy.name()))
                                .build();
                })
                .toList();
    }

    private static boolean isBehind(Listed listed, String token) {
        if (token.isEmpty()) {
            return true;
        }
        int slash = token.indexOf('/');
        if (slash < 0 || slash == token.length() - 1 || token.indexOf('/', slash + 1) >= 0) {
            throw new ServiceException(
                    ErrorReason.INVALID_ARGUMENT, "listing policies: page_token '" + token + "' is not one of ours");
        }
        int byNamespace = listed.namespace().compareTo(token.substring(0, slash));
        return byNamespace != 0 ? byNamespace > 0 : listed.name().compareTo(token.substring(slash + 1)) > 0;
    }
}

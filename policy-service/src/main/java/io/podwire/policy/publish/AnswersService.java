package io.podwire.policy.publish;

import io.grpc.Context;
import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.policy.answer.End;
import io.podwire.policy.answer.End.Place;
import io.podwire.policy.answer.Ends;
import io.podwire.policy.answer.Judge;
import io.podwire.policy.answer.Party;
import io.podwire.policy.answer.Simulation;
import io.podwire.policy.answer.Simulator;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.model.Candidates;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import io.podwire.proto.policy.v1.AnswersGrpc;
import io.podwire.proto.policy.v1.ExplainTrafficRequest;
import io.podwire.proto.policy.v1.ExplainTrafficResponse;
import io.podwire.proto.policy.v1.PolicyChange;
import io.podwire.proto.policy.v1.PolicyChangeKind;
import io.podwire.proto.policy.v1.SimulatePoliciesRequest;
import io.podwire.proto.policy.v1.SimulatePoliciesResponse;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Semaphore;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** podwire.policy.v1.Answers: finds the state that a question is about and has it judged. */
public final class AnswersService extends AnswersGrpc.AnswersImplBase {
    private static final int MAX_MANIFESTS = 1 << 20;
    private static final int MAX_ADDRESSES = 100;
    private static final int DEFAULT_FLIPS = 1000;
    private static final int MAX_FLIPS = 100_000;

    private final Publisher publisher;
    private final PolicyCompiler compiler;
    private final Function<String, Candidates> manifests;
    /** Each compiles the whole cluster twice: the nodes' programs must not wait for two of them. */
    private final Semaphore simulations = new Semaphore(1);

    /**
     * The service over a publisher.
     *
     * @param manifests reads candidate policies; throws IllegalArgumentException when it cannot
     */
    public AnswersService(Publisher publisher, PolicyCompiler compiler, Function<String, Candidates> manifests) {
        this.publisher = publisher;
        this.compiler = compiler;
        this.manifests = manifests;
    }

    @Override
    public void explainTraffic(ExplainTrafficRequest request, StreamObserver<ExplainTrafficResponse> out) {
        Party source;
        Party destination;
        Protocol protocol;
        try {
            source = AnswerMapping.fromProto("source", request.getSource());
            destination = AnswerMapping.fromProto("destination", request.getDestination());
            protocol = ProgramMapping.fromProto(request.getProtocol());
            if (request.getPort() < 1 || request.getPort() > 65535) {
                throw new IllegalArgumentException(
                        "port must be 1 to 65535, got " + Integer.toUnsignedString(request.getPort()));
            }
        } catch (IllegalArgumentException e) {
            throw new ServiceException(ErrorReason.INVALID_ARGUMENT, "explaining traffic: " + e.getMessage(), e);
        }
        Publisher.Enforcement state = publisher.enforcement(snapshot -> {
            Ends ends = new Ends(snapshot);
            return Stream.of(source, destination)
                    .flatMap(party -> ends.of(party).stream())
                    .flatMap(AnswersService::node)
                    .collect(Collectors.toCollection(TreeSet::new));
        });
        Ends ends = new Ends(state.snapshot());
        List<Ends.Pair> pairs = Ends.pairs(ends(ends, source), ends(ends, destination));
        if (pairs.isEmpty()) {
            throw new ServiceException(
                    ErrorReason.FAILED_PRECONDITION,
                    "explaining traffic: source and destination have no addresses of one family, so nothing passes"
                            + " between them");
        }
        Judge judge = new Judge(state.programs()::get);
        out.onNext(ExplainTrafficResponse.newBuilder()
                .addAllFlows(pairs.stream()
                        .map(pair -> judge.explain(pair.source(), pair.destination(), protocol, request.getPort()))
                        .map(explanation -> AnswerMapping.toProto(explanation, state.enforcing()))
                        .toList())
                .setRevision(state.revision())
                .build());
        out.onCompleted();
    }

    private static Stream<NodeName> node(End end) {
        return switch (end.place()) {
            case Place.Attached(var _, NodeName node, var _) -> Stream.of(node);
            case Place.HostNetwork _, Place.Silent _, Place.Outside _ -> Stream.empty();
        };
    }

    private static List<End> ends(Ends ends, Party party) {
        List<End> found = ends.of(party);
        if (found.isEmpty() && party instanceof Party.OfPod(var pod)) {
            throw ends.knows(pod)
                    ? new ServiceException(
                            ErrorReason.FAILED_PRECONDITION,
                            "explaining traffic: pod " + pod + " has no address: it has ended, or its node has not"
                                    + " attached it yet")
                    : new ServiceException(
                            ErrorReason.NOT_FOUND,
                            "explaining traffic: no object and no node speaks of a pod " + pod
                                    + "; `kubectl get pods -A` or `podwire addresses` names those there are");
        }
        return found;
    }

    @Override
    public void simulatePolicies(SimulatePoliciesRequest request, StreamObserver<SimulatePoliciesResponse> out) {
        Candidates candidates;
        List<PolicyKey> removed;
        List<String> removedOfCluster;
        List<IpAddress> outside;
        int limit;
        try {
            limit = limit(request);
            candidates = manifests.apply(request.getManifests());
            removed = request.getRemovedPoliciesList().stream()
                    .filter(text -> text.indexOf('/') >= 0)
                    .map(AnswersService::policyKey)
                    .toList();
            removedOfCluster = request.getRemovedPoliciesList().stream()
                    .filter(text -> text.indexOf('/') < 0)
                    .toList();
            if (removedOfCluster.contains("")) {
                throw new IllegalArgumentException(
                        "removed_policies must be namespace/name, or a ClusterNetworkPolicy's name, got ''");
            }
            outside = request.getAddressesList().stream().map(IpAddress::parse).toList();
        } catch (IllegalArgumentException e) {
            throw new ServiceException(ErrorReason.INVALID_ARGUMENT, "simulating policies: " + e.getMessage(), e);
        }
        Publisher.Enforcement state = publisher.enforcement(_ -> Set.of());
        ClusterDelta delta = delta(candidates.policies(), removed)
                .and(ClusterCandidates.delta(candidates.clusterPolicies(), removedOfCluster));
        if (!simulations.tryAcquire()) {
            throw new ServiceException(
                    ErrorReason.EXHAUSTED, "simulating policies: one simulation runs at a time; ask again after it");
        }
        Simulation simulation;
        try {
            simulation = Simulator.simulate(
                    compiler, state.snapshot(), delta, outside, limit, Context.current()::isCancelled);
        } finally {
            simulations.release();
        }
        out.onNext(SimulatePoliciesResponse.newBuilder()
                .addAllChanges(ClusterCandidates.changes(
                        compiler, state.snapshot(), candidates.clusterPolicies(), removedOfCluster))
                .addAllChanges(changes(state.snapshot(), candidates.policies(), removed))
                .addAllFlips(
                        simulation.flips().stream().map(AnswerMapping::toProto).toList())
                .setMoreFlips(simulation.more())
                .addAllIgnored(candidates.ignored())
                .setRevision(state.revision())
                .build());
        out.onCompleted();
    }

    private static int limit(SimulatePoliciesRequest request) {
        if (request.getManifests().length() > MAX_MANIFESTS) {
            throw new IllegalArgumentException("manifests may have " + MAX_MANIFESTS + " characters, got "
                    + request.getManifests().length());
        }
        if (request.getAddressesCount() > MAX_ADDRESSES) {
            throw new IllegalArgumentException(
                    "addresses may be " + MAX_ADDRESSES + ", got " + request.getAddressesCount());
        }
        if (request.getMaxFlips() < 0 || request.getMaxFlips() > MAX_FLIPS) {
            throw new IllegalArgumentException(
                    "max_flips must be 0 to " + MAX_FLIPS + ", got " + request.getMaxFlips());
        }
        return request.getMaxFlips() == 0 ? DEFAULT_FLIPS : request.getMaxFlips();
    }

    private static PolicyKey policyKey(String text) {
        int slash = text.indexOf('/');
        return new PolicyKey(text.substring(0, slash), text.substring(slash + 1));
    }

    /** Removals first: what is both removed and given is given. */
    private static ClusterDelta delta(List<NetworkPolicy> given, List<PolicyKey> removed) {
        SortedMap<PolicyKey, Change> changes = new TreeMap<>();
        removed.forEach(key -> changes.put(key, new Change.PolicyGone(key)));
        given.forEach(policy -> changes.put(policy.key(), new Change.PolicySet(policy)));
        return new ClusterDelta(List.copyOf(changes.values()));
    }

    private List<PolicyChange> changes(ClusterSnapshot snapshot, List<NetworkPolicy> given, List<PolicyKey> removed) {
        SortedMap<PolicyKey, PolicyChange.Builder> changes = new TreeMap<>();
        SortedMap<PolicyKey, NetworkPolicy> selecting = new TreeMap<>();
        for (PolicyKey key : removed) {
            Optional<NetworkPolicy> there =
                    Optional.ofNullable(snapshot.policies().get(key));
            there.ifPresent(policy -> selecting.put(key, policy));
            changes.put(
                    key,
                    change(
                            key,
                            there.isPresent()
                                    ? PolicyChangeKind.POLICY_CHANGE_KIND_REMOVED
                                    : PolicyChangeKind.POLICY_CHANGE_KIND_ABSENT));
        }
        for (NetworkPolicy policy : given) {
            selecting.put(policy.key(), policy);
            changes.put(
                    policy.key(), change(policy.key(), kind(snapshot, policy)).setInvalid(policy.invalid()));
        }
        Map<PolicyKey, Integer> selected = compiler.selectedPods(snapshot, selecting.values());
        changes.forEach((key, change) -> change.setSelectedPods(selected.getOrDefault(key, 0)));
        return changes.values().stream().map(PolicyChange.Builder::build).toList();
    }

    private static PolicyChange.Builder change(PolicyKey key, PolicyChangeKind kind) {
        return PolicyChange.newBuilder().setPolicy(key.toString()).setKind(kind);
    }

    private static PolicyChangeKind kind(ClusterSnapshot snapshot, NetworkPolicy candidate) {
        if (!snapshot.policies().containsKey(candidate.key())) {
            return PolicyChangeKind.POLICY_CHANGE_KIND_ADDED;
        }
        return candidate.equals(snapshot.policies().get(candidate.key()))
                ? PolicyChangeKind.POLICY_CHANGE_KIND_UNCHANGED
                : PolicyChangeKind.POLICY_CHANGE_KIND_CHANGED;
    }
}

package io.podwire.policy.publish;

import io.grpc.Context;
import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.policy.answer.BothStates;
import io.podwire.policy.answer.End;
import io.podwire.policy.answer.End.Place;
import io.podwire.policy.answer.Ends;
import io.podwire.policy.answer.Explanation;
import io.podwire.policy.answer.Judge;
import io.podwire.policy.answer.Party;
import io.podwire.policy.answer.RecordedFlow;
import io.podwire.policy.answer.Simulation;
import io.podwire.policy.answer.Simulator;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.model.Candidates;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.publish.NodeQuestions.Said;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import io.podwire.proto.policy.v1.AnswersGrpc;
import io.podwire.proto.policy.v1.DropsQuestion;
import io.podwire.proto.policy.v1.ExplainTrafficRequest;
import io.podwire.proto.policy.v1.ExplainTrafficResponse;
import io.podwire.proto.policy.v1.FlowsQuestion;
import io.podwire.proto.policy.v1.ListDropsRequest;
import io.podwire.proto.policy.v1.ListDropsResponse;
import io.podwire.proto.policy.v1.NodeDrops;
import io.podwire.proto.policy.v1.NodeQuestion;
import io.podwire.proto.policy.v1.NodeReply;
import io.podwire.proto.policy.v1.PolicyChange;
import io.podwire.proto.policy.v1.PolicyChangeKind;
import io.podwire.proto.policy.v1.SimulatePoliciesRequest;
import io.podwire.proto.policy.v1.SimulatePoliciesResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** podwire.policy.v1.Answers: finds the state that a question is about and has it judged. */
public final class AnswersService extends AnswersGrpc.AnswersImplBase {
    private static final int MAX_MANIFESTS = 1 << 20;
    private static final int MAX_ADDRESSES = 100;
    /** For a node's answer; the command that asks waits five. */
    private static final Duration NODE_WAIT = Duration.ofSeconds(2);

    private static final int DEFAULT_FLIPS = 1000;
    private static final int MAX_FLIPS = 100_000;

    private final Publisher publisher;
    private final PolicyCompiler compiler;
    private final Function<String, Candidates> manifests;
    /** Each compiles the whole cluster twice: the nodes' programs must not wait for two of them. */
    private final Semaphore simulations = new Semaphore(1);

    private final NodeQuestions questions;
    private final Witnesses witnesses;

    /**
     * The service over a publisher.
     *
     * @param manifests reads candidate policies; throws IllegalArgumentException when it cannot
     * @param questions asks nodes
     */
    public AnswersService(
            Publisher publisher,
            PolicyCompiler compiler,
            Function<String, Candidates> manifests,
            NodeQuestions questions) {
        this.publisher = publisher;
        this.questions = questions;
        this.witnesses = new Witnesses(questions);
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
            if (request.getWitness() && request.getAtRevision() != 0) {
                throw new IllegalArgumentException(
                        "kernels have the newest revision alone: give witness or at_revision, not both");
            }
        } catch (IllegalArgumentException e) {
            throw new ServiceException(ErrorReason.INVALID_ARGUMENT, "explaining traffic: " + e.getMessage(), e);
        }
        Function<ClusterSnapshot, Set<NodeName>> concerned = snapshot -> {
            Ends ends = new Ends(snapshot);
            return Stream.of(source, destination)
                    .flatMap(party -> ends.of(party).stream())
                    .flatMap(AnswersService::node)
                    .collect(Collectors.toCollection(TreeSet::new));
        };
        Publisher.Enforcement state = request.getAtRevision() == 0
                ? publisher.enforcement(concerned)
                : past(request.getAtRevision(), concerned);
        Ends ends = new Ends(state.snapshot());
        List<Ends.Pair> pairs = Ends.pairs(ends(ends, source), ends(ends, destination));
        if (pairs.isEmpty()) {
            throw new ServiceException(
                    ErrorReason.FAILED_PRECONDITION,
                    "explaining traffic: source and destination have no addresses of one family, so nothing passes"
                            + " between them");
        }
        Judge judge = new Judge(state.programs()::get);
        List<Explanation> explanations = pairs.stream()
                .map(pair -> judge.explain(pair.source(), pair.destination(), protocol, request.getPort()))
                .toList();
        out.onNext(ExplainTrafficResponse.newBuilder()
                .addAllFlows(explanations.stream()
                        .map(explanation -> AnswerMapping.toProto(explanation, state.enforcing()).toBuilder()
                                .addAllWitnesses(
                                        request.getWitness()
                                                ? witnesses.of(explanation, protocol, request.getPort())
                                                : List.of())
                                .build())
                        .toList())
                .setRevision(state.revision())
                .build());
        out.onCompleted();
    }

    /** An earlier state; who enforced it is not known any more. */
    private Publisher.Enforcement past(long revision, Function<ClusterSnapshot, Set<NodeName>> concerned) {
        // Refuses while not even the newest is known.
        publisher.enforcement(_ -> Set.of());
        ClusterSnapshot snapshot = publisher.past(revision).snapshot();
        return new Publisher.Enforcement(
                snapshot, revision, BothStates.programs(compiler, snapshot, concerned.apply(snapshot)), Set.of());
    }

    @Override
    public void listDrops(ListDropsRequest request, StreamObserver<ListDropsResponse> out) {
        Set<NodeName> asked;
        try {
            asked = request.getNode().isEmpty() ? questions.nodes() : Set.of(new NodeName(request.getNode()));
        } catch (IllegalArgumentException e) {
            throw new ServiceException(ErrorReason.INVALID_ARGUMENT, "listing drops: node: " + e.getMessage(), e);
        }
        if (!questions.nodes().containsAll(asked)) {
            throw new ServiceException(
                    ErrorReason.NOT_FOUND,
                    "listing drops: node " + request.getNode() + " answers no questions here: it is older, cut off, or"
                            + " with another replica");
        }
        ListDropsResponse.Builder response = ListDropsResponse.newBuilder();
        askAll(asked, NodeQuestion.newBuilder().setDrops(DropsQuestion.getDefaultInstance()))
                .forEach((node, said) -> {
                    switch (said) {
                        case Said.Reply(NodeReply reply) ->
                            response.addNodes(
                                    NodeDrops.newBuilder().setNode(node.value()).setDrops(reply.getDrops()));
                        case Said.Silent(String why) -> response.addSilentNodes(node + ": " + why);
                    }
                });
        out.onNext(response.build());
        out.onCompleted();
    }

    /** What each of some nodes says; all are asked at once. */
    private SortedMap<NodeName, Said> askAll(Set<NodeName> nodes, NodeQuestion.Builder question) {
        SortedMap<NodeName, CompletableFuture<Said>> asked = new TreeMap<>();
        NodeQuestion same = question.build();
        nodes.forEach(node -> asked.put(node, questions.ask(node, same.toBuilder(), NODE_WAIT)));
        SortedMap<NodeName, Said> said = new TreeMap<>();
        asked.forEach((node, answer) -> said.put(node, answer.join()));
        return said;
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
        SortedMap<NodeName, Said> recorded = request.getRecordedFlows()
                ? askAll(questions.nodes(), NodeQuestion.newBuilder().setFlows(FlowsQuestion.getDefaultInstance()))
                : new TreeMap<>();
        List<RecordedFlow> flows = recorded.values().stream()
                .flatMap(AnswersService::flows)
                .distinct()
                .toList();
        if (!simulations.tryAcquire()) {
            throw new ServiceException(
                    ErrorReason.EXHAUSTED, "simulating policies: one simulation runs at a time; ask again after it");
        }
        Simulation simulation;
        List<RecordedFlow.Flip> recordedFlips;
        try {
            BothStates states = BothStates.of(compiler, state.snapshot(), delta);
            simulation = Simulator.simulate(states, state.snapshot(), outside, limit, Context.current()::isCancelled);
            recordedFlips = RecordedFlow.flips(states, new Ends(state.snapshot()), flows);
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
                .addAllRecordedFlips(recordedFlips.stream()
                        .limit(limit)
                        .map(AnswerMapping::toProto)
                        .toList())
                .setRecordedFlows(flows.size())
                .addAllSilentNodes(silent(recorded))
                .setRevision(state.revision())
                .build());
        out.onCompleted();
    }

    private static Stream<RecordedFlow> flows(Said said) {
        return said instanceof Said.Reply(NodeReply reply)
                ? reply.getFlows().getFlowsList().stream().map(AnswerMapping::fromProto)
                : Stream.empty();
    }

    private static List<String> silent(SortedMap<NodeName, Said> said) {
        return said.entrySet().stream()
                .filter(e -> e.getValue() instanceof Said.Silent)
                .map(e -> e.getKey() + ": " + ((Said.Silent) e.getValue()).why())
                .toList();
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

package io.podwire.policy.publish;

import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.service.CommonOptions;
import io.podwire.common.service.RunningService;
import io.podwire.common.service.ServiceOptions;
import io.podwire.common.service.ServiceRunner;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.model.Direction;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.LabelSelector;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.PolicyRule;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.policy.v1.AnnounceResponse;
import io.podwire.proto.policy.v1.AwaitEndpointRequest;
import io.podwire.proto.policy.v1.EndpointDown;
import io.podwire.proto.policy.v1.EndpointUp;
import io.podwire.proto.policy.v1.Hello;
import io.podwire.proto.policy.v1.NodeMessage;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** A replica of the service over a real channel, whose objects the test tells. */
final class TestReplica implements AutoCloseable {
    private final RunningService service;
    final ManagedChannel channel;
    private Publisher publisher;

    private static final class Options implements ServiceOptions {
        private final CommonOptions common = new CommonOptions("127.0.0.1:0", "127.0.0.1:0");

        @Override
        public CommonOptions common() {
            return common;
        }
    }

    TestReplica() throws Exception {
        service = ServiceRunner.start("policy-test", new Options(), (_, context) -> {
            EventLoop loop = context.own(new EventLoop("policy-test"));
            publisher = new Publisher(
                    loop,
                    new PolicyCompiler(UndeclaredPods.DEFAULT),
                    new SplittableRandom(1),
                    new SimpleMeterRegistry());
            context.serve(new ProgramsService(publisher));
        });
        channel = service.channel();
    }

    void synced(Change... changes) {
        publisher.apply(ClusterDelta.of(changes));
    }

    TestNode node(String name) {
        return new TestNode(channel, name);
    }

    /** A question about a node's endpoint. */
    static AwaitEndpointRequest question(String node, Endpoint endpoint, Duration longest) {
        AwaitEndpointRequest.Builder request = AwaitEndpointRequest.newBuilder()
                .setNode(node)
                .setKey(endpoint.key())
                .addAllAddresses(
                        endpoint.addresses().stream().map(IpAddress::toString).toList());
        request.getMaxWaitBuilder().setSeconds(longest.getSeconds()).setNanos(longest.getNano());
        return request.build();
    }

    /** Everyone in namespace x may be reached from namespace x only. */
    static Change sameNamespaceOnly() {
        return new Change.PolicySet(new NetworkPolicy(
                new PolicyKey("x", "p"),
                LabelSelector.EVERYTHING,
                Set.of(Direction.INGRESS),
                List.of(new PolicyRule(List.of(new Peer.InNamespace("x", LabelSelector.EVERYTHING)), List.of())),
                List.of(),
                ""));
    }

    static Change podOn(String node) {
        return new Change.PodSet(
                new Pod(new PodKey("x", "on-" + node), "", Map.of(), node, Set.of(), false, false, List.of()));
    }

    static Endpoint endpoint(String namespace, String name, String address) {
        return new Endpoint("cid-" + name + "/eth0", new PodKey(namespace, name), "", Set.of(IpAddress.parse(address)));
    }

    /** A node's stream to a replica that does not serve it. */
    static final class Announcing {
        private final StreamObserver<NodeMessage> out;
        private final CompletableFuture<AnnounceResponse> taken = new CompletableFuture<>();

        /** Says hello, and returns once that is taken. */
        Announcing(TestReplica to, String name, long counter, Endpoint... endpoints) {
            out = ProgramsGrpc.newStub(to.channel).announce(new StreamObserver<>() {
                @Override
                public void onNext(AnnounceResponse answer) {
                    taken.complete(answer);
                }

                @Override
                public void onError(Throwable failure) {
                    taken.completeExceptionally(failure);
                }

                @Override
                public void onCompleted() {
                    taken.cancel(false);
                }
            });
            out.onNext(NodeMessage.newBuilder()
                    .setHello(Hello.newBuilder()
                            .setHandshake(Handshake.newBuilder().setProtocol(1).setMinProtocol(1))
                            .setNode(NodeEpoch.newBuilder()
                                    .setNode(name)
                                    .setNodeUid("uid-1")
                                    .setCounter(counter))
                            .addAllEndpoints(Arrays.stream(endpoints)
                                    .map(ProgramMapping::toProto)
                                    .toList()))
                    .build());
        }

        Announcing taken() {
            taken.orTimeout(10, TimeUnit.SECONDS).join();
            return this;
        }

        void up(Endpoint endpoint) {
            out.onNext(NodeMessage.newBuilder()
                    .setEndpointUp(EndpointUp.newBuilder().setEndpoint(ProgramMapping.toProto(endpoint)))
                    .build());
        }

        void down(String key) {
            out.onNext(NodeMessage.newBuilder()
                    .setEndpointDown(EndpointDown.newBuilder().setKey(key))
                    .build());
        }

        void say(NodeMessage message) {
            out.onNext(message);
        }
    }

    @Override
    public void close() {
        channel.shutdownNow();
        service.close();
    }
}

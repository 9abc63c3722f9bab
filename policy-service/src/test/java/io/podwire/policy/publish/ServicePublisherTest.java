package io.podwire.policy.publish;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.Status;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.NodeName;
import io.podwire.policy.model.ClusterNode;
import io.podwire.policy.model.EndpointSlice;
import io.podwire.policy.model.EndpointSlice.Backend;
import io.podwire.policy.model.EndpointSlice.Conditions;
import io.podwire.policy.model.EndpointSlice.Hints;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.model.Service;
import io.podwire.policy.model.ServiceKey;
import io.podwire.policy.model.SliceKey;
import io.podwire.policy.service.Place;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.proto.policy.v1.ServiceEndpoint;
import io.podwire.proto.policy.v1.ServicePort;
import io.podwire.proto.policy.v1.ServiceUpdate;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What is sent when transports take what they like. */
class ServicePublisherTest {
    private static final NodeName NODE = new NodeName("node-a");

    private final EventLoop loop = new EventLoop("services-test");
    private final ServicePublisher publisher = new ServicePublisher(loop, new SimpleMeterRegistry());

    @AfterEach
    void stop() {
        loop.close();
    }

    private static Change service(int n, String... portNames) {
        return new Change.ServiceSet(new Service(
                new ServiceKey("x", "s%04d".formatted(n)),
                Service.Type.CLUSTER_IP,
                List.of(IpAddress.parse("10.96.0.0").plus(n)),
                Arrays.stream(portNames)
                        .map(name -> new Service.Port(name, Protocol.TCP, 80 + name.length(), 0))
                        .toList(),
                Set.of(),
                Set.of(),
                Service.Sources.ANY,
                0,
                false,
                false,
                0,
                ""));
    }

    private static Change slice(int n, Backend... backends) {
        return new Change.SliceSet(new EndpointSlice(
                new SliceKey("x", "slice-%04d".formatted(n)),
                new ServiceKey("x", "s%04d".formatted(n)),
                IpFamily.V4,
                List.of(new EndpointSlice.Port("http", Protocol.TCP, 8080)),
                List.of(backends)));
    }

    private static Backend backend(String address, String node, String... zones) {
        return new Backend(IpAddress.parse(address), Conditions.READY, node, "", new Hints(Set.of(zones), Set.of()));
    }

    private static Change node(String name, String zone) {
        return new Change.ClusterNodeSet(new ClusterNode(name, Map.of(Place.ZONE_LABEL, zone), Set.of()));
    }

    /** What was posted before is done. */
    private void settle() {
        // What the first of them posts is done before the second.
        var _ = loop.submit(() -> true).join();
        var _ = loop.submit(() -> true).join();
    }

    private void apply(Change... changes) {
        publisher.apply(ClusterDelta.of(changes));
        settle();
    }

    private ServiceStream watch(ServiceTransport transport) {
        ServiceStream stream = new ServiceStream(transport);
        publisher.watch(stream, NODE);
        settle();
        return stream;
    }

    private static ServiceTransport eager() {
        ServiceTransport transport = new ServiceTransport();
        transport.takes = Integer.MAX_VALUE;
        return transport;
    }

    private static List<String> ids(ServiceUpdate update) {
        return update.getChangedList().stream().map(ServicePort::getId).toList();
    }

    private static List<String> addresses(ServiceUpdate update) {
        return update.getChangedList().stream()
                .flatMap(port -> port.getClusterEndpointsList().stream())
                .map(ServiceEndpoint::getAddress)
                .toList();
    }

    @Test
    void nothingIsSentBeforeTheSourceIsComplete() {
        ServiceTransport transport = eager();
        watch(transport);
        assertThat(transport.sent).isEmpty();
        assertThatThrownBy(() -> publisher.ask(_ -> true))
                .isInstanceOfSatisfying(
                        ServiceException.class,
                        refused -> assertThat(refused.reason()).isEqualTo(ErrorReason.UNAVAILABLE));
        apply();
        assertThat(transport.sent).as("that there is none is an update too").hasSize(1);
        assertThat(transport.sent.getFirst().getComplete()).isTrue();
    }

    @Test
    void theFirstStateComesInUpdatesOfWhichTheLastIsComplete() {
        apply(IntStream.range(0, 1200).mapToObj(n -> service(n, "http")).toArray(Change[]::new));
        ServiceTransport transport = eager();
        watch(transport);
        assertThat(transport.sent)
                .extracting(ServiceUpdate::getChangedCount)
                .containsExactly(ServiceFollower.MOST_PORTS, ServiceFollower.MOST_PORTS, 200);
        assertThat(transport.sent).extracting(ServiceUpdate::getComplete).containsExactly(false, false, true);
        Set<String> ids = new HashSet<>();
        transport.sent.forEach(update -> ids.addAll(ids(update)));
        assertThat(ids).hasSize(1200);
    }

    @Test
    void anUpdateDoesNotGrowWithTheEndpoints() {
        Backend[] many = IntStream.range(0, 15_000)
                .mapToObj(n -> backend(IpAddress.parse("10.0.0.0").plus(n).toString(), "node-b"))
                .toArray(Backend[]::new);
        apply(service(1, "http"), service(2, "http"), service(3, "http"), slice(1, many), slice(2, many));
        ServiceTransport transport = eager();
        watch(transport);
        assertThat(transport.sent).extracting(ServiceUpdate::getChangedCount).containsExactly(2, 1);
        assertThat(transport.sent).extracting(ServiceUpdate::getSerializedSize).allMatch(size -> size < 2_000_000);
    }

    @Test
    void laterOnlyWhatChangedIsSent() {
        apply(service(1, "http", "metrics"), service(2, "http"), slice(1, backend("10.0.0.1", "node-b")));
        ServiceTransport transport = eager();
        watch(transport);
        transport.sent.clear();

        apply(slice(1, backend("10.0.0.1", "node-b"), backend("10.0.0.2", "node-a")));
        assertThat(transport.sent).hasSize(1);
        assertThat(transport.sent.getFirst().getComplete()).isTrue();
        assertThat(addresses(transport.sent.getFirst())).containsExactly("10.0.0.1", "10.0.0.2");
        // The other port as well: it tells how many endpoints are ready here.
        assertThat(ids(transport.sent.getFirst())).containsExactly("x/s0001:http/ipv4", "x/s0001:metrics/ipv4");
        transport.sent.clear();

        apply(service(1, "http"));
        assertThat(transport.sent).hasSize(1);
        assertThat(transport.sent.getFirst().getRemovedList()).containsExactly("x/s0001:metrics/ipv4");
        assertThat(transport.sent.getFirst().getChangedList()).isEmpty();
        transport.sent.clear();

        apply(new Change.ServiceGone(new ServiceKey("x", "s0002")));
        assertThat(transport.sent.getFirst().getRemovedList()).containsExactly("x/s0002:http/ipv4");
        transport.sent.clear();

        apply(service(1, "http"), slice(9, backend("10.0.0.9", "node-a")), node("node-b", "zone-b"));
        assertThat(transport.sent).as("nothing that matters").isEmpty();
    }

    @Test
    void aNodeThatMovesToAnotherZoneIsToldWhatThatChanges() {
        apply(
                service(1, "http"),
                service(2, "http"),
                slice(1, backend("10.0.0.1", "node-b", "zone-a"), backend("10.0.0.2", "node-c", "zone-b")),
                slice(2, backend("10.0.0.3", "node-b")),
                node("node-a", "zone-a"));
        ServiceTransport transport = eager();
        watch(transport);
        assertThat(addresses(transport.sent.getFirst())).containsExactly("10.0.0.1", "10.0.0.3");
        transport.sent.clear();
        apply(node("node-a", "zone-b"));
        assertThat(transport.sent).hasSize(1);
        assertThat(addresses(transport.sent.getFirst())).containsExactly("10.0.0.2");
    }

    @Test
    void aSlowReaderGetsTheNewestStateOnce() {
        apply(service(1, "http"), service(2, "http"));
        ServiceTransport transport = new ServiceTransport();
        transport.takes = 1;
        ServiceStream stream = watch(transport);
        assertThat(transport.sent).hasSize(1);
        apply(slice(1, backend("10.0.0.1", "node-b")));
        apply(slice(1, backend("10.0.0.2", "node-b")));
        apply(slice(2, backend("10.0.0.3", "node-b")));
        apply(slice(2));
        assertThat(transport.sent).as("while the transport is full").hasSize(1);
        transport.takes = 9;
        publisher.ready(stream, NODE);
        settle();
        assertThat(transport.sent).hasSize(2);
        assertThat(addresses(transport.sent.getLast()))
                .as("and nothing of what came and went")
                .containsExactly("10.0.0.2");
    }

    @Test
    void changesThatWaitTogetherAreOneUpdate() {
        apply(service(1, "http"));
        ServiceTransport transport = eager();
        watch(transport);
        CompletableFuture<Void> gate = new CompletableFuture<>();
        loop.execute(gate::join);
        for (int n = 1; n < 50; n++) {
            publisher.apply(ClusterDelta.of(slice(1, backend("10.0.0." + n, "node-b"))));
        }
        gate.complete(null);
        settle();
        assertThat(transport.sent).hasSize(2);
        assertThat(addresses(transport.sent.getLast())).containsExactly("10.0.0.49");
    }

    @Test
    void theNewestStreamOfANodeIsServed() {
        apply(service(1, "http"));
        ServiceTransport first = eager();
        ServiceStream older = watch(first);
        ServiceTransport second = eager();
        watch(second);
        assertThat(first.end)
                .hasValueSatisfying(end -> assertThat(end.getCode()).isEqualTo(Status.Code.ABORTED));
        assertThat(second.sent).as("everything again").hasSize(1);
        publisher.gone(older, NODE);
        settle();
        apply(service(2, "http"));
        assertThat(first.sent).hasSize(1);
        assertThat(ids(second.sent.getLast())).containsExactly("x/s0002:http/ipv4");
    }

    @Test
    void whoComesBackIsToldEverything() {
        apply(service(1, "http"), service(2, "http"));
        ServiceTransport first = eager();
        publisher.gone(watch(first), NODE);
        apply(new Change.ServiceGone(new ServiceKey("x", "s0001")));
        assertThat(first.sent).hasSize(1);
        ServiceTransport second = eager();
        watch(second);
        assertThat(second.sent).hasSize(1);
        assertThat(ids(second.sent.getFirst())).containsExactly("x/s0002:http/ipv4");
        assertThat(second.sent.getFirst().getComplete()).isTrue();
    }
}

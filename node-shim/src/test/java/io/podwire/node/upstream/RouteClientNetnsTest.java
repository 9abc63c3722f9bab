package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.stub.StreamObserver;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.NodeName;
import io.podwire.node.dataplane.CurrentUnderlay;
import io.podwire.node.dataplane.RouteReconciler;
import io.podwire.node.dataplane.Sysctl;
import io.podwire.node.dataplane.VxlanDevice;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.plan.RemoteNode;
import io.podwire.node.plan.RouteMode;
import io.podwire.node.plan.UnderlayChoice;
import io.podwire.node.plan.UnderlayEnd;
import io.podwire.node.testing.ManualTime;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import io.podwire.proto.route.v1.Announcement;
import io.podwire.proto.route.v1.NodeRoute;
import io.podwire.proto.route.v1.RefusedPrefix;
import io.podwire.proto.route.v1.RefusedPrefixes;
import io.podwire.proto.route.v1.RouteDelta;
import io.podwire.proto.route.v1.RouteTable;
import io.podwire.proto.route.v1.RouteUpdate;
import io.podwire.proto.route.v1.RoutesGrpc;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** From the reflector's messages to the kernel's routes. */
@Tag("netns")
final class RouteClientNetnsTest {
    private static final Duration SOON = Duration.ofSeconds(8);
    private static final NodeIdentity SELF = new NodeIdentity(new NodeName("node-1"), "uid-1", "boot-1", 3);

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private final List<Conversation<Announcement, RouteUpdate>> streams = new CopyOnWriteArrayList<>();
    private final LoopbackServer server = reflector(streams);
    private final List<Conversation<Announcement, RouteUpdate>> streams2 = new CopyOnWriteArrayList<>();
    private final LoopbackServer server2 = reflector(streams2);
    private final EventLoop loop = new EventLoop("route-test");
    private final EventLoop routesLoop = new EventLoop("routes-test");
    private final ManualTime time = new ManualTime();
    private Space node;
    private Rtnetlink host;
    private RouteReconciler routes;
    private RouteClient.Place place;
    private RouteClient client;

    private static LoopbackServer reflector(List<Conversation<Announcement, RouteUpdate>> streams) {
        return new LoopbackServer(new RoutesGrpc.RoutesImplBase() {
            @Override
            public StreamObserver<Announcement> exchange(StreamObserver<RouteUpdate> reply) {
                Conversation<Announcement, RouteUpdate> stream = new Conversation<>(reply);
                streams.add(stream);
                return stream;
            }
        });
    }

    @BeforeEach
    void prepare() {
        node = sandbox.add();
        node.ip("link", "add", "under", "type", "veth", "peer", "name", "underp");
        node.ip("addr", "add", "192.0.2.1/24", "dev", "under");
        node.ip("link", "set", "under", "up");
        node.ip("link", "set", "underp", "up");
        host = Rtnetlink.open(node.netns());
        CurrentUnderlay underlay = new CurrentUnderlay(host, new UnderlayChoice(List.of("under"), List.of()));
        routes = new RouteReconciler(
                host,
                routesLoop,
                underlay,
                RouteMode.CROSS_SUBNET,
                new VxlanDevice.Settings(7470, 4789, MacAddress.parse("02:00:00:00:00:01")),
                Set.of(IpFamily.V4),
                new Sysctl(Path.of("/proc/sys")));
        place = new RouteClient.Place(
                RouteMode.CROSS_SUBNET, () -> underlay.last().ends(), Set.of(IpFamily.V4));
        client = client(server.target());
    }

    private RouteClient client(String targets) {
        return new RouteClient(targets, loop, time, SELF, place, Duration.ofMinutes(2), routes);
    }

    @AfterEach
    void stop() {
        client.close();
        loop.close();
        routesLoop.close();
        server.close();
        server2.close();
        host.close();
        sandbox.close();
    }

    @Test
    void theFirstAnnouncementConnectsAndEachIsWhole() {
        var _ = client.announce(self("10.1.1.0/26"));
        Announcement first = received(0, 0);
        assertThat(first.getNode()).isEqualTo(SELF.toProto());
        assertThat(first.getRoute())
                .isEqualTo(NodeRoute.newBuilder()
                        .setNode("node-1")
                        .setUnderlayAddress("192.0.2.1")
                        .setUnderlayLength(24)
                        .setVtepMac("02:00:00:00:00:01")
                        .setVtepAddress("10.1.1.0")
                        .addPrefixes("10.1.1.0/26")
                        .build());
        var _ = client.announce(self("10.1.1.0/26"));
        var _ = client.announce(self("10.1.1.64/26", "10.1.1.0/26"));
        assertThat(received(0, 1).getRoute().getPrefixesList())
                .as("what did not change is not sent")
                .containsExactly("10.1.1.0/26", "10.1.1.64/26");
    }

    @Test
    void thatNothingIsServedIsNotThatItIsNotKnownAndEachAnnouncementSaysAll() {
        client.serves(addresses("203.0.113.9"));
        connect();
        assertThat(received(0, 0).getServiceAddresses().getAddressesList()).containsExactly("203.0.113.9");
        client.serves(addresses("203.0.113.7", "203.0.113.9"));
        assertThat(received(0, 1).getServiceAddresses().getAddressesList())
                .containsExactly("203.0.113.7", "203.0.113.9");
        assertThat(received(0, 1).getRoute()).isEqualTo(received(0, 0).getRoute());
        client.serves(addresses("203.0.113.7", "203.0.113.9"));
        client.serves(List.of());
        assertThat(received(0, 2).hasServiceAddresses()).as("it is known").isTrue();
        assertThat(received(0, 2).getServiceAddresses().getAddressesCount()).isZero();
        // Another stream says it at its begin.
        server.kill();
        client.serves(addresses("203.0.113.8"));
        server.revive();
        assertThat(received(1, 0).getServiceAddresses().getAddressesList()).containsExactly("203.0.113.8");
    }

    @Test
    void beforeItIsKnownWhatIsServedNothingIsSaidOfIt() {
        connect();
        assertThat(received(0, 0).hasServiceAddresses()).isFalse();
        client.serves(List.of());
        assertThat(received(0, 1).hasServiceAddresses()).isTrue();
    }

    @Test
    void changesThatFollowEachOtherAreToldTogether() {
        connect();
        for (int i = 1; i <= 200; i++) {
            client.serves(addresses("203.0.113." + i));
        }
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(streams.getFirst()
                                .received()
                                .getLast()
                                .getServiceAddresses()
                                .getAddressesList())
                        .containsExactly("203.0.113.200"));
        assertThat(streams.getFirst().received().size())
                .as("the first at once, the others some at a time")
                .isBetween(2, 50);
    }

    @Test
    void moreThanReflectorsTakeIsNotSaid() {
        List<IpAddress> many = new ArrayList<>();
        for (int i = 0; i < 5000; i++) {
            many.add(IpAddress.parse("203.0.112.0").plus(i));
        }
        client.serves(many);
        connect();
        assertThat(received(0, 0).getServiceAddresses().getAddressesList())
                .hasSize(4096)
                .startsWith("203.0.112.0");
    }

    @Test
    void refusalsOfServicesAreKnownApart() {
        client.serves(addresses("10.77.0.1"));
        connect();
        send(
                0,
                full("e1", 1).toBuilder()
                        .setRefused(RefusedPrefixes.newBuilder()
                                .addPrefixes(RefusedPrefix.newBuilder()
                                        .setPrefix("10.1.1.0/26")
                                        .setMessage("node 2 owns it"))
                                .addPrefixes(RefusedPrefix.newBuilder()
                                        .setPrefix("10.77.0.1/32")
                                        .setMessage("none of services")))
                        .build());
        await().atMost(SOON).until(() -> !client.refusedServices().isEmpty());
        assertThat(client.refusedServices()).isEqualTo(Map.of(IpPrefix.parse("10.77.0.1/32"), "none of services"));
        assertThat(client.refused()).isEqualTo(Map.of(IpPrefix.parse("10.1.1.0/26"), "node 2 owns it"));
    }

    private static List<IpAddress> addresses(String... texts) {
        return Stream.of(texts).map(IpAddress::parse).toList();
    }

    @Test
    void fullThenDeltasBecomeRoutesOfOthersOnly() {
        connect();
        send(0, full("e1", 1, route(1), route(2), route(3)));
        awaitRoutes(2, 3);
        send(0, delta("e1", 2, List.of(route(4)), List.of("node-3")));
        awaitRoutes(2, 4);
        assertThat(client.connected()).isTrue();
    }

    @Test
    void whatIsRefusedOfTheNodesOwnIsKnownUntilItIsTakenOrTheStreamBeginsAnew() {
        connect();
        send(0, full("e1", 1, route(2)));
        awaitRoutes(2);
        assertThat(client.refused()).isEmpty();
        send(
                0,
                delta("e1", 2, List.of(), List.of()).toBuilder()
                        .setRefused(RefusedPrefixes.newBuilder()
                                .addPrefixes(RefusedPrefix.newBuilder()
                                        .setPrefix("10.1.1.0/26")
                                        .setMessage("node\n2 owns it")))
                        .build());
        await().atMost(SOON).until(() -> !client.refused().isEmpty());
        assertThat(client.refused()).isEqualTo(Map.of(IpPrefix.parse("10.1.1.0/26"), "node?2 owns it"));
        send(0, delta("e1", 3, List.of(route(3)), List.of()));
        awaitRoutes(2, 3);
        assertThat(client.refused()).as("nothing new was said of it").hasSize(1);
        send(
                0,
                delta("e1", 4, List.of(), List.of()).toBuilder()
                        .setRefused(RefusedPrefixes.getDefaultInstance())
                        .build());
        await().atMost(SOON).until(() -> client.refused().isEmpty());
        awaitRoutes(2, 3);
    }

    @Test
    void aGapAsksForAFullStateAndChangesNothing() {
        connect();
        send(0, full("e1", 1, route(2)));
        awaitRoutes(2);
        send(0, delta("e1", 3, List.of(route(4)), List.of("node-2")));
        received(1, 0);
        awaitRoutes(2);
        send(1, full("e1", 1, route(2), route(4)));
        awaitRoutes(2, 4);
    }

    @Test
    void aDeltaOfAnotherEpochAsksForAFullState() {
        connect();
        send(0, full("e1", 1, route(2)));
        awaitRoutes(2);
        send(0, delta("e2", 2, List.of(route(4)), List.of()));
        received(1, 0);
        awaitRoutes(2);
    }

    @Test
    void aDeltaBeforeTheFullStateOfItsStreamAsksForOne() {
        connect();
        send(0, full("e1", 1, route(2)));
        awaitRoutes(2);
        streams.getFirst().reply().onCompleted();
        received(1, 0);
        send(1, delta("e1", 2, List.of(route(4)), List.of()));
        received(2, 0);
        awaitRoutes(2);
    }

    @Test
    void whatCannotBeUnderstoodChangesNothing() {
        connect();
        send(0, full("e1", 1, route(2)));
        awaitRoutes(2);
        send(
                0,
                full(
                        "e1",
                        2,
                        route(3),
                        route(4).toBuilder().setUnderlayAddress("nowhere").build()));
        received(1, 0);
        awaitRoutes(2);
        send(1, RouteUpdate.newBuilder().setEpoch("e1").setSequence(1).build());
        received(2, 0);
        awaitRoutes(2);
    }

    @Test
    void routesStayWhileTheReflectorIsAwayAndAreSwept120SecondsAfterItsReturn() {
        connect();
        send(0, full("e1", 1, route(2), route(3)));
        awaitRoutes(2, 3);
        server.kill();
        await().atMost(SOON).until(() -> !client.connected());
        time.advance(Duration.ofHours(5));
        server.revive();
        assertThat(received(1, 0).getRoute().getNode()).isEqualTo("node-1");
        send(1, full("e2", 1, route(3)));
        await().atMost(SOON).until(client::connected);
        awaitRoutes(2, 3);
        time.advance(Duration.ofSeconds(121));
        awaitRoutes(3);
    }

    @Test
    void routesStayWithBothReflectorsWithOneAndWithNoneAndGoWhenEitherThatIsThereWithdraws() {
        client.close();
        client = client(server.target() + "," + server2.target());
        connect();
        await().atMost(SOON).until(() -> streams2.size() == 1);
        assertThat(streams2.getFirst().received().getFirst().getRoute().getNode())
                .as("each is told")
                .isEqualTo("node-1");
        send(0, full("a1", 1, route(2), route(3)));
        send(streams2, full("b1", 1, route(3), route(4), route(5)));
        awaitRoutes(2, 3, 4, 5);
        assertThat(client.connected()).isTrue();

        // Both know node 3: it takes both to withdraw it.
        send(0, delta("a1", 2, List.of(), List.of("node-3")));
        awaitRoutes(2, 3, 4, 5);
        send(streams2, delta("b1", 2, List.of(), List.of("node-3")));
        awaitRoutes(2, 4, 5);

        // One is away: the other withdraws what that one knew, too, and announcements go on.
        server2.kill();
        await().atMost(SOON).until(() -> !client.connected());
        send(0, full("a1", 1, route(2), route(4)));
        send(0, delta("a1", 2, List.of(), List.of("node-4")));
        awaitRoutes(2, 5);
        assertThat(client.announce(self("10.1.1.64/26")))
                .as("told to the one that is there")
                .succeedsWithin(SOON);
        // None is there.
        server.kill();
        time.advance(Duration.ofHours(5));
        awaitRoutes(2, 5);
        server.revive();
        server2.revive();
        await().atMost(SOON).until(() -> streams.size() == 2 && streams2.size() == 2);
        send(streams2, full("b2", 1, route(2)));
        awaitRoutes(2, 5);
        send(1, full("a2", 1));
        time.advance(Duration.ofSeconds(121));
        // Node 2 by the word of one, node 5 by nobody's.
        awaitRoutes(2);
    }

    @Test
    void whatOneAloneKnewThatDoesNotReturnGoesAfterTheReturnOfTheOther() {
        client.close();
        client = client(server.target() + "," + server2.target());
        connect();
        await().atMost(SOON).until(() -> streams2.size() == 1);
        send(0, full("a1", 1, route(2)));
        send(streams2, full("b1", 1, route(2), route(3)));
        awaitRoutes(2, 3);
        server2.kill();
        server.kill();
        await().atMost(SOON).until(() -> !client.connected());
        time.advance(Duration.ofHours(5));
        server.revive();
        await().atMost(SOON).until(() -> streams.size() == 2);
        send(1, full("a2", 1, route(2), route(4)));
        awaitRoutes(2, 3, 4);
        time.advance(Duration.ofSeconds(121));
        awaitRoutes(2, 4);
    }

    private void send(List<Conversation<Announcement, RouteUpdate>> streams, RouteUpdate update) {
        streams.getLast().reply().onNext(update);
    }

    private void connect() {
        var _ = client.announce(self("10.1.1.0/26"));
        received(0, 0);
    }

    private Announcement received(int stream, int message) {
        await().atMost(SOON)
                .until(() -> streams.size() > stream
                        && streams.get(stream).received().size() > message);
        return streams.get(stream).received().get(message);
    }

    private void send(int stream, RouteUpdate update) {
        streams.get(stream).reply().onNext(update);
    }

    private void awaitRoutes(int... nodes) {
        StringBuilder wanted = new StringBuilder();
        for (int number : nodes) {
            wanted.append("10.1.%d.0/26 via 192.0.2.%d dev under onlink\n".formatted(number, number));
        }
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(
                                node.ip("route", "show", "proto", "112").replace(" \n", "\n"))
                        .isEqualTo(wanted.toString()));
    }

    private static RemoteNode self(String... prefixes) {
        return new RemoteNode(
                SELF.name(),
                List.of(new UnderlayEnd(IpAddress.parse("192.0.2.1"), 24)),
                Optional.of(new RemoteNode.Vtep(MacAddress.parse("02:00:00:00:00:01"), IpAddress.parse("10.1.1.0"))),
                java.util.Arrays.stream(prefixes).map(IpPrefix::parse).toList());
    }

    private static NodeRoute route(int number) {
        return NodeRoute.newBuilder()
                .setNode("node-" + number)
                .setUnderlayAddress("192.0.2." + number)
                .setUnderlayLength(24)
                .addPrefixes("10.1." + number + ".0/26")
                .build();
    }

    private static RouteUpdate full(String epoch, long sequence, NodeRoute... routes) {
        return RouteUpdate.newBuilder()
                .setEpoch(epoch)
                .setSequence(sequence)
                .setFull(RouteTable.newBuilder().addAllRoutes(List.of(routes)))
                .build();
    }

    private static RouteUpdate delta(String epoch, long sequence, List<NodeRoute> updated, List<String> removed) {
        return RouteUpdate.newBuilder()
                .setEpoch(epoch)
                .setSequence(sequence)
                .setDelta(RouteDelta.newBuilder().addAllUpdated(updated).addAllRemoved(removed))
                .build();
    }
}

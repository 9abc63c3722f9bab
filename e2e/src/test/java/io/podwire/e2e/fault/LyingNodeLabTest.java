package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.route.v1.Announcement;
import io.podwire.proto.route.v1.NodeRoute;
import io.podwire.proto.route.v1.RefusedPrefix;
import io.podwire.proto.route.v1.RouteUpdate;
import io.podwire.proto.route.v1.RoutesGrpc;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A node that announces what others own, over the real services: others' kernels send nothing its way. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class LyingNodeLabTest {
    private static final Duration SOON = Duration.ofSeconds(10);
    private static final Pattern VIA = Pattern.compile(" via ([0-9.]+) ");
    private static final String LIAR = "liar";
    private static final String LIARS_ADDRESS = "192.0.2.250";
    private static final String NOBODYS = "10.99.0.0/26";
    private static final String POOL = "lied-about";
    private static final String SINGLE = "10.246.7.5";

    private final Mesh mesh;
    private final MeshNode owner;
    private final MeshNode reader;
    private final ManagedChannel channel;
    private final TestPod pod = TestPod.make("lied-about");
    private final List<RouteUpdate> told = new CopyOnWriteArrayList<>();

    LyingNodeLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        owner = mesh.node("lied-owner");
        reader = mesh.node("lied-reader");
        channel = Grpc.newChannelBuilder(Mesh.ROUTE, InsecureChannelCredentials.create())
                .build();
    }

    @AfterEach
    void close() {
        channel.shutdownNow();
        var _ = owner.runtime().del(pod.eth0());
        owner.close();
        reader.close();
        pod.close();
    }

    @Test
    void whatIsNotItsOwnIsRefusedByNameAndReachesNobody() {
        owner.start();
        reader.start();
        String block = mesh.blocksOf(owner.name()).getFirst();
        mesh.createPool(POOL, "10.246.7.0/29", 30, "no-node-has-this-name");
        ObjectNode wants = JsonNodeFactory.instance.objectNode();
        wants.putArray("ips").add(SINGLE);
        CniRuntime.Outcome added = owner.runtime().add(pod.eth0(wants));
        assertThat(added.exitCode()).as("ADD: %s", added.text()).isZero();
        await("the reader is led to the owner").atMost(SOON).untilAsserted(() -> {
            assertThat(viaOf(block)).isNotEmpty();
            assertThat(viaOf(SINGLE)).isEqualTo(viaOf(block));
        });
        String via = viaOf(block);

        StreamObserver<Announcement> lies = RoutesGrpc.newStub(channel).exchange(new StreamObserver<>() {
            @Override
            public void onNext(RouteUpdate update) {
                told.add(update);
            }

            @Override
            public void onError(Throwable failure) {}

            @Override
            public void onCompleted() {}
        });
        lies.onNext(announcement(block, SINGLE + "/32", NOBODYS));
        await("each of them is refused")
                .atMost(SOON)
                .untilAsserted(() -> assertThat(refused())
                        .extracting(RefusedPrefix::getPrefix)
                        .containsExactlyInAnyOrder(block, SINGLE + "/32", NOBODYS));
        assertThat(refused())
                .filteredOn(refusal -> !refusal.getPrefix().equals(NOBODYS))
                .allSatisfy(refusal -> assertThat(refusal.getMessage()).contains("node " + LIAR, owner.name()));
        assertThat(viaOf(block)).isEqualTo(via);
        assertThat(viaOf(SINGLE)).isEqualTo(via);
        assertThat(Shell.output("ip", "-n", reader.name(), "route", "show")).doesNotContain(LIARS_ADDRESS);
        assertThat(owner.api().status().orElseThrow().getWarningsList())
                .as("of the owner nothing is refused")
                .isEmpty();
        String podwire = mesh.home().resolve("bin/podwire").toString();
        assertThat(Shell.output(podwire, "route", "list", "--server", Mesh.ROUTE))
                .contains("REFUSED", LIAR, NOBODYS);
        lies.onCompleted();
    }

    private List<RefusedPrefix> refused() {
        return told.stream()
                .filter(RouteUpdate::hasRefused)
                .reduce((_, last) -> last)
                .map(update -> update.getRefused().getPrefixesList())
                .orElse(List.of());
    }

    /** Where the reader's kernel sends what is for a prefix, or an address; empty: nowhere of its own. */
    private String viaOf(String prefix) {
        Matcher via =
                VIA.matcher(Shell.output("ip", "-n", reader.name(), "route", "show", "exact", prefix, "proto", "112"));
        return via.find() ? via.group(1) : "";
    }

    private static Announcement announcement(String... prefixes) {
        return Announcement.newBuilder()
                .setHandshake(
                        Handshake.newBuilder().setProtocol(1).setMinProtocol(1).setRelease("test"))
                .setNode(NodeEpoch.newBuilder()
                        .setNode(LIAR)
                        .setNodeUid("uid-of-the-liar")
                        .setBootId("boot")
                        .setCounter(1))
                .setRoute(NodeRoute.newBuilder()
                        .setNode(LIAR)
                        .setUnderlayAddress(LIARS_ADDRESS)
                        .setUnderlayLength(24)
                        .addAllPrefixes(List.of(prefixes)))
                .build();
    }
}

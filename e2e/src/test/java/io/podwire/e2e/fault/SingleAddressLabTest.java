package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.PingRun;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.AddressState;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A replica of a workload keeps its address on whatever node it runs, and whatever is killed meanwhile. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class SingleAddressLabTest {
    private static final Duration SOON = Duration.ofSeconds(10);
    private static final Duration PACE = Duration.ofMillis(50);
    /** Exit code of Runtime.halt at a fail point. */
    private static final int DIED = 137;

    private static final String NAMESPACE = "shop";
    private static final String WORKLOAD = "web";

    private final Mesh mesh;
    private final MeshNode one;
    private final MeshNode two;
    private final List<TestPod> pods = TestPod.make("single", 4);

    SingleAddressLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        one = mesh.node("single-a");
        two = mesh.node("single-b");
    }

    @AfterEach
    void close() {
        one.close();
        two.close();
        TestPod.deleteAll(pods);
        mesh.unreserve(NAMESPACE, WORKLOAD);
    }

    @Test
    void aReservedPodComesUpOnTheOtherNodeWithItsAddress() throws Exception {
        one.start();
        two.start();
        CniAttachment first = replica(pods.get(0));
        CniAttachment second = replica(pods.get(1));
        TestPod client = pods.get(2);
        String address = assertAdded(one, first);
        assertAdded(one, client.eth0());
        assertPinged(client, address);
        await("its node reports it").atMost(SOON).untilAsserted(() -> assertListed(one, address));
        assertThat(one.runtime().check(first).text()).as("CHECK").startsWith("exit code 0");

        ObjectNode wants = JsonNodeFactory.instance.objectNode();
        wants.putArray("ips").add(address);
        CniRuntime.Outcome refused = two.runtime().add(pods.get(3).eth0(wants));
        assertThat(refused.json().path("code").asInt())
                .as("ADD that wants it too: %s", refused.text())
                .isEqualTo(11);
        assertThat(refused.text()).contains(address, "pod shop/web-0", "on node single-a");
        CniRuntime.Outcome tooEarly = two.runtime().add(second);
        assertThat(tooEarly.json().path("code").asInt())
                .as("ADD of the replica while it runs: %s", tooEarly.text())
                .isEqualTo(11);

        assertDeleted(one, first);
        await("it stays reserved").atMost(SOON).until(() -> isReserved(address));
        assertThat(assertAdded(two, second)).as("on the other node").isEqualTo(address);
        assertPinged(client, address);
        await("the other node reports it").atMost(SOON).untilAsserted(() -> assertListed(two, address));
        assertThat(mesh.podwire("audit", "--cluster").stdout())
                .as("audit of the cluster")
                .doesNotContain(address);

        two.shim().kill();
        two.start();
        // What the reflector tells a node that begins anew is what the other one has announced since.
        one.shim().kill();
        one.start();
        assertPinged(client, address);
        assertThat(one.api().audit()).as("audit").isEmpty();
        assertThat(two.api().audit()).as("audit of the other").isEmpty();
        assertDeleted(two, second);
        assertDeleted(one, client.eth0());
        await("and reserved again").atMost(SOON).until(() -> isReserved(address));
    }

    @Test
    void aKillBetweenAllocationAndCommitLeavesNothing() {
        CniAttachment replica = replica(pods.get(0));
        one.start();
        String address = assertAdded(one, replica);
        assertDeleted(one, replica);
        for (String step : List.of("add.address", "add.intent", "add.rules", "del.release")) {
            one.shim().kill();
            one.start("--fail-point", step + "=kill");
            CniRuntime.Outcome added = one.runtime().add(replica);
            if (step.startsWith("add.")) {
                assertThat(added.ok())
                        .as("ADD that dies at %s: %s", step, added.text())
                        .isFalse();
            } else {
                assertThat(added.ok())
                        .as("ADD before %s: %s", step, added.text())
                        .isTrue();
                var _ = one.runtime().del(replica);
            }
            assertThat(one.shim().awaitEnd(SOON))
                    .as("exit code of the death at %s", step)
                    .isEqualTo(DIED);
            assertThat(mesh.address(address).getState())
                    .as("ipam-service knows nothing of the death at %s", step)
                    .isEqualTo(AddressState.ADDRESS_STATE_IN_USE);
            one.start();
            await("nobody has it after a death at " + step).atMost(SOON).until(() -> isReserved(address));
            assertThat(one.api().endpoints())
                    .as("attachments after a death at %s", step)
                    .isEmpty();
            assertThat(one.api().audit()).as("audit after a death at %s", step).isEmpty();
            assertThat(assertAdded(one, replica))
                    .as("after a death at %s", step)
                    .isEqualTo(address);
            assertDeleted(one, replica);
            await("and nobody again").atMost(SOON).until(() -> isReserved(address));
        }
    }

    /** The pod web-0 in this namespace and container. */
    private static CniAttachment replica(TestPod pod) {
        CniAttachment plain = CniAttachment.pod(
                NAMESPACE,
                WORKLOAD + "-0",
                "uid-" + pod.name(),
                pod.containerId(),
                pod.netns().toString());
        ObjectNode values = JsonNodeFactory.instance.objectNode();
        values.putObject("io.kubernetes.cri.pod-annotations").put("podwire.io/reserve", "true");
        return new CniAttachment(plain.containerId(), plain.netns(), plain.ifname(), plain.args(), values);
    }

    private boolean isReserved(String address) {
        Address now = mesh.address(address);
        return now.getState() == AddressState.ADDRESS_STATE_RESERVED
                && now.getReservedFor().getName().equals(WORKLOAD);
    }

    /** Once, with node, pod and the service's block. */
    private void assertListed(MeshNode node, String address) {
        Optional<Address> listed = mesh.addressesOf(node.name()).stream()
                .filter(a -> a.getAddress().equals(address))
                .reduce((_, _) -> {
                    throw new AssertionError(address + " is listed twice");
                });
        assertThat(listed).hasValueSatisfying(a -> {
            assertThat(a.getPod().getName()).isEqualTo("web-0");
            assertThat(a.getContainerId()).as("the node's report").isNotEmpty();
            assertThat(a.getOwnerId()).startsWith(node.name() + "/");
            assertThat(a.getReservedFor().getName()).isEqualTo(WORKLOAD);
            assertThat(a.getBlock()).isNotEmpty();
            assertThat(mesh.blocksOf(node.name())).doesNotContain(a.getBlock());
            assertThat(a.getOutsideOwnBlock()).isFalse();
        });
    }

    private static void assertPinged(TestPod from, String address) throws IOException, InterruptedException {
        try (PingRun ping = PingRun.start(from, address, PACE)) {
            ping.awaitReplies(3);
            var _ = ping.end();
        }
    }

    private static String assertAdded(MeshNode node, CniAttachment attachment) {
        CniRuntime.Outcome added = node.runtime().add(attachment);
        assertThat(added.exitCode())
                .as("ADD on %s: %s", node.name(), added.text())
                .isZero();
        return added.json().path("ips").path(0).path("address").asText().replace("/32", "");
    }

    private static void assertDeleted(MeshNode node, CniAttachment attachment) {
        CniRuntime.Outcome deleted = node.runtime().del(attachment);
        assertThat(deleted.exitCode())
                .as("DEL on %s: %s", node.name(), deleted.text())
                .isZero();
    }
}

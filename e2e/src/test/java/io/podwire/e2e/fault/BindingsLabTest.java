package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.AddressState;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** ListAddresses says who has which address on three nodes, whatever is killed meanwhile. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class BindingsLabTest {
    private static final Duration SOON = Duration.ofSeconds(5);
    /** Until gRPC's keepalive has noticed that a process is gone; its connection says so at once. */
    private static final Duration AWAY = Duration.ofSeconds(20);

    private final Mesh mesh;
    private final List<MeshNode> nodes = new ArrayList<>();

    BindingsLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        for (int i = 0; i < 3; i++) {
            nodes.add(mesh.node("bind-" + i, "--cool-down", "PT10M"));
        }
    }

    @AfterEach
    void close() {
        nodes.forEach(MeshNode::close);
    }

    @Test
    void everyAddressIsListedWithPodNodeAndBlockWhateverIsKilled() {
        nodes.forEach(MeshNode::start);
        List<TestPod> pods = TestPod.make("bound", 6);
        try {
            Map<String, String> given = new TreeMap<>();
            for (int i = 0; i < pods.size(); i++) {
                given.put(pods.get(i).name(), assertAdded(node(i), pods.get(i)));
            }
            await("every pod is listed").atMost(SOON).untilAsserted(() -> assertListed(given));

            CniRuntime.Outcome deleted = node(0).runtime().del(pods.getFirst().eth0());
            assertThat(deleted.ok()).as("DEL: %s", deleted.text()).isTrue();
            String released = given.remove(pods.getFirst().name());
            await("it cools down").atMost(SOON).untilAsserted(() -> assertCooling(released));
            await("the others stay").atMost(SOON).untilAsserted(() -> assertListed(given));

            mesh.ipam().kill();
            mesh.startAgain(mesh.ipam());
            await("complete again").atMost(SOON).untilAsserted(() -> {
                assertListed(given);
                assertCooling(released);
            });

            List<Address> before = mesh.addressesOf(node(1).name());
            node(1).shim().kill();
            await("the killed node is away")
                    .atMost(AWAY)
                    .untilAsserted(() -> assertThat(mesh.addressesOf(node(1).name()))
                            .isNotEmpty()
                            .allSatisfy(
                                    address -> assertThat(address.getReported().getConnected())
                                            .isFalse()));
            assertThat(plain(mesh.addressesOf(node(1).name())))
                    .as("what it reported stays")
                    .isEqualTo(plain(before));
            node(1).start();
            await("it is back").atMost(SOON).untilAsserted(() -> assertListed(given));
        } finally {
            for (int i = 0; i < pods.size(); i++) {
                if (node(i).shim().alive()) {
                    var _ = node(i).runtime().del(pods.get(i).eth0());
                }
            }
            TestPod.deleteAll(pods);
        }
    }

    /** Two pods on each. */
    private MeshNode node(int pod) {
        return nodes.get(pod % nodes.size());
    }

    private void assertListed(Map<String, String> given) {
        Map<String, String> listed = new TreeMap<>();
        for (MeshNode node : nodes) {
            List<String> blocks = mesh.blocksOf(node.name());
            for (Address address : mesh.addressesOf(node.name())) {
                assertThat(address.getNode()).as("node of %s", address).isEqualTo(node.name());
                assertThat(blocks).as("block of %s", address).contains(address.getBlock());
                assertThat(address.getPool()).as("pool of %s", address).isNotEmpty();
                assertThat(address.getOutsideOwnBlock()).as("%s", address).isFalse();
                assertThat(address.getReported().getConnected())
                        .as("%s is connected", node.name())
                        .isTrue();
                if (!address.getPod().getName().isEmpty()) {
                    assertThat(address.getState()).isEqualTo(AddressState.ADDRESS_STATE_IN_USE);
                    listed.put(address.getPod().getName(), address.getAddress());
                }
            }
        }
        assertThat(listed).as("addresses by pod").isEqualTo(given);
    }

    private void assertCooling(String address) {
        assertThat(mesh.addressesOf(node(0).name()))
                .filteredOn(a -> a.getAddress().equals(address))
                .singleElement()
                .satisfies(a -> {
                    assertThat(a.getState()).isEqualTo(AddressState.ADDRESS_STATE_COOLING);
                    assertThat(a.getPod().getName()).isEmpty();
                });
    }

    private static List<Address> plain(List<Address> addresses) {
        return addresses.stream()
                .map(address -> address.toBuilder().clearReported().build())
                .toList();
    }

    private static String assertAdded(MeshNode node, TestPod pod) {
        CniRuntime.Outcome added = node.runtime().add(pod.eth0());
        assertThat(added.exitCode())
                .as("ADD of %s: %s", pod.name(), added.text())
                .isZero();
        return added.json().path("ips").path(0).path("address").asText().replace("/32", "");
    }
}

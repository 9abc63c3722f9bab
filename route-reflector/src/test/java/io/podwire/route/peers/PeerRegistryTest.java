package io.podwire.route.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.route.peers.PeerRegistry.Source;
import io.podwire.route.reflect.bgp.LocalRouter;
import io.podwire.route.reflect.bgp.Origination;
import io.podwire.route.session.PeerSettings;
import io.podwire.route.session.SpeakerSettings;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PeerRegistryTest {
    private static final PeersFile.Peer TOR =
            PeersFile.peer(Map.of("name", "tor", "address", "192.0.2.10", "asn", "64513"));

    @TempDir
    private Path folder;

    private List<PeerSettings> told = List.of();
    private Set<NodeName> leaving = Set.of();

    @Test
    void whatCallersCreateOutlivesARestart() {
        PeerRegistry before = registry();
        assertThat(before.create(TOR).name()).isEqualTo("tor");
        before.setLeaving(new NodeName("node-1"), true);
        assertThat(before.create(TOR)).as("the same again").isEqualTo(told.getFirst());

        told = List.of();
        leaving = Set.of();
        PeerRegistry after = registry();
        assertThat(told).extracting(PeerSettings::name).containsExactly("tor");
        assertThat(leaving).containsExactly(new NodeName("node-1"));
        assertThat(after.source("tor")).contains(Source.GRPC);

        after.delete("tor");
        after.delete("tor");
        after.setLeaving(new NodeName("node-1"), false);
        assertThat(told).isEmpty();
        var _ = registry();
        assertThat(told).isEmpty();
        assertThat(leaving).isEmpty();
    }

    @Test
    void withoutAFileNothingIsPromised() {
        PeerRegistry registry = new PeerRegistry(fixed(), Optional.empty(), this::tell, this::leave);
        assertThatThrownBy(() -> registry.create(TOR))
                .isInstanceOf(ServiceException.class)
                .hasMessageContaining("--bgp-state-file");
        assertThatThrownBy(() -> registry.setLeaving(new NodeName("node-1"), true))
                .hasMessageContaining("--bgp-state-file");
        assertThat(told).isEmpty();
        assertThat(leaving).isEmpty();
    }

    @Test
    void onePeerHasOneDeclaration() {
        PeerRegistry registry = registry();
        assertThatThrownBy(() -> registry.create(peer("fixed", "192.0.2.11")))
                .isInstanceOf(ServiceException.class)
                .hasMessageContaining("options");
        assertThatThrownBy(() -> registry.create(peer("other", "192.0.2.9")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("192.0.2.9");
        assertThatThrownBy(() -> registry.delete("fixed")).hasMessageContaining("remove it there");
        var _ = registry.create(TOR);
        assertThatThrownBy(() -> registry.create(peer("tor", "192.0.2.12"))).hasMessageContaining("delete it first");

        registry.kubernetes(
                new TreeMap<>(Map.of("leaf", peer("leaf", "192.0.2.20"), "tor", peer("tor", "192.0.2.21"))), Set.of());
        assertThat(told)
                .as("the call's is kept, the object's left out")
                .extracting(PeerSettings::name)
                .containsExactly("tor", "leaf");
        assertThat(registry.source("leaf")).contains(Source.KUBERNETES);
        assertThatThrownBy(() -> registry.delete("leaf")).hasMessageContaining("BGPPeer");
    }

    @Test
    void cordonedNodesLeaveBesideThoseOfCallers() {
        PeerRegistry registry = registry();
        SortedMap<String, PeersFile.Peer> none = new TreeMap<>();
        registry.kubernetes(none, Set.of(new NodeName("node-2")));
        registry.setLeaving(new NodeName("node-1"), true);
        assertThat(leaving).containsExactlyInAnyOrder(new NodeName("node-1"), new NodeName("node-2"));
        registry.kubernetes(none, Set.of());
        assertThat(leaving).containsExactly(new NodeName("node-1"));
    }

    @Test
    void aFileThatIsNoneIsNamed() throws Exception {
        var _ = Files.writeString(folder.resolve("state.yaml"), "peers: 7\n");
        assertThatThrownBy(this::registry).hasMessageContaining("state.yaml");
    }

    @Test
    void whatCannotBeWrittenChangesNothing() throws Exception {
        Path gone = Files.createDirectory(folder.resolve("gone"));
        PeerRegistry registry = new PeerRegistry(
                fixed(), Optional.of(new StateFile(gone.resolve("state.yaml"))), this::tell, this::leave);
        Files.delete(gone);
        assertThatThrownBy(() -> registry.create(TOR))
                .isInstanceOfSatisfying(
                        ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.UNAVAILABLE))
                .hasMessageContaining("state.yaml");
        assertThat(registry.source("tor")).isEmpty();
        assertThat(told).isEmpty();
        var _ = Files.createDirectory(gone);
        assertThat(registry.create(TOR).name()).isEqualTo("tor");
    }

    /** Else one key that is gone would keep all routes of all nodes away. */
    @Test
    void aKeptPeerWhoseKeyIsGoneIsLeftOutUntilItIsMended() throws Exception {
        Path key = Files.writeString(folder.resolve("key"), "secret");
        PeersFile.Peer keyed = PeersFile.peer(
                Map.of("name", "keyed", "address", "192.0.2.12", "asn", "64513", "passwordFile", key.toString()));
        PeerRegistry before = registry();
        var _ = before.create(keyed);
        var _ = before.create(TOR);
        Files.delete(key);

        PeerRegistry after = registry();
        assertThat(told).extracting(PeerSettings::name).containsExactly("tor");
        assertThat(after.source("keyed")).as("kept").contains(Source.GRPC);
        assertThatThrownBy(() -> after.create(peer("keyed", "192.0.2.13"))).hasMessageContaining("delete it first");
        var _ = Files.writeString(key, "another");
        var _ = after.create(keyed);
        assertThat(told).extracting(PeerSettings::name).containsExactly("tor", "keyed");
        Files.delete(key);
        registry().delete("keyed");
        var _ = registry();
        assertThat(told).extracting(PeerSettings::name).containsExactly("tor");
    }

    private PeerRegistry registry() {
        return new PeerRegistry(
                fixed(), Optional.of(new StateFile(folder.resolve("state.yaml"))), this::tell, this::leave);
    }

    private void tell(List<PeerSettings> peers) {
        told = peers;
    }

    private void leave(Set<NodeName> nodes) {
        leaving = nodes;
    }

    private static PeersFile.Peer peer(String name, String address) {
        return PeersFile.peer(Map.of("name", name, "address", address, "asn", "64513"));
    }

    private static SpeakerSettings fixed() {
        IpAddress identifier = IpAddress.parse("192.0.2.1");
        return new SpeakerSettings(
                new LocalRouter(64512, identifier, identifier),
                "",
                0,
                List.of(PeersFile.settings(peer("fixed", "192.0.2.9"), 64512)),
                Origination.NONE,
                Duration.ZERO);
    }
}

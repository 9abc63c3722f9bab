package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.node.dataplane.FailPoints;
import io.podwire.node.dataplane.PodMtus;
import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Pods that are attached, and an underlay whose MTU changes. */
@Tag("netns")
@Timeout(60)
final class MtuFollowerNetnsTest {
    @TempDir
    Path folder;

    private final AtomicInteger wanted = new AtomicInteger(1450);
    private final AtomicInteger changes = new AtomicInteger();
    private FlowNode node;
    private MtuFollower follower;

    @BeforeEach
    void prepare() throws Exception {
        node = new FlowNode(folder);
        follower = follower();
    }

    private MtuFollower follower() {
        return new MtuFollower(
                node.node,
                node.wiring,
                new PodMtus(node.sockets),
                node.podMtu,
                1280,
                wanted::get,
                changes::incrementAndGet);
    }

    @AfterEach
    void stop() {
        node.close();
    }

    private void look(int mtu) throws Exception {
        wanted.set(mtu);
        node.onHost(() -> {
            follower.look();
            return true;
        });
    }

    @Test
    void bridgeAndBothEndsOfPodsFollowDownAndUp() throws Exception {
        Space pod = node.sandbox.add();
        Space own = node.sandbox.add();
        JsonNode result = node.added("c1", pod, "");
        node.added("c2", own, "\"mtu\":1400");
        for (int mtu : new int[] {1350, 1350, 1480}) {
            look(mtu);
            assertMtu(node.host, "pw0", mtu);
            assertMtu(node.host, attachment("c1").hostIfname(), mtu);
            assertMtu(pod, "eth0", mtu);
            assertThat(attachment("c1").mtu()).as("in the journal").isEqualTo(mtu);
            String address = result.path("ips").path(1).path("address").asText().split("/", -1)[0];
            assertThat(node.host.run("ping", "-M", "do", "-c1", "-W2", "-s", Integer.toString(mtu - 48), address))
                    .as("a packet of %d bytes", mtu)
                    .contains(" 0% packet loss");
            assertMtu(node.host, attachment("c2").hostIfname(), 1400);
            assertMtu(own, "eth0", 1400);
            assertThat(node.audit()).isEmpty();
            assertThat(node.checked("c1", pod, result)).isEmpty();
        }
        assertThat(changes).as("changes that others heard of").hasValue(2);
        Space next = node.sandbox.add();
        node.added("c3", next, "");
        assertMtu(next, "eth0", 1480);
    }

    @Test
    void aPodOfAJournalWithAnotherMtuFollowsAfterARestart() throws Exception {
        Space pod = node.sandbox.add();
        node.added("c1", pod, "");
        node.podMtu.set(1400);
        node.start(FailPoints.none());
        follower = follower();
        look(1400);
        assertMtu(pod, "eth0", 1400);
        assertThat(attachment("c1").mtu()).isEqualTo(1400);
    }

    @Test
    void limitsOfSpeedTakeTheLongerPackets() throws Exception {
        Space pod = node.sandbox.add();
        JsonNode result =
                node.added("c1", pod, "\"runtimeConfig\":{\"bandwidth\":{\"ingressRate\":1000000,\"ingressBurst\":8}}");
        look(4000);
        String address = result.path("ips").path(0).path("address").asText().split("/", -1)[0];
        assertThat(node.host.run("ping", "-M", "do", "-c1", "-W2", "-s", "3900", address))
                .contains(" 0% packet loss");
        assertThat(node.checked("c1", pod, result)).isEmpty();
    }

    @Test
    void anUnderlayThatLeavesPodsTooLittleChangesNothing() throws Exception {
        Space pod = node.sandbox.add();
        node.added("c1", pod, "");
        look(1279);
        assertMtu(pod, "eth0", 1450);
        assertMtu(node.host, "pw0", 1450);
        assertThat(node.podMtu).hasValue(1450);
        look(1280);
        assertMtu(pod, "eth0", 1280);
    }

    @Test
    void aPodWhoseNamespaceIsGoneHoldsUpNoOther() throws Exception {
        Space gone = node.sandbox.add();
        Space pod = node.sandbox.add();
        node.added("c1", gone, "");
        node.added("c2", pod, "");
        node.sandbox.remove(gone);
        look(1400);
        assertMtu(pod, "eth0", 1400);
    }

    private Attachment attachment(String id) {
        return node.node.attachments().get(new EndpointKey(id, "eth0")).orElseThrow();
    }

    private static void assertMtu(Space space, String link, int mtu) {
        assertThat(space.ip("link", "show", link)).as("%s", link).contains("mtu " + mtu + " ");
    }
}

package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.dataplane.FailPoints;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.SingleAnswer;
import io.podwire.node.plan.SingleWish;
import io.podwire.node.plan.SingleWish.What;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** ADD, CHECK and DEL of pods with addresses of ipam-service's own blocks. */
@Tag("netns")
@Timeout(120)
final class SingleFlowsNetnsTest {
    private static final String RESERVE =
            "\"runtimeConfig\":{\"io.kubernetes.cri.pod-annotations\":{\"podwire.io/reserve\":\"true\"}}";
    private static final String NAMED = "\"runtimeConfig\":{\"ips\":[\"10.9.0.5\"]}";
    private static final String WEB_0 = "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0";

    @TempDir
    Path folder;

    private final Ipam ipam = new Ipam();
    private FlowNode node;
    private Space pod;

    /** Gives whatever is asked for, to one attachment. */
    private final class Ipam extends NoServices {
        private final List<SingleWish> wishes = new ArrayList<>();
        private final List<EndpointKey> released = new ArrayList<>();
        private CompletableFuture<Void> told = CompletableFuture.completedFuture(null);
        private SingleAnswer refusal;
        private int announcements;

        @Override
        public SingleAnswer allocate(SingleWish wish, Duration longest) {
            wishes.add(wish);
            if (refusal != null) {
                return refusal;
            }
            List<IpAddress> given = switch (wish.what()) {
                case What.These(List<IpAddress> addresses) -> addresses;
                case What.ReservedFor _ -> List.of(IpAddress.parse("10.9.0.9"), IpAddress.parse("fd00:9::9"));
            };
            node.book.lend(wish.key(), given);
            return new SingleAnswer.Given(given);
        }

        @Override
        public void releaseSingles(EndpointKey key) {
            assertThat(node.book.heldBy(key)).as("nobody has it here any more").isEmpty();
            released.add(key);
        }

        @Override
        public CompletableFuture<Void> announceSingles() {
            announcements++;
            return told;
        }
    }

    @BeforeEach
    void prepare() throws Exception {
        node = new FlowNode(folder);
        node.services = ipam;
        node.start(FailPoints.none());
        pod = node.sandbox.add();
    }

    @AfterEach
    void stop() {
        node.close();
    }

    @Test
    void aPodThatNamesNothingAsksNobody() throws Exception {
        node.added("c1", pod, "");
        node.added("c2", node.sandbox.add(), "\"runtimeConfig\":{\"ips\":[\"10.1.0.5\"]}");
        assertThat(ipam.wishes).isEmpty();
        assertThat(ipam.announcements).isZero();
    }

    @Test
    void aNamedAddressOfNoBlockIsAskedForWithOneOfTheOtherFamilyFromTheNodes() throws Exception {
        JsonNode result = node.added("c1", pod, NAMED);
        assertThat(ipam.wishes)
                .extracting(SingleWish::what)
                .containsExactly(new What.These(List.of(IpAddress.parse("10.9.0.5"))));
        assertThat(ipam.announcements).isOne();
        assertThat(pod.ip("-o", "addr", "show", "dev", "eth0")).contains("10.9.0.5/32", "fd00:1::");
        assertThat(node.host.run("ping", "-c1", "-W2", "10.9.0.5")).contains(" 0% packet loss");
        assertThat(node.checked("c1", pod, result)).isEmpty();
        assertThat(node.added("c1", pod, NAMED)).as("again").isEqualTo(result);
        assertThat(ipam.wishes).hasSize(1);
        Space other = node.sandbox.add();
        assertThat(node.refused("c2", other, "", NAMED).toString()).contains("10.9.0.5 is taken", "c1/eth0");
        ipam.released.clear();

        node.deleted("c1", pod);
        assertThat(ipam.released).containsExactly(new EndpointKey("c1", "eth0"));
        assertThat(node.book.cooling(node.time.monotonic()))
                .as("of the node's blocks")
                .extracting(IpAddress::family)
                .containsExactly(IpFamily.V6);
        node.assertNothingLeft();
        node.added("c2", other, NAMED);
    }

    @Test
    void aReplicaAsksForWhatIsReservedForItInEveryFamily() throws Exception {
        assertThat(node.call("ADD", "c1", pod, WEB_0, RESERVE).getExitCode()).isZero();
        SingleWish wish = ipam.wishes.getFirst();
        assertThat(wish.what()).hasToString("the address reserved for shop/web-0");
        assertThat(((What.ReservedFor) wish.what()).families()).containsExactly(IpFamily.V4, IpFamily.V6);
        assertThat(pod.ip("-o", "addr", "show", "dev", "eth0")).contains("10.9.0.9/32", "fd00:9::9/128");
        assertThat(node.refused("c2", node.sandbox.add(), "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web", RESERVE)
                        .path("code")
                        .asInt())
                .as("a pod whose name is no replica's")
                .isEqualTo(7);
    }

    @Test
    void aRefusalIsToldAndTakesNothing() throws Exception {
        ipam.refusal = new SingleAnswer.NotNow("10.9.0.5 belongs to pod shop/db-0 on node n2");
        JsonNode error = node.refused("c1", pod, "", NAMED);
        assertThat(error.path("code").asInt()).isEqualTo(11);
        assertThat(error.toString()).contains("address 10.9.0.5 cannot be had", "pod shop/db-0 on node n2");
        ipam.refusal = new SingleAnswer.Never("10.9.0.5 is in no pool");
        assertThat(node.refused("c1", pod, "", NAMED).path("code").asInt()).isEqualTo(7);
        assertThat(node.book.heldBy(new EndpointKey("c1", "eth0"))).isEmpty();
        node.assertNothingLeft();
    }

    @Test
    void whereTheOtherFamilyCannotBeHadItGoesBack() throws Exception {
        node.added("c1", pod, "\"runtimeConfig\":{\"ips\":[\"fd00:1::5\"]}");
        JsonNode error =
                node.refused("c2", node.sandbox.add(), "", "\"runtimeConfig\":{\"ips\":[\"10.9.0.5\",\"fd00:1::5\"]}");
        assertThat(error.toString()).contains("fd00:1::5 is taken", "c1/eth0");
        assertThat(ipam.wishes).hasSize(1);
        assertThat(ipam.released).containsExactly(new EndpointKey("c2", "eth0"));
        assertThat(node.book.lent()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"add.address", "add.intent", "add.pod", "add.rules"})
    void anAddThatFailsGivesItBack(String step) throws Exception {
        node.start(FailPoints.of(Map.of(step, "error")));
        assertThat(node.call("ADD", "c1", pod, WEB_0, RESERVE).getExitCode()).isOne();
        assertThat(ipam.released).containsExactly(new EndpointKey("c1", "eth0"));
        assertThat(node.book.lent()).isEmpty();
        node.assertNothingLeft();
    }

    @Test
    void aPodThatOthersCannotReachDoesNotStart() throws Exception {
        ipam.told = CompletableFuture.failedFuture(new IllegalStateException("no tunnel"));
        JsonNode error = node.refused("c1", pod, "", NAMED);
        assertThat(error.path("code").asInt()).isEqualTo(11);
        assertThat(error.toString()).contains("route-reflector", "no tunnel");
        assertThat(ipam.released).containsExactly(new EndpointKey("c1", "eth0"));
        node.assertNothingLeft();
    }
}

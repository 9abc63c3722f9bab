package io.podwire.ipam;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.podwire.ipam.store.EtcdExtension;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.ipam.v1.Block;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class EtcdIpamServiceTest extends IpamServiceContract {
    @RegisterExtension
    static final EtcdExtension ETCD = new EtcdExtension();

    /** The same for all that one test starts. */
    private final List<String> options = ETCD.newStoreOptions();

    @Override
    List<String> storeOptions() {
        return options;
    }

    @Test
    void etcdKilledUnderClaimsKeepsThemAndMakesEachOnce() throws Exception {
        create("big", "10.8.0.0/16", 26);
        NodeEpoch node = node("n1", "uid-1", 1);
        CountDownLatch some = new CountDownLatch(5);
        CompletableFuture<List<Block>> claims = CompletableFuture.supplyAsync(() -> IntStream.range(0, 40)
                .mapToObj(i -> {
                    Block block = retried(node, "r" + i);
                    some.countDown();
                    return block;
                })
                .toList());
        assertThat(some.await(20, TimeUnit.SECONDS))
                .as("five claims are answered")
                .isTrue();
        ETCD.server().kill();
        ETCD.server().start();
        List<Block> answered = claims.get(30, TimeUnit.SECONDS);
        assertThat(list("n1")).as("one block a request").containsExactlyInAnyOrderElementsOf(answered);
        for (int i = 0; i < answered.size(); i++) {
            assertThat(retried(node, "r" + i)).as("the same request again").isEqualTo(answered.get(i));
        }
    }

    /** Claims as a node does: the same request until it is answered. */
    private Block retried(NodeEpoch node, String requestId) {
        while (true) {
            try {
                return claim(node, requestId);
            } catch (StatusRuntimeException e) {
                assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
            }
        }
    }
}

package io.podwire.policy.watch;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Which lists of a cluster's objects are not believed at once. */
class DoubtfulListTest {
    private static ClusterSnapshot with(ClusterSnapshot before, String name) {
        Pod pod = new Pod(new PodKey("x", name), "", Map.of(), "node-a", Set.of(), false, false, List.of());
        return ClusterDelta.of(new Change.PodSet(pod)).applyTo(before);
    }

    @Test
    void aListThatLostMoreThanHalfIsDoubted() {
        ClusterSnapshot one = with(ClusterSnapshot.EMPTY, "a");
        ClusterSnapshot two = with(one, "b");
        ClusterSnapshot three = with(two, "c");
        assertThat(KubernetesSource.isDoubtful(two, one)).as("half").isFalse();
        assertThat(KubernetesSource.isDoubtful(three, one)).as("two of three").isTrue();
        assertThat(KubernetesSource.isDoubtful(two, ClusterSnapshot.EMPTY))
                .as("all")
                .isTrue();
        assertThat(KubernetesSource.isDoubtful(ClusterSnapshot.EMPTY, two))
                .as("more")
                .isFalse();
    }
}

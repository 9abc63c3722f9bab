package io.podwire.policy.watch;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import org.junit.jupiter.api.Test;

class KeyStoreTest {
    @Test
    void onlyWhatNamesAnObjectAndItsVersionIsKept() {
        KeyStore<Pod> store = new KeyStore<>(Pod::new);
        Pod pod = new PodBuilder()
                .withNewMetadata()
                .withNamespace("x")
                .withName("a")
                .withUid("u")
                .withResourceVersion("7")
                .addToLabels("app", "a")
                .addToAnnotations("long", "text".repeat(1000))
                .endMetadata()
                .withNewSpec()
                .addNewContainer()
                .withImage("image")
                .endContainer()
                .endSpec()
                .withNewStatus()
                .withPodIP("10.0.0.1")
                .endStatus()
                .build();
        String key = store.getKey(pod);
        assertThat(store.put(key, pod)).as("before").isNull();
        Pod bare = new PodBuilder()
                .withNewMetadata()
                .withNamespace("x")
                .withName("a")
                .withUid("u")
                .withResourceVersion("7")
                .endMetadata()
                .build();
        assertThat(store.values()).containsExactly(bare);
        assertThat(store.getKey(bare)).isEqualTo(key);
        assertThat(store.isFullState()).isFalse();
        assertThat(store.remove(key)).isEqualTo(bare);
        assertThat(store.size()).isZero();
    }
}

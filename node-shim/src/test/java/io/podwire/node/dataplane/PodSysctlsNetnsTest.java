package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Settings of a real pod's namespace, which are nobody else's. */
@Tag("netns")
final class PodSysctlsNetnsTest {
    private static final Path PROC = Path.of("/proc/sys");

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private final PodSysctls sysctls = new PodSysctls(PROC);

    @AfterEach
    void close() {
        sandbox.close();
    }

    @Test
    void theyAreThePodsAlone() throws Exception {
        Space pod = sandbox.add();
        Path here = PROC.resolve("net/core/somaxconn");
        String before = Files.readString(here);
        TreeMap<String, String> settings =
                new TreeMap<>(Map.of("net/core/somaxconn", "777", "net/ipv4/ip_local_port_range", "20000 30000"));
        sysctls.apply(pod.netns(), settings);
        assertThat(pod.run("cat", "/proc/sys/net/core/somaxconn")).isEqualTo("777\n");
        assertThat(Files.readString(here)).as("the node's").isEqualTo(before);
        assertThat(sysctls.check(pod.netns(), settings)).isEmpty();

        pod.run("sh", "-c", "echo 778 > /proc/sys/net/core/somaxconn");
        assertThat(sysctls.check(pod.netns(), settings))
                .extracting(Finding::name)
                .containsExactly("net/core/somaxconn");
    }

    @Test
    void whatTheKernelHasNotOrDoesNotTakeIsTold() {
        Space pod = sandbox.add();
        assertThat(refused(pod, "net/ipv4/tcp_such_a_thing", "1").missing()).isTrue();
        RefusedException value = refused(pod, "net/core/somaxconn", "many");
        assertThat(value.missing()).isFalse();
        assertThat(value).hasMessageContaining("\"many\"").hasMessageContaining("net/core/somaxconn");
    }

    private RefusedException refused(Space pod, String key, String value) {
        RefusedException refused = catchThrowableOfType(
                RefusedException.class, () -> sysctls.apply(pod.netns(), new TreeMap<>(Map.of(key, value))));
        assertThat(refused).isNotNull();
        return refused;
    }
}

package io.podwire.e2e.mesh;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.cli.lab.CniAttachment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;
import java.util.stream.IntStream;

/**
 * A network namespace that stands for a container, attached or not. Closing it deletes the namespace.
 *
 * @param name also the namespace's name below /run/netns
 * @param containerId as long as containerd's
 */
public record TestPod(String name, String containerId) implements AutoCloseable {
    /** A pod with a namespace of its own. */
    public static TestPod make(String name) {
        return make(name, 1).getFirst();
    }

    /** Pods NAME-0, NAME-1, ... with a namespace each; a single one is called NAME. */
    public static List<TestPod> make(String name, int count) {
        List<TestPod> pods = IntStream.range(0, count)
                .mapToObj(i -> named(count == 1 ? name : name + "-" + i))
                .toList();
        Shell.ipBatch(pods.stream().map(pod -> "netns add " + pod.name()).toList());
        return pods;
    }

    /** A pod that has no namespace. */
    public static TestPod named(String name) {
        String uuid = UUID.nameUUIDFromBytes(name.getBytes(StandardCharsets.UTF_8))
                .toString()
                .replace("-", "");
        return new TestPod(name, uuid + uuid);
    }

    /** Path of its namespace. */
    public Path netns() {
        return Path.of("/run/netns", name);
    }

    /** Its eth0, as a runtime names it. */
    public CniAttachment eth0() {
        return CniAttachment.pod("default", name, "uid-" + name, containerId, netns().toString());
    }

    /** Its eth0 with values for capabilities. */
    public CniAttachment eth0(JsonNode capabilities) {
        CniAttachment eth0 = eth0();
        return new CniAttachment(containerId, eth0.netns(), eth0.ifname(), eth0.args(), capabilities);
    }

    /** A further interface of the same container. */
    public CniAttachment link(String ifname) {
        CniAttachment eth0 = eth0();
        return new CniAttachment(containerId, eth0.netns(), ifname, eth0.args(), eth0.capabilities());
    }

    /** Deletes the namespaces of several pods. */
    public static void deleteAll(List<TestPod> pods) {
        Shell.ipBatch(pods.stream().map(pod -> "netns delete " + pod.name()).toList());
    }

    /** Deletes its namespace where it is still there. */
    @Override
    public void close() {
        var _ = Shell.attempt("ip", "netns", "delete", name);
    }
}

package io.podwire.e2e.cri;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.podwire.e2e.cri.v1.ListPodSandboxRequest;
import io.podwire.e2e.cri.v1.PodSandboxConfig;
import io.podwire.e2e.cri.v1.PodSandboxState;
import io.podwire.e2e.cri.v1.PodSandboxStatusRequest;
import io.podwire.e2e.cri.v1.PodSandboxStatusResponse;
import io.podwire.e2e.cri.v1.RemovePodSandboxRequest;
import io.podwire.e2e.cri.v1.RunPodSandboxRequest;
import io.podwire.e2e.cri.v1.StopPodSandboxRequest;
import io.podwire.e2e.mesh.KernelDump;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.proto.node.v1.Endpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** containerd and runc attach pod sandboxes through cni-shim, asked by the calls that kubelet makes. */
@Tag("interop")
@ExtendWith(SharedMesh.class)
final class ContainerdInteropTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String NAMESPACE = "cri";
    private static final Duration SOON = Duration.ofSeconds(15);

    private final Mesh mesh;
    private MeshNode node;
    private Containerd containerd;

    ContainerdInteropTest(Mesh mesh) {
        this.mesh = mesh;
    }

    private record Sandbox(String id, String address, Path netns) {}

    @BeforeEach
    void start() throws IOException {
        List<String> missing = new ArrayList<>();
        for (String program : List.of("containerd", "ctr", "runc", "gcc")) {
            if (!Shell.installed(program)) {
                missing.add(program);
            }
        }
        assumeTrue(missing.isEmpty(), "no test with a real runtime: not installed are " + missing);
        assumeTrue(
                Files.isWritable(Path.of("/sys/fs/cgroup")) && isInitialUser(),
                "no test with a real runtime: it needs root and writable cgroups");
        node = mesh.node("cri");
        node.start();
        containerd = new Containerd(mesh, node);
        containerd.start();
    }

    /** False in a user namespace, where runc is refused what it needs. */
    private static boolean isInitialUser() throws IOException {
        return Files.readString(Path.of("/proc/self/uid_map")).strip().matches("0\\s+0\\s+4294967295");
    }

    @AfterEach
    void stop() throws IOException {
        mesh.remove("deny-labelled");
        mesh.remove("deny-all");
        if (containerd != null) {
            containerd.close();
        }
        if (node != null) {
            node.close();
        }
    }

    @Test
    void sandboxesReachEachOtherAndLeaveNothing() throws Exception {
        KernelDump clean = node.dump();
        int free = node.api().freeAddresses();
        assertThat(containerd.networkReady()).as("network without a conflist").isFalse();
        containerd.installConflist("""
                {
                  "cniVersion": "1.0.0",
                  "name": "podwire",
                  "plugins": [{"type": "podwire", "socket": "%s", "spool": "%s"}]
                }
                """.formatted(node.socket(), node.spool()));
        await("containerd loads the conflist").atMost(SOON).until(containerd::networkReady);

        Sandbox one = run("one");
        Sandbox two = run("two");
        assertThat(node.api().endpoints())
                .as("attachments, by what the runtime said in CNI_ARGS")
                .extracting(
                        Endpoint::getContainerId,
                        e -> e.getPod().getName(),
                        e -> e.getPod().getUid(),
                        Endpoint::getAddress)
                .containsExactlyInAnyOrder(
                        tuple(one.id(), "one", "uid-one", one.address()),
                        tuple(two.id(), "two", "uid-two", two.address()));
        assertThat(node.api().audit()).as("audit with two sandboxes").isEmpty();
        assertThat(ping(one, two)).as("ping from one to two").isTrue();
        assertThat(ping(two, one)).as("ping from two to one").isTrue();
        assertThat(Shell.output("nsenter", "--net=" + one.netns(), "--", "ip", "-br", "link", "show", "lo"))
                .as("lo of a sandbox, by the binary called loopback")
                .contains("UP");

        undeclaredPodsAreJudgedWithoutLabels(one, two);

        for (Sandbox sandbox : List.of(one, two)) {
            remove(sandbox);
        }
        assertThat(containerd
                        .calls()
                        .listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                        .getItemsList())
                .as("sandboxes")
                .isEmpty();
        node.assertUnchanged(clean, "after both sandboxes");
        assertThat(node.api().endpoints()).as("attachments").isEmpty();
        assertThat(node.api().audit()).as("audit").isEmpty();
        assertThat(node.api().freeAddresses()).as("free addresses").isEqualTo(free);
        assertThat(containerd.mountedNamespaces()).as("network namespaces").isEmpty();
        assertThat(Containerd.sandboxCgroups()).as("cgroups of sandboxes").noneMatch(this::hasProcesses);
    }

    /** The sandboxes have labels, but no object declares their pods: only policies for every pod select them. */
    private void undeclaredPodsAreJudgedWithoutLabels(Sandbox one, Sandbox two) throws IOException {
        mesh.apply("deny-labelled", denyIngress("deny-labelled", "matchLabels: {app: pause}"));
        mesh.apply("deny-all", denyIngress("deny-all", ""));
        await("a policy for every pod cuts the sandboxes").atMost(SOON).until(() -> !ping(one, two));
        mesh.remove("deny-all");
        await("the policy for a label alone does not").atMost(SOON).until(() -> ping(one, two));
        mesh.remove("deny-labelled");
    }

    private static String denyIngress(String name, String selector) {
        return """
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata:
                  namespace: %s
                  name: %s
                spec:
                  podSelector: {%s}
                  policyTypes: [Ingress]
                """.formatted(NAMESPACE, name, selector);
    }

    private Sandbox run(String name) throws JsonProcessingException {
        PodSandboxConfig.Builder config =
                PodSandboxConfig.newBuilder().setHostname(name).setLogDirectory("/run/podwire-cri/pods");
        config.getMetadataBuilder().setName(name).setNamespace(NAMESPACE).setUid("uid-" + name);
        config.putLabels("app", "pause")
                .putLabels("io.kubernetes.pod.name", name)
                .putLabels("io.kubernetes.pod.namespace", NAMESPACE)
                .putLabels("io.kubernetes.pod.uid", "uid-" + name);
        config.getLinuxBuilder().setCgroupParent("/" + Containerd.CGROUP + "/pod-" + name);
        String id = containerd
                .calls()
                .runPodSandbox(
                        RunPodSandboxRequest.newBuilder().setConfig(config).build())
                .getPodSandboxId();
        PodSandboxStatusResponse status = status(id);
        assertThat(status.getStatus().getState()).as("state of %s", name).isEqualTo(PodSandboxState.SANDBOX_READY);
        String address = status.getStatus().getNetwork().getIp();
        assertThat(address).as("address of %s, as kubelet gets it", name).startsWith("10.244.");
        return new Sandbox(id, address, netns(JSON.readTree(status.getInfoOrThrow("info"))));
    }

    private PodSandboxStatusResponse status(String id) {
        return containerd
                .calls()
                .podSandboxStatus(PodSandboxStatusRequest.newBuilder()
                        .setPodSandboxId(id)
                        .setVerbose(true)
                        .build());
    }

    private static Path netns(JsonNode info) {
        for (JsonNode namespace : info.path("runtimeSpec").path("linux").path("namespaces")) {
            if (namespace.path("type").asText().equals("network")) {
                return Path.of(namespace.path("path").asText());
            }
        }
        throw new IllegalStateException("containerd names no network namespace: " + info);
    }

    /** As kubelet: stop, then remove, both with a DEL; and once more, since both may be repeated. */
    private void remove(Sandbox sandbox) {
        for (int i = 0; i < 2; i++) {
            var _ = containerd
                    .calls()
                    .stopPodSandbox(StopPodSandboxRequest.newBuilder()
                            .setPodSandboxId(sandbox.id())
                            .build());
            assertThat(status(sandbox.id()).getStatus().getState())
                    .as("state after StopPodSandbox")
                    .isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        }
        for (int i = 0; i < 2; i++) {
            var _ = containerd
                    .calls()
                    .removePodSandbox(RemovePodSandboxRequest.newBuilder()
                            .setPodSandboxId(sandbox.id())
                            .build());
        }
    }

    private static boolean ping(Sandbox from, Sandbox to) {
        return Shell.attempt("nsenter", "--net=" + from.netns(), "--", "ping", "-n", "-c", "1", "-W", "1", to.address())
                        .exitCode()
                == 0;
    }

    private boolean hasProcesses(Path cgroup) {
        try {
            return !Files.readString(cgroup.resolve("cgroup.procs")).isBlank();
        } catch (IOException _) {
            return false;
        }
    }
}

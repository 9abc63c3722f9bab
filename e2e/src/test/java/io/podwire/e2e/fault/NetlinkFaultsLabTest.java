package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.node.v1.NodeStatus;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * System calls of node-shim fail now and then, by strace(1), in ADDs and DELs: each call succeeds or says why not, node-shim
 * goes on, and after the runtime's DELs nothing is left. The calls are those by which it speaks with the kernel, and
 * partly with cni-shim and the services too.
 */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class NetlinkFaultsLabTest {
    private static final Duration SOON = Duration.ofSeconds(20);
    private static final int PODS = 3;

    /**
     * What fails, and when: "5+7" is the fifth call and each seventh after it, of each thread. sendto and recvfrom are
     * rtnetlink's, and nf_tables' for members of sets; sendmsg and recvmsg are libnftables'.
     */
    private static final List<Fault> FAULTS = List.of(
            new Fault("sendto", "ENOBUFS", "3+5"),
            new Fault("sendto", "ENOMEM", "2+7"),
            new Fault("sendto", "EINTR", "1+3"),
            new Fault("recvfrom", "ENOBUFS", "4+7"),
            new Fault("recvfrom", "ENOMEM", "3+5"),
            new Fault("recvfrom", "EINTR", "1+3"),
            new Fault("sendmsg", "ENOBUFS", "1+2"),
            new Fault("sendmsg", "ENOMEM", "2+3"),
            new Fault("recvmsg", "ENOBUFS", "2+5"),
            new Fault("recvmsg", "ENOMEM", "3+4"),
            new Fault("recvmsg", "EINTR", "1+3"));

    private final Mesh mesh;
    private final MeshNode node;

    private record Fault(String call, String error, String when) {
        @Override
        public String toString() {
            return error + " at call " + when + " of " + call;
        }
    }

    NetlinkFaultsLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        this.node = mesh.node("faults");
    }

    @AfterEach
    void close() throws IOException {
        mesh.remove("faults");
        node.close();
    }

    @Test
    void everyCallIsAllOrNothing() throws Exception {
        assumeThat(Shell.attempt("strace", "--version").exitCode())
                .as("strace is not installed, so no system call can be made to fail")
                .isZero();
        node.start();
        CleanNode clean = CleanNode.warm(node);
        int port = 1000;
        for (Fault fault : FAULTS) {
            port++;
            long pid = node.shim().pid();
            List<TestPod> pods = TestPod.make("victim", PODS);
            try {
                List<String> outcomes = new ArrayList<>();
                Process strace = inject(fault, pid);
                try {
                    for (TestPod pod : pods) {
                        outcomes.add(outcome("ADD", node.runtime().add(faulted(pod))));
                        // Its chains change while it is there, or is expected.
                        mesh.apply("faults", policy(port + 100 * outcomes.size()));
                        outcomes.add(outcome("DEL", node.runtime().del(faulted(pod))));
                    }
                } finally {
                    strace.destroy();
                    strace.waitFor();
                }
                System.out.println(fault + ": " + outcomes);
                survived(fault, clean, pid);
                for (TestPod pod : pods) {
                    await("DEL after " + fault)
                            .atMost(SOON)
                            .until(() -> node.runtime().del(faulted(pod)).ok());
                }
            } finally {
                TestPod.deleteAll(pods);
            }
            await("node-shim is ready after " + fault)
                    .atMost(SOON)
                    .until(() ->
                            node.api().status().filter(NodeStatus::getReady).isPresent());
            node.awaitDrained();
            mesh.remove("faults");
            await("nothing is left after " + fault)
                    .atMost(SOON)
                    .untilAsserted(() -> clean.assertSame("after " + fault));
            clean.assertWorks("after " + fault);
        }
    }

    /** Chains of its own for each port, so that libnftables has to write them. */
    private static String policy(int port) {
        return """
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: faults, namespace: faults}
                spec:
                  podSelector: {}
                  policyTypes: [Ingress]
                  ingress:
                    - ports: [{protocol: TCP, port: PORT}]
                """.replace("PORT", Integer.toString(port));
    }

    private static CniAttachment faulted(TestPod pod) {
        return CniAttachment.pod(
                "faults",
                pod.name(),
                "uid",
                pod.eth0().containerId(),
                pod.netns().toString());
    }

    /**
     * libnftables 1.0.6 ends the process where recvmsg gives EINTR, which it does not without strace: the JVM's signal
     * handlers have SA_RESTART. Then the next life of node-shim leaves nothing.
     */
    private void survived(Fault fault, CleanNode clean, long pid) {
        if (!node.shim().alive()
                && fault.call().equals("recvmsg")
                && fault.error().equals("EINTR")) {
            assertThat(node.shim().logged("nf_tables kernel ABI is broken"))
                    .as("libnftables' last words")
                    .isPositive();
            node.shim().kill();
            node.start();
            clean.otherLife();
            return;
        }
        assertThat(node.shim().alive())
                .as(
                        "node-shim lives after %s; the end of its log: %s",
                        fault, node.shim().logTail())
                .isTrue();
        assertThat(node.shim().pid()).as("the same process").isEqualTo(pid);
    }

    private static String outcome(String verb, CniRuntime.Outcome outcome) {
        return verb + (outcome.ok() ? " ok" : " failed");
    }

    /** Makes calls fail from when this returns until the process is ended. */
    private static Process inject(Fault fault, long pid) throws IOException {
        Process strace = new ProcessBuilder(
                        "strace",
                        "-f",
                        "-qq",
                        "-o",
                        "/dev/null",
                        "-p",
                        Long.toString(pid),
                        "-e",
                        "trace=" + fault.call(),
                        "-e",
                        "inject=" + fault.call() + ":error=" + fault.error() + ":when=" + fault.when())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        await("strace has all threads of node-shim")
                .atMost(SOON)
                .failFast("strace ended", () -> !strace.isAlive())
                .until(() -> traced(pid));
        return strace;
    }

    private static boolean traced(long pid) {
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(Path.of("/proc", Long.toString(pid), "task"))) {
            for (Path thread : threads) {
                if (Files.readString(thread.resolve("status")).contains("TracerPid:\t0\n")) {
                    return false;
                }
            }
            return true;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

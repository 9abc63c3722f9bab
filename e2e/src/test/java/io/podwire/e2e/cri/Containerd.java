package io.podwire.e2e.cri;

import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.podwire.common.service.UnixSockets;
import io.podwire.e2e.cri.v1.RuntimeServiceGrpc;
import io.podwire.e2e.cri.v1.StatusRequest;
import io.podwire.e2e.cri.v1.VersionRequest;
import io.podwire.e2e.mesh.Daemon;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.Shell;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A containerd of the distribution's package on one node, with every path its own, that calls cni-shim.
 *
 * <p>It runs in a pid namespace, so that its end ends every shim and sandbox, and in a mount namespace in
 * which libcni's cache is private. Its folder is a shared mount: there it mounts sandboxes' network
 * namespaces, and node-shim outside has to see them.
 */
final class Containerd implements AutoCloseable {
    private static final Duration READY = Duration.ofSeconds(60);
    private static final int CALL_SECONDS = 60;
    private static final Path CGROUPS = Path.of("/sys/fs/cgroup");

    /** Parent of the sandboxes' cgroups. A runtime makes it and leaves it: removing it is kubelet's work. */
    static final String CGROUP = "podwire-e2e";

    private final Path folder = Path.of("/run/podwire-cri");
    private final Daemon daemon;
    private final ManagedChannel channel;

    Containerd(Mesh mesh, MeshNode node) throws IOException {
        Files.createDirectories(folder);
        var _ = Shell.output("mount", "-t", "tmpfs", "tmpfs", folder.toString());
        var _ = Shell.output("mount", "--make-shared", folder.toString());
        Path bin = Files.createDirectories(folder.resolve("bin"));
        for (String name : List.of("podwire", "loopback")) {
            Files.copy(mesh.home().resolve("libexec/podwire"), bin.resolve(name), StandardCopyOption.COPY_ATTRIBUTES);
        }
        Files.createDirectories(folder.resolve("net.d"));
        Path config = Files.writeString(folder.resolve("config.toml"), config());
        daemon = new Daemon(
                "containerd",
                folder.resolve("log"),
                List.of("nsenter", "--net=" + node.netns(), "--"),
                List.of(
                        "unshare",
                        "--mount",
                        "--propagation",
                        "unchanged",
                        "--pid",
                        "--fork",
                        "--kill-child=KILL",
                        "--mount-proc",
                        "sh",
                        "-c",
                        // The shell stays: as process 1 it takes the exit codes of orphans.
                        "mkdir -p /var/lib/cni && mount -t tmpfs tmpfs /var/lib/cni && containerd --config " + config
                                + "; exit $?"));
        channel = UnixSockets.channel(folder.resolve("sock"));
    }

    private String config() {
        return """
                version = 2
                root = "FOLDER/root"
                state = "FOLDER/state"
                disabled_plugins = ["io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
                [grpc]
                  address = "FOLDER/sock"
                [ttrpc]
                  address = "FOLDER/ttrpc"
                [debug]
                  address = "FOLDER/debug"
                [plugins."io.containerd.internal.v1.opt"]
                  path = "FOLDER/opt"
                [plugins."io.containerd.grpc.v1.cri"]
                  sandbox_image = "IMAGE"
                  restrict_oom_score_adj = true
                  netns_mounts_under_state_dir = true
                  disable_tcp_service = true
                [plugins."io.containerd.grpc.v1.cri".containerd]
                  snapshotter = "native"
                [plugins."io.containerd.grpc.v1.cri".cni]
                  bin_dir = "FOLDER/bin"
                  conf_dir = "FOLDER/net.d"
                  max_conf_num = 1
                """.replace("FOLDER", folder.toString()).replace("IMAGE", PauseImage.NAME);
    }

    /** Starts it, waits until it serves, and gives it the pause image. */
    void start() throws IOException {
        daemon.start(List.of());
        await("containerd serves CRI")
                .atMost(READY)
                .pollInterval(Duration.ofMillis(20))
                .failFast(daemon::assertAlive)
                .until(this::serves);
        var _ = Shell.output(
                "ctr",
                "--address",
                folder.resolve("sock").toString(),
                "--namespace",
                "k8s.io",
                "images",
                "import",
                "--snapshotter",
                "native",
                PauseImage.write(folder).toString());
    }

    private boolean serves() {
        channel.resetConnectBackoff();
        try {
            return !calls().version(VersionRequest.getDefaultInstance())
                    .getRuntimeName()
                    .isEmpty();
        } catch (StatusRuntimeException _) {
            return false;
        }
    }

    /** Installs a conflist as deploy's installer does, by temporary file and rename in its folder. */
    void installConflist(String conflist) throws IOException {
        Path target = folder.resolve("net.d/10-podwire.conflist");
        Path temporary = Files.writeString(target.resolveSibling(".10-podwire.tmp"), conflist);
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    }

    /** True when the runtime has loaded a network configuration. */
    boolean networkReady() {
        return calls().status(StatusRequest.getDefaultInstance()).getStatus().getConditionsList().stream()
                .anyMatch(condition -> condition.getType().equals("NetworkReady") && condition.getStatus());
    }

    /** The CRI, with a deadline from now. */
    RuntimeServiceGrpc.RuntimeServiceBlockingStub calls() {
        return RuntimeServiceGrpc.newBlockingStub(channel).withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
    }

    /** Last lines of its log. */
    String logTail() {
        return daemon.logTail();
    }

    /** Sandboxes' network namespaces that it has mounted. */
    List<Path> mountedNamespaces() throws IOException {
        Path mounts = folder.resolve("state/io.containerd.grpc.v1.cri/netns");
        if (!Files.isDirectory(mounts)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(mounts)) {
            return entries.toList();
        }
    }

    /** Cgroups of sandboxes below the parent, in every hierarchy; the parent itself not counted. */
    static List<Path> sandboxCgroups() throws IOException {
        return cgroups().stream()
                .filter(path -> !path.getFileName().toString().equals(CGROUP))
                .toList();
    }

    private static List<Path> cgroups() throws IOException {
        List<Path> found = new ArrayList<>();
        List<Path> hierarchies = new ArrayList<>(List.of(CGROUPS));
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(CGROUPS, Files::isDirectory)) {
            folders.forEach(hierarchies::add);
        }
        for (Path hierarchy : hierarchies) {
            Path parent = hierarchy.resolve(CGROUP);
            if (!Files.isSymbolicLink(hierarchy) && Files.isDirectory(parent)) {
                try (Stream<Path> tree = Files.walk(parent)) {
                    tree.filter(Files::isDirectory).forEach(found::add);
                }
            }
        }
        found.sort(Comparator.reverseOrder()); // children before their parents
        return found;
    }

    @Override
    public void close() {
        channel.shutdownNow();
        daemon.close();
        // The kernel ends the processes of a dead pid namespace a moment later: until then their cgroups are busy.
        await("cgroups are removed").atMost(Duration.ofSeconds(20)).until(() -> {
            for (Path cgroup : cgroups()) {
                try {
                    Files.delete(cgroup);
                } catch (IOException _) {
                    return false;
                }
            }
            return true;
        });
        try (Stream<String> mounts = Files.lines(Path.of("/proc/self/mountinfo"))) {
            mounts.map(line -> line.split(" ", 6)[4])
                    .filter(path -> path.startsWith(folder.toString()))
                    .sorted(Comparator.reverseOrder())
                    .forEach(path -> Shell.attempt("umount", "--lazy", path));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

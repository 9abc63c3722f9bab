package io.podwire.e2e.mesh;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.proto.node.v1.NodeStatus;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A node: a network namespace on the mesh's underlay, a node-shim that can be killed and started
 * again, and a container runtime that executes cni-shim there. Released addresses do not cool down
 * unless the test says so, so that it sees at once whether one came back. One thread starts and stops it.
 */
public final class MeshNode implements AutoCloseable {
    private static final Duration READY = Duration.ofSeconds(90);
    private static final Duration DRAINED = Duration.ofSeconds(15);

    private final String name;
    private final String address;
    private final Path home;
    private final Path folder;
    private final Daemon shim;
    private final NodeApi api;
    private final CniRuntime runtime;
    private final CniRuntime newestRuntime;

    MeshNode(Path home, Path folder, String name, int number, List<String> options) throws IOException {
        this.name = name;
        this.home = home;
        this.folder = Files.createDirectories(folder);
        String port = "e-" + name;
        Shell.ipBatch(List.of(
                "netns add " + name,
                "link add " + port + " type veth peer name eth0 netns " + name,
                "link set " + port + " master " + Mesh.BRIDGE + " up"));
        address = Mesh.nodeAddress(number);
        for (String line : List.of(
                "link set lo up",
                "addr add " + address + "/24 dev eth0",
                "link set eth0 up",
                "route add default via " + Mesh.ADDRESS)) {
            var _ = Shell.output(("ip -n " + name + " " + line).split(" "));
        }
        List<String> command = new ArrayList<>(List.of(
                home.resolve("bin/node-shim").toString(),
                "--node-name",
                name,
                "--listen",
                "unix:" + socket(),
                "--http-listen",
                "127.0.0.1:7480",
                "--state-dir",
                folder.resolve("state").toString(),
                "--spool-dir",
                spool().toString(),
                "--underlay-interface",
                "eth0"));
        if (!options.contains("--ipam-service")) {
            command.addAll(List.of("--ipam-service", Mesh.IPAM));
        }
        if (!options.contains("--route-reflector")) {
            command.addAll(List.of("--route-reflector", Mesh.ROUTE));
        }
        if (!options.contains("--policy-service")) {
            command.addAll(List.of("--policy-service", Mesh.POLICY));
        }
        if (!options.contains("--cool-down")) {
            command.addAll(List.of("--cool-down", "PT0S"));
        }
        command.addAll(options);
        shim = new Daemon(
                name, folder.resolve("log"), List.of("nsenter", "--net=" + netns(), "--"), List.copyOf(command));
        api = new NodeApi(socket());
        runtime = runtime("1.0.0");
        newestRuntime = runtime("1.1.0");
    }

    private CniRuntime runtime(String version) {
        return new CniRuntime(
                CniNetwork.parse("{\"cniVersion\":\"" + version
                        + "\",\"name\":\"podwire\",\"plugins\":[{\"type\":\"podwire\",\"socket\":\"" + socket()
                        + "\",\"spool\":\"" + spool()
                        + "\",\"capabilities\":{\"portMappings\":true,\"bandwidth\":true,\"ips\":true,"
                        + "\"io.kubernetes.cri.pod-annotations\":true}}]}"),
                home.resolve("libexec"),
                List.of("nsenter", "--net=" + netns(), "--"));
    }

    /** Its name, which is its namespace's too. */
    public String name() {
        return name;
    }

    /** Its address on the underlay. */
    public String address() {
        return address;
    }

    /** Path of its network namespace. */
    public Path netns() {
        return Path.of("/run/netns", name);
    }

    /** Where cni-shim finds node-shim. */
    public Path socket() {
        return folder.resolve("shim/cni.sock");
    }

    /** Where cni-shim leaves DELs. */
    public Path spool() {
        return folder.resolve("state/spool");
    }

    /** node-shim's process. */
    public Daemon shim() {
        return shim;
    }

    /** node-shim's own API. */
    public NodeApi api() {
        return api;
    }

    /** Its container runtime, with CNI 1.0.0 as containerd has it. */
    public CniRuntime runtime() {
        return runtime;
    }

    /** Its container runtime with CNI 1.1.0, for STATUS and GC; it has its own cache of results. */
    public CniRuntime newestRuntime() {
        return newestRuntime;
    }

    /** Starts node-shim and waits until an ADD would be served. */
    public void start(String... further) {
        shim.start(List.of(further));
        await("node-shim of " + name + " is ready")
                .atMost(READY)
                .pollInterval(Duration.ofMillis(20))
                .failFast(shim::assertAlive)
                .until(this::settled);
    }

    /** Ready, every service reached, and the tunnel device has its address: the kernel changes no more. */
    private boolean settled() {
        return api.status()
                .filter(NodeStatus::getReady)
                .filter(status ->
                        status.getUpstreamsList().stream().allMatch(io.podwire.proto.node.v1.Upstream::getConnected))
                .map(_ -> Shell.attempt("ip", "-n", name, "-4", "-o", "addr", "show", "dev", "pwvx")
                        .stdout()
                        .contains("inet "))
                .orElse(false);
    }

    /** What the node's namespace holds now. */
    public KernelDump dump() {
        return KernelDump.of(netns());
    }

    /** What node-shim's process holds now. */
    public ProcessDump process() {
        return ProcessDump.of(shim.pid());
    }

    /** Files below the node's folder, by their paths there: socket, journal, spool. */
    public List<String> files() {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.map(file -> folder.relativize(file).toString())
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Fails unless the kernel holds what it held before, neither more nor less. */
    public void assertUnchanged(KernelDump before, String when) {
        KernelDump now = dump();
        assertThat(now.minus(before))
                .as("what appeared in %s's kernel %s", name, when)
                .isEmpty();
        assertThat(before.minus(now))
                .as("what is gone from %s's kernel %s", name, when)
                .isEmpty();
    }

    /** Executes cni-shim with an environment and a standard input of the test's own. */
    public Shell.Ended plugin(Map<String, String> env, byte[] stdin) {
        Map<String, String> whole = new HashMap<>(env);
        whole.putIfAbsent("PATH", System.getenv("PATH"));
        return Shell.run(
                List.of(
                        "nsenter",
                        "--net=" + netns(),
                        "--",
                        home.resolve("libexec/podwire").toString()),
                whole,
                stdin);
    }

    /**
     * Executes cni-shim for an attachment, with CNI 1.0.0.
     *
     * @param before words before its path, such as a tracer's
     */
    public Shell.Ended plugin(String verb, CniAttachment attachment, List<String> before) {
        Map<String, String> whole = new HashMap<>(env(verb, attachment));
        whole.put("PATH", System.getenv("PATH"));
        return Shell.run(pluginCommand(before), whole, configBytes("1.0.0"));
    }

    /** Starts cni-shim for an attachment and does not wait for it: the test may kill it. Its output is dropped. */
    public Process startPlugin(String verb, CniAttachment attachment) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(pluginCommand(List.of()))
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD);
        builder.environment().putAll(env(verb, attachment));
        Process process = builder.start();
        try (OutputStream stdin = process.getOutputStream()) {
            stdin.write(configBytes("1.0.0"));
        }
        return process;
    }

    private List<String> pluginCommand(List<String> before) {
        List<String> command = new ArrayList<>(List.of("nsenter", "--net=" + netns(), "--"));
        command.addAll(before);
        command.add(home.resolve("libexec/podwire").toString());
        return command;
    }

    private Map<String, String> env(String verb, CniAttachment attachment) {
        return Map.of(
                "CNI_COMMAND",
                verb,
                "CNI_CONTAINERID",
                attachment.containerId(),
                "CNI_NETNS",
                attachment.netns(),
                "CNI_IFNAME",
                attachment.ifname(),
                "CNI_PATH",
                home.resolve("libexec").toString());
    }

    /** The configuration a runtime gives cni-shim on standard input, with further members. */
    public String config(String version, String... members) {
        StringBuilder text = new StringBuilder("{\"cniVersion\":\"" + version
                + "\",\"name\":\"podwire\",\"type\":\"podwire\",\"socket\":\"" + socket() + "\",\"spool\":\"" + spool()
                + "\"");
        for (String member : members) {
            text.append(',').append(member);
        }
        return text.append('}').toString();
    }

    /** Bytes of {@link #config}. */
    public byte[] configBytes(String version, String... members) {
        return config(version, members).getBytes(StandardCharsets.UTF_8);
    }

    /** DELs that wait in the spool. */
    public long spooled() {
        try (Stream<Path> files = Files.list(spool())) {
            return files.filter(file -> file.toString().endsWith(".del")).count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Waits until node-shim has the fast path on its own devices, or has said why not: what it opens for that, it keeps. */
    public void awaitFastPath() {
        await("the fast path of " + name)
                .atMost(DRAINED)
                .until(() ->
                        shim.loggedSince("is in epoch", "the fast path is off") || fastPathLinks() == 2 * devices());
    }

    /** Two for each device. */
    private int fastPathLinks() {
        return process().descriptors().getOrDefault("anon_inode:bpf_link", 0);
    }

    private int devices() {
        boolean tunnel = Shell.attempt("ip", "-n", name, "link", "show", "pwvx").exitCode() == 0;
        return tunnel ? 2 : 1;
    }

    /** Waits until no DEL waits in the spool. */
    public void awaitDrained() {
        await("the spool of " + name + " is drained").atMost(DRAINED).until(() -> spooled() == 0);
    }

    @Override
    public void close() {
        api.close();
        shim.close();
        // The namespace's end would take the link along too, but some time later.
        var _ = Shell.attempt("ip", "link", "delete", "e-" + name);
        var _ = Shell.attempt("ip", "netns", "delete", name);
    }
}

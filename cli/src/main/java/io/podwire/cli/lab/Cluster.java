package io.podwire.cli.lab;

import io.podwire.cli.CommandFailure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * A whole cluster in the sandbox of namespaces that this process runs in ({@code libexec/sandbox}): the
 * underlay, the control services, and a node-shim a node. Its folder is /run/podwire.
 */
public final class Cluster implements AutoCloseable {
    /** Folder of a lab, private to its sandbox. */
    public static final Path FOLDER = Path.of("/run/podwire");

    private static final Duration READY = Duration.ofMinutes(2);
    private static final Duration STOP = Duration.ofSeconds(20);

    /** At its end a recorded process makes its AOT cache. */
    private static final Duration STOP_RECORDED = Duration.ofMinutes(5);

    private final ManifestFolder manifests;
    private final ControlServices control;
    private final List<LabNode> nodes = new ArrayList<>();

    /**
     * Makes namespaces, folders and start scripts; starts nothing.
     *
     * @param home the distribution: bin, lib, libexec
     * @param nodeArgs further options of node-shim
     * @throws CommandFailure outside a sandbox
     */
    public Cluster(Path home, int nodes, List<String> nodeArgs) throws IOException {
        if (System.getenv("PODWIRE_SANDBOX") == null) {
            throw new CommandFailure(
                    "a lab runs in a sandbox only: start it by bin/podwire lab, or below" + " libexec/sandbox");
        }
        Topology topology = Topology.of(nodes);
        Underlay.create(topology);
        manifests = new ManifestFolder(FOLDER.resolve("manifests"));
        manifests.write("namespace-default", namespace("default"));
        control = new ControlServices(home, FOLDER, manifests);
        for (Topology.Node place : topology.nodes()) {
            this.nodes.add(new LabNode(home, FOLDER, place, nodeArgs));
        }
    }

    /** Nodes by number. */
    public List<LabNode> nodes() {
        return List.copyOf(nodes);
    }

    /** One node. */
    public LabNode node(String name) {
        return nodes.stream()
                .filter(node -> node.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no node " + name));
    }

    /** The control services. */
    public ControlServices control() {
        return control;
    }

    /** The Kubernetes objects. */
    public ManifestFolder manifests() {
        return manifests;
    }

    /**
     * Starts everything at once and waits until all of it is ready.
     *
     * @return time from start to ready by name of service or node
     * @throws StepFailure when something ends, or is not ready in time
     */
    public Map<String, Duration> start() {
        Map<String, Duration> times = new ConcurrentHashMap<>();
        List<Runnable> waits = new ArrayList<>();
        long start = System.nanoTime();
        control.processes().forEach((process, readyz) -> {
            process.start();
            waits.add(() -> {
                Await.until(
                        READY,
                        process.name() + " is ready",
                        () -> ControlServices.ready(readyz),
                        "ok"::equals,
                        process);
                times.put(process.name(), Duration.ofNanos(System.nanoTime() - start));
            });
        });
        for (LabNode node : nodes) {
            node.shim().start();
            waits.add(() -> {
                var _ = node.awaitReady();
                times.put(node.name(), Duration.ofNanos(System.nanoTime() - start));
            });
        }
        Await.all(waits);
        return Map.copyOf(times);
    }

    /**
     * Makes a pod as kubelet and a runtime do: its object, its namespace, ADD.
     *
     * @return how ADD ended; the address is {@link #address}
     */
    public CniRuntime.Outcome attach(Pod pod) throws IOException {
        manifests.write("pod-" + pod.namespace() + "-" + pod.name(), pod.manifest());
        Tool.output("ip", "netns", "add", pod.netns());
        Tool.output("ip", "-n", pod.netns(), "link", "set", "lo", "up");
        return node(pod.node()).runtime().add(pod.attachment());
    }

    /** Removes a pod: DEL, and when that succeeded its namespace and its object. */
    public CniRuntime.Outcome detach(Pod pod) throws IOException {
        CniRuntime.Outcome outcome = node(pod.node()).runtime().del(pod.attachment());
        if (outcome.ok()) {
            Tool.output("ip", "netns", "delete", pod.netns());
            manifests.remove("pod-" + pod.namespace() + "-" + pod.name());
        }
        return outcome;
    }

    /** The address in the result of an ADD, without prefix length. */
    public static String address(CniRuntime.Outcome added) {
        String cidr = added.json().path("ips").path(0).path("address").asText();
        return cidr.substring(0, Math.max(0, cidr.indexOf('/')));
    }

    /** Every process of the lab. */
    public List<ServiceProcess> processes() {
        return Stream.concat(
                        control.processes().keySet().stream(), nodes.stream().map(LabNode::shim))
                .toList();
    }

    /** Copies every log to a folder, as NAME.log. */
    public void keepLogs(Path folder) throws IOException {
        Files.createDirectories(folder);
        for (ServiceProcess process : processes()) {
            if (Files.exists(process.log())) {
                Files.copy(process.log(), folder.resolve(process.name() + ".log"), StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }

    /** Stops every process by SIGTERM and waits for their ends; namespaces go with the sandbox. */
    @Override
    public void close() {
        nodes.forEach(LabNode::close);
        control.close();
        processes().forEach(ServiceProcess::stop);
        Duration limit = System.getenv("PODWIRE_AOT_TRAIN") == null ? STOP : STOP_RECORDED;
        for (ServiceProcess process : processes()) {
            if (!process.awaitEnd(limit)) {
                process.kill();
            }
        }
    }

    private static String namespace(String name) {
        return """
                apiVersion: v1
                kind: Namespace
                metadata:
                  name: %s
                  labels:
                    kubernetes.io/metadata.name: %s
                """.formatted(name, name);
    }
}

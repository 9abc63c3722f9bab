package io.podwire.cli.lab;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** A node of a lab: its namespace, its node-shim, and the container runtime that calls cni-shim there. */
public final class LabNode implements AutoCloseable {
    private static final Duration READY = Duration.ofMinutes(2);

    private final Topology.Node place;
    private final Path spool;
    private final ServiceProcess shim;
    private final NodeClient client;
    private final CniRuntime runtime;

    LabNode(Path home, Path lab, Topology.Node place, List<String> nodeArgs) throws IOException {
        this.place = place;
        Path folder = lab.resolve(place.name());
        Path socket = folder.resolve("cni.sock");
        Path state = Files.createDirectories(folder.resolve("state"));
        spool = state.resolve("spool");
        List<String> command = new ArrayList<>(List.of(
                home.resolve("bin/node-shim").toString(),
                "--node-name",
                place.name(),
                "--listen",
                "unix:" + socket,
                "--http-listen",
                "127.0.0.1:7480",
                "--state-dir",
                state.toString(),
                "--spool-dir",
                spool.toString(),
                "--ipam-service",
                ControlServices.IPAM,
                "--policy-service",
                ControlServices.POLICY,
                "--route-reflector",
                ControlServices.ROUTE,
                "--underlay-interface",
                "eth0"));
        command.addAll(nodeArgs);
        shim = new ServiceProcess(place.name(), folder, place.name(), command, place.number() == 1);
        client = new NodeClient(socket);
        Path conflists = Files.createDirectories(folder.resolve("cni/net.d"));
        Files.writeString(conflists.resolve("10-podwire.conflist"), """
                {
                  "cniVersion": "1.0.0",
                  "name": "podwire",
                  "plugins": [{"type": "podwire", "socket": "%s", "spool": "%s"}]
                }
                """.formatted(socket, spool));
        runtime = new CniRuntime(
                CniNetwork.load(conflists),
                home.resolve("libexec"),
                List.of("nsenter", "--net=/run/netns/" + place.name(), "--"));
    }

    /** Where it is in the underlay. */
    public Topology.Node place() {
        return place;
    }

    /** Its name, which is its namespace's too. */
    public String name() {
        return place.name();
    }

    /** node-shim's process. */
    public ServiceProcess shim() {
        return shim;
    }

    /** node-shim's own API. */
    public NodeClient client() {
        return client;
    }

    /** Its container runtime. */
    public CniRuntime runtime() {
        return runtime;
    }

    /** Waits until an ADD would be served, and gives the time it took from now. */
    public Duration awaitReady() {
        return Await.until(
                READY,
                name() + " is ready",
                () -> client.status()
                        .map(status -> status.getReady() ? "ready" : "not ready: " + status.getReasonsList())
                        .orElse("nobody answers on its socket"),
                "ready"::equals,
                shim);
    }

    /** DELs that wait for node-shim's start. */
    public int spooled() {
        if (!Files.isDirectory(spool)) {
            return 0;
        }
        try (Stream<Path> files = Files.list(spool)) {
            return (int) files.filter(file -> file.toString().endsWith(".del")).count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        client.close();
    }
}

package io.podwire.e2e.bench;

import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.podwire.e2e.mesh.Daemon;
import io.podwire.proto.ipam.v1.ListPoolsRequest;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Scanner;
import java.util.concurrent.TimeUnit;

/** A process of ipam-service, started as a lab and a Deployment start it. */
final class IpamProcess implements AutoCloseable {
    private static final Duration READY = Duration.ofSeconds(60);

    private final String target;
    private final Daemon process;

    private IpamProcess(String target, Daemon process) {
        this.target = target;
        this.process = process;
    }

    /**
     * Starts it, and waits until it serves.
     *
     * @param folder for its log
     * @param port of gRPC on loopback; the next one is that of HTTP
     * @param options further ones: its store and pools
     */
    static IpamProcess start(Path home, Path folder, int port, List<String> options) throws IOException {
        String target = "127.0.0.1:" + port;
        List<String> command = new ArrayList<>(List.of(
                home.resolve("bin/ipam-service").toString(),
                "--listen=" + target,
                "--http-listen=127.0.0.1:" + (port + 1)));
        command.addAll(options);
        Daemon process =
                new Daemon("ipam-service", Files.createDirectories(folder).resolve("log"), List.of(), command);
        process.start(List.of());
        IpamProcess ipam = new IpamProcess(target, process);
        ManagedChannel channel = ipam.channel();
        try {
            var _ = PoolsGrpc.newBlockingStub(channel)
                    .withWaitForReady()
                    .withDeadlineAfter(READY.toSeconds(), TimeUnit.SECONDS)
                    .listPools(ListPoolsRequest.getDefaultInstance());
            return ipam;
        } catch (StatusRuntimeException e) {
            ipam.close();
            throw new IOException("ipam-service does not serve, see " + folder.resolve("log"), e);
        } finally {
            channel.shutdownNow();
        }
    }

    /** A connection of its own. */
    ManagedChannel channel() {
        return NettyChannelBuilder.forTarget(target).usePlaintext().build();
    }

    /** Its memory after a collection, in KiB. */
    long residentAfterCollection() throws IOException, InterruptedException {
        var _ = jcmd("GC.run");
        return status("VmRSS");
    }

    /**
     * {@link #residentPeak} is of what follows: proc_pid_clear_refs(5).
     *
     * @return its memory now, in KiB
     */
    long beginPeak() throws IOException {
        var _ = Files.writeString(Path.of("/proc/" + process.pid() + "/clear_refs"), "5");
        return status("VmRSS");
    }

    /** The most memory that it has had since {@link #beginPeak}, in KiB. */
    long residentPeak() throws IOException {
        return status("VmHWM");
    }

    private long status(String field) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + process.pid() + "/status")).stream()
                .filter(line -> line.startsWith(field))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElseThrow();
    }

    /** Bytes of live objects: what a histogram, which collects first, counts. */
    long liveHeap() throws IOException, InterruptedException {
        String histogram = jcmd("GC.class_histogram");
        // "Total", instances, bytes.
        try (Scanner total = new Scanner(histogram.substring(histogram.lastIndexOf("Total")))) {
            var _ = total.next();
            var _ = total.nextLong();
            return total.nextLong();
        }
    }

    private String jcmd(String command) throws IOException, InterruptedException {
        Process jcmd = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                        Long.toString(process.pid()),
                        command)
                .redirectErrorStream(true)
                .start();
        String out = new String(jcmd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (jcmd.waitFor() != 0) {
            throw new IOException(command + ": " + out);
        }
        return out;
    }

    @Override
    public void close() {
        process.close();
    }
}

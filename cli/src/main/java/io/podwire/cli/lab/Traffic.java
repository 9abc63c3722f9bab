package io.podwire.cli.lab;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Packets between pods, by the programs that a person would use. */
public final class Traffic {
    private static final int PORT = 80;

    private final Path folder;
    private final List<Process> background = new ArrayList<>();

    /** Traffic that goes on until it is stopped. */
    public record Stream(String title, Process process, Path output) {
        /** All output until now. */
        public String text() {
            try {
                return Files.readString(output);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** Traffic whose pages and outputs are in a folder. */
    public Traffic(Path folder) throws IOException {
        this.folder = Files.createDirectories(folder);
    }

    /** Starts a web server in a pod, whose page is the pod's name. */
    public void serve(Pod pod) throws IOException {
        Path page = Files.createDirectories(folder.resolve(pod.name()));
        Files.writeString(page.resolve("index.html"), pod.name() + "\n");
        background.add(start(
                folder.resolve(pod.name() + ".httpd"),
                pod,
                List.of("busybox", "httpd", "-f", "-p", String.valueOf(PORT), "-h", page.toString())));
    }

    /** Sends one ping. */
    public boolean ping(Pod from, String address) {
        return Tool.run(in(from, List.of("ping", "-n", "-c", "1", "-W", "1", address)))
                .ok();
    }

    /** Fetches the page of a pod once; empty when nothing comes within a second. */
    public String fetch(Pod from, String address) {
        // busybox wget's own -T crashes in Debian 12's static build.
        return Tool.run(in(from, List.of("timeout", "1", "busybox", "wget", "-q", "-O-", url(address))))
                .stdout()
                .strip();
    }

    /** Pings fifty times a second. */
    public Stream pings(Pod from, Pod to, String address) throws IOException {
        return stream("ping", from, to, List.of("ping", "-n", "-i", "0.02", address));
    }

    /** Fetches a page over and over: a line "ok" or "failed" each time. */
    public Stream fetches(Pod from, Pod to, String address) throws IOException {
        String loop = "while :; do if timeout 2 busybox wget -q -O- " + url(address)
                + " >/dev/null 2>&1; then echo ok; else echo failed; fi; sleep 0.02; done";
        return stream("http", from, to, List.of("sh", "-c", loop));
    }

    /** Stops streams. */
    public void stop(List<Stream> streams) {
        streams.forEach(stream -> stream.process().destroy());
        streams.forEach(stream -> stream.process().onExit().join());
    }

    /** Stops everything, servers too. */
    public void stopAll() {
        background.forEach(Process::destroy);
    }

    private Stream stream(String what, Pod from, Pod to, List<String> command) throws IOException {
        Path output = folder.resolve(what + "-" + from.name() + "-" + to.name());
        Process process = start(output, from, command);
        background.add(process);
        return new Stream(what + " " + from.name() + " → " + to.name(), process, output);
    }

    private static Process start(Path output, Pod pod, List<String> command) throws IOException {
        return new ProcessBuilder(in(pod, command))
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
    }

    private static List<String> in(Pod pod, List<String> command) {
        List<String> whole = new ArrayList<>(List.of("nsenter", "--net=/run/netns/" + pod.netns(), "--"));
        whole.addAll(command);
        return whole;
    }

    private static String url(String address) {
        return "http://" + address + ":" + PORT + "/";
    }
}

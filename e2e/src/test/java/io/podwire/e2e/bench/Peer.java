package io.podwire.e2e.bench;

import io.podwire.e2e.bench.Timed.Batch;
import io.podwire.e2e.bench.Timed.Job;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A chain of the official plugins, executed as a runtime does: each plugin's result is the next one's
 * prevResult, DEL goes in reverse with the last result. A call takes what its processes take, from fork to exit of
 * each; what the harness does between them does not count.
 */
final class Peer {
    private static final Path BIN = Path.of("/usr/lib/cni");

    private final String name;
    private final Path folder;
    private final List<Plugin> plugins;

    /**
     * A plugin of a chain.
     *
     * @param body its configuration without braces, version, name and prevResult
     */
    record Plugin(String type, String body) {}

    /**
     * A chain.
     *
     * @param name of the peer in figures
     * @param folder for its files, its own
     */
    Peer(String name, Path folder, List<Plugin> plugins) throws IOException {
        this.name = name;
        this.folder = Files.createDirectories(folder);
        this.plugins = List.copyOf(plugins);
    }

    /** What figures call it. */
    String name() {
        return name;
    }

    /** Attaches a container; ms. */
    double add(Timed timed, String id, String netns) throws IOException {
        String result = "";
        double millis = 0;
        for (Plugin plugin : plugins) {
            millis += timed.run(job("ADD", plugin, id, netns, result)).nanos() / 1e6;
            result = Files.readString(out(netns));
        }
        Files.writeString(cached(netns), result);
        return millis;
    }

    /** Detaches it; ms. */
    double del(Timed timed, String id, String netns) throws IOException {
        String result = Files.readString(cached(netns));
        double millis = 0;
        for (Plugin plugin : plugins.reversed()) {
            millis += timed.run(job("DEL", plugin, id, netns, result)).nanos() / 1e6;
        }
        Files.delete(cached(netns));
        return millis;
    }

    /** The first plugin's call for many containers at once. */
    Batch atOnce(Timed timed, String verb, List<String> ids, List<String> netns) throws IOException {
        List<Job> jobs = new ArrayList<>();
        for (int i = 0; i < ids.size(); i++) {
            jobs.add(job(verb, plugins.getFirst(), ids.get(i), netns.get(i), ""));
        }
        return timed.batch(jobs);
    }

    private Job job(String verb, Plugin plugin, String id, String netns, String prevResult) throws IOException {
        Path stdin = Files.writeString(
                folder.resolve(plugin.type() + ".json"),
                "{\"cniVersion\":\"1.0.0\",\"name\":\"peer\",\"type\":\"" + plugin.type() + "\"," + plugin.body()
                        + (prevResult.isEmpty() ? "" : ",\"prevResult\":" + prevResult) + "}");
        Map<String, String> env = CniEnvironment.of(verb, id, netns, BIN);
        return new Job(
                stdin, out(netns), env, List.of(BIN.resolve(plugin.type()).toString()));
    }

    private Path out(String netns) {
        return folder.resolve(netns + ".out");
    }

    private Path cached(String netns) {
        return folder.resolve(netns + ".result");
    }
}

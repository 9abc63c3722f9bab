package io.podwire.e2e.bench;

import io.podwire.e2e.bench.Timed.Batch;
import io.podwire.e2e.bench.Timed.End;
import io.podwire.e2e.bench.Timed.Job;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * ADD and DEL as a runtime sees them, whole process from fork to exit, beside the official bridge and
 * host-local plugins in the same run: ours, theirs, ours, theirs. Ours enforces a NetworkPolicy.
 */
final class AddBench {
    private static final String PEER = "bridge+host-local";
    private static final Path PEER_BIN = Path.of("/usr/lib/cni");
    private static final int AT_ONCE = 100;
    private static final Pattern READY = Pattern.compile("serves gRPC .* (\\d+) ms after the process's start");

    private final Path folder;
    private final Path lab = Path.of(System.getenv("PODWIRE_LAB_FOLDER"));
    private final Path shim = Path.of(System.getenv("PODWIRE_HOME"), "libexec", "podwire");
    private final Path ourConfig;
    private final Path peerConfig;
    private final Path binary;
    private int serial;

    AddBench(Path source) throws IOException, InterruptedException {
        folder = Files.createTempDirectory(lab, "bench");
        binary = Timed.compile(source, folder);
        ourConfig = Files.writeString(
                folder.resolve("ours.json"),
                "{\"cniVersion\":\"1.0.0\",\"name\":\"podwire\",\"type\":\"podwire\",\"socket\":\"" + lab
                        + "/node1/cni.sock\",\"spool\":\"" + lab + "/node1/spool\"}");
        peerConfig = Files.writeString(
                folder.resolve("peer.json"),
                "{\"cniVersion\":\"1.0.0\",\"name\":\"peer\",\"type\":\"bridge\",\"bridge\":\"cni0\",\"isGateway\":true,"
                        + "\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"" + folder + "/host-local\","
                        + "\"ranges\":[[{\"subnet\":\"10.99.0.0/16\"}]],\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}}");
        Files.writeString(lab.resolve("manifests").resolve("bench-policy.yaml"), """
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: bench, namespace: default}
                spec:
                  podSelector: {}
                  policyTypes: [Ingress, Egress]
                  ingress:
                    - from: [{podSelector: {}}]
                      ports: [{protocol: TCP, port: 80}]
                  egress:
                    - {}
                """);
        ip("netns", "add", "peer");
        for (int i = 0; i < AT_ONCE; i++) {
            ip("netns", "add", "o" + i);
            ip("netns", "add", "p" + i);
        }
    }

    void run(int warmUp, int runs) throws IOException, InterruptedException {
        try (Timed ours = Timed.in(binary, "node1");
                Timed peer = Timed.in(binary, "peer")) {
            for (int i = 0; i < warmUp; i++) {
                pair(ours, peer, new Figures(), new Figures());
            }
            oneByOne(ours, peer, runs);
            atOnce(ours, peer, Math.max(3, runs / 40));
            shimAlone(ours, runs);
        }
    }

    private void oneByOne(Timed ours, Timed peer, int runs) throws IOException {
        Gate gate = new Gate(ours);
        Figures add = new Figures();
        Figures del = new Figures();
        while (add.runs() < runs && gate.discarded() < runs * 3) {
            Figures addOne = new Figures();
            Figures delOne = new Figures();
            if (gate.quiet(() -> pair(ours, peer, addOne, delOne))) {
                add.addAll(addOne);
                del.addAll(delOne);
            }
        }
        add.print("add.p50", 50, "ms", PEER, gate.discarded());
        add.print("add.p99", 99, "ms", PEER, gate.discarded());
        del.print("del.p50", 50, "ms", PEER, gate.discarded());
    }

    private void pair(Timed ours, Timed peer, Figures add, Figures del) throws IOException {
        String id = "bench" + serial++;
        Job ourAdd = our("ADD", id, "o0");
        Job ourDel = our("DEL", id, "o0");
        Job peerAdd = peer("ADD", id, "p0");
        Job peerDel = peer("DEL", id, "p0");
        double a = millis(ours.run(ourAdd).nanos());
        double b = millis(peer.run(peerAdd).nanos());
        add.add(a, b);
        double c = millis(ours.run(ourDel).nanos());
        double d = millis(peer.run(peerDel).nanos());
        del.add(c, d);
    }

    private void atOnce(Timed ours, Timed peer, int rounds) throws IOException {
        Gate gate = new Gate(ours);
        Figures add = new Figures();
        Figures del = new Figures();
        double rss = 0;
        while (add.runs() < rounds && gate.discarded() < rounds * 3) {
            String round = "once" + serial++ + "-";
            Batch[] ends = new Batch[4];
            double[] seen = new double[1];
            boolean quiet = gate.quiet(() -> {
                ends[0] = ours.batch(jobs(i -> our("ADD", round + i, "o" + i)));
                ends[1] = peer.batch(jobs(i -> peer("ADD", round + i, "p" + i)));
                seen[0] = rssMib(nodePid());
                ends[2] = ours.batch(jobs(i -> our("DEL", round + i, "o" + i)));
                ends[3] = peer.batch(jobs(i -> peer("DEL", round + i, "p" + i)));
            });
            rss = Math.max(rss, seen[0]);
            if (quiet) {
                add.add(millis(ends[0].nanos()), millis(ends[1].nanos()));
                del.add(millis(ends[2].nanos()), millis(ends[3].nanos()));
            }
        }
        add.print("add.100-at-once", 50, "ms", PEER, gate.discarded());
        del.print("del.100-at-once", 50, "ms", PEER, gate.discarded());
        Figures.line("node.rss", rss, 150, "MiB", "budget-at-" + AT_ONCE + "-pods", 1, 0);
    }

    private void shimAlone(Timed ours, int runs) throws IOException {
        Gate gate = new Gate(ours);
        Figures start = new Figures();
        Figures rss = new Figures();
        Path version = Files.writeString(folder.resolve("version.json"), "{\"cniVersion\":\"1.0.0\"}");
        Map<String, String> env = Map.of("CNI_COMMAND", "VERSION");
        while (start.runs() < runs && gate.discarded() < runs * 3) {
            End[] ends = new End[2];
            if (gate.quiet(() -> {
                ends[0] = ours.run(new Job(version, folder.resolve("out"), env, List.of(shim.toString())));
                ends[1] = ours.run(new Job(version, folder.resolve("out"), env, List.of(PEER_BIN + "/bridge")));
            })) {
                start.add(millis(ends[0].nanos()), millis(ends[1].nanos()));
                rss.add(ends[0].maxRssKib() / 1024.0, ends[1].maxRssKib() / 1024.0);
            }
        }
        start.print("shim.start", 50, "ms", "bridge", gate.discarded());
        rss.print("shim.rss", 50, "MiB", "bridge", gate.discarded());
        Figures.line(
                "shim.size",
                Files.size(shim) / 1024.0,
                (Files.size(PEER_BIN.resolve("bridge")) + Files.size(PEER_BIN.resolve("host-local"))) / 1024.0,
                "KiB",
                PEER,
                1,
                0);
    }

    /** Time from the start of node-shim's JVM to its socket, several times. */
    void ready(int runs) throws IOException, InterruptedException {
        Figures ready = new Figures();
        Path log = lab.resolve("node1/log");
        for (int i = 0; i < runs; i++) {
            long before = starts(log).size();
            ProcessHandle.of(nodePid()).ifPresent(p -> {
                p.destroyForcibly();
                p.onExit().join();
            });
            Process starter = new ProcessBuilder(lab.resolve("node1/start").toString()).start();
            while (starts(log).size() == before) {
                if (!starter.isAlive()) {
                    throw new IOException("node-shim did not come back, see " + log);
                }
                LockSupport.parkNanos(5_000_000);
            }
            ready.add(starts(log).getLast(), 700);
        }
        ready.print("node.ready", 50, "ms", "budget", 0);
    }

    private static List<Double> starts(Path log) throws IOException {
        List<Double> times = new ArrayList<>();
        for (String line : Files.readAllLines(log)) {
            Matcher matcher = READY.matcher(line);
            if (matcher.find()) {
                times.add(Double.valueOf(matcher.group(1)));
            }
        }
        return times;
    }

    @FunctionalInterface
    private interface Numbered {
        Job job(int number);
    }

    private static List<Job> jobs(Numbered numbered) {
        List<Job> jobs = new ArrayList<>();
        for (int i = 0; i < AT_ONCE; i++) {
            jobs.add(numbered.job(i));
        }
        return jobs;
    }

    private Job our(String verb, String id, String netns) {
        return new Job(
                ourConfig,
                folder.resolve("out-" + netns),
                env(verb, id, netns, shim.getParent()),
                List.of(shim.toString()));
    }

    private Job peer(String verb, String id, String netns) {
        return new Job(
                peerConfig,
                folder.resolve("out-" + netns),
                env(verb, id, netns, PEER_BIN),
                List.of(PEER_BIN.resolve("bridge").toString()));
    }

    private static Map<String, String> env(String verb, String id, String netns, Path path) {
        return Map.of(
                "CNI_COMMAND",
                verb,
                "CNI_CONTAINERID",
                id,
                "CNI_NETNS",
                "/run/netns/" + netns,
                "CNI_IFNAME",
                "eth0",
                "CNI_PATH",
                path.toString(),
                "CNI_ARGS",
                "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=" + id);
    }

    private long nodePid() throws IOException {
        return Long.parseLong(Files.readString(lab.resolve("node1/pid")).strip());
    }

    private static double rssMib(long pid) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
            if (line.startsWith("VmRSS:")) {
                return Double.parseDouble(line.replaceAll("[^0-9]", "")) / 1024;
            }
        }
        throw new IOException("process " + pid + " has no VmRSS");
    }

    private static double millis(long nanos) {
        return nanos / 1e6;
    }

    private static void ip(String... words) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("ip"));
        command.addAll(List.of(words));
        if (new ProcessBuilder(command).inheritIO().start().waitFor() != 0) {
            throw new IOException(String.join(" ", command) + " failed");
        }
    }
}

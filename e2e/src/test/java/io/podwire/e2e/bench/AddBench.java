package io.podwire.e2e.bench;

import io.podwire.e2e.bench.Peer.Plugin;
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
import java.util.stream.IntStream;

/**
 * ADD and DEL as a runtime sees them, whole processes from fork to exit, beside the official plugins in the
 * same run: ours, theirs, ours, theirs. Ours enforces a NetworkPolicy.
 */
final class AddBench {
    private static final Path PEER_BIN = Path.of("/usr/lib/cni");
    /** A port of the node that leads to the pod. */
    private static final String PORT = "\"capabilities\":{\"portMappings\":true},\"runtimeConfig\":{\"portMappings\":"
            + "[{\"hostPort\":18080,\"containerPort\":80,\"protocol\":\"tcp\"}]}";

    private static final int AT_ONCE = 100;
    /** Pods that stand while those come and go: together they are what a kubelet allows. */
    private static final int STANDING = 10;

    private static final Pattern READY = Pattern.compile("serves gRPC .* (\\d+) ms after the process's start");

    private final Path folder;
    private final Path lab = Path.of(System.getenv("PODWIRE_LAB_FOLDER"));
    private final Path shim = Path.of(System.getenv("PODWIRE_HOME"), "libexec", "podwire");
    private final Path ourConfig;
    private final Path ourPortConfig;
    private final Peer bridge;
    private final Peer ptp;
    private final Peer hostPort;
    private final Path binary;
    private int serial;

    AddBench(Path source) throws IOException, InterruptedException {
        folder = Files.createTempDirectory(lab, "bench");
        binary = Timed.compile(source, folder);
        String ours = "{\"cniVersion\":\"1.0.0\",\"name\":\"podwire\",\"type\":\"podwire\",\"socket\":\"" + lab
                + "/node1/cni.sock\",\"spool\":\"" + lab + "/node1/spool\"";
        ourConfig = Files.writeString(folder.resolve("ours.json"), ours + "}");
        ourPortConfig = Files.writeString(folder.resolve("ours-port.json"), ours + "," + PORT + "}");
        Plugin toBridge = new Plugin("bridge", "\"bridge\":\"cni0\",\"isGateway\":true," + hostLocal("bridge", 99));
        bridge = new Peer("bridge+host-local", folder.resolve("bridge"), List.of(toBridge));
        ptp = new Peer("ptp+host-local", folder.resolve("ptp"), List.of(new Plugin("ptp", hostLocal("ptp", 98))));
        hostPort = new Peer(
                "bridge+portmap+firewall",
                folder.resolve("host-port"),
                List.of(toBridge, new Plugin("portmap", PORT), new Plugin("firewall", "\"backend\":\"iptables\"")));
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
        for (int i = 0; i < AT_ONCE + STANDING; i++) {
            ip("netns", "add", "o" + i);
            ip("netns", "add", "p" + i);
        }
    }

    private String hostLocal(String name, int octet) {
        return "\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"" + folder + "/host-local-" + name
                + "\",\"ranges\":[[{\"subnet\":\"10." + octet + ".0.0/16\"}]],\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}";
    }

    void run(int warmUp, int runs) throws IOException, InterruptedException {
        try (Timed ours = Timed.in(binary, "node1");
                Timed peer = Timed.in(binary, "peer")) {
            for (int i = 0; i < warmUp; i++) {
                pair(ours, ourConfig, peer, bridge, new Figures(), new Figures());
            }
            Pairs beside = oneByOne(ours, ourConfig, peer, bridge, runs, runs * 8);
            beside.add().print("add.p50", 50, "ms", bridge.name(), beside.discarded());
            beside.add().print("add.p99", 99, "ms", bridge.name(), beside.discarded());
            beside.del().print("del.p50", 50, "ms", bridge.name(), beside.discarded());
            atOnce(ours, peer, Math.max(3, runs / 40));
            Pairs besidePtp = oneByOne(ours, ourConfig, peer, ptp, runs / 2, runs * 2);
            besidePtp.add().print("add.ptp.p50", 50, "ms", ptp.name(), besidePtp.discarded());
            besidePtp.del().print("del.ptp.p50", 50, "ms", ptp.name(), besidePtp.discarded());
            Pairs withPort = oneByOne(ours, ourPortConfig, peer, hostPort, runs / 2, runs);
            withPort.add().print("add.host-port.p50", 50, "ms", hostPort.name(), withPort.discarded());
            withPort.del().print("del.host-port.p50", 50, "ms", hostPort.name(), withPort.discarded());
            shimAlone(ours, runs);
        }
    }

    /** Samples of ADD and DEL, and how many more did not count. */
    private record Pairs(Figures add, Figures del, int discarded) {}

    /** Ends at the latest when {@code most} samples were disturbed: the machine is not quiet enough then. */
    private Pairs oneByOne(Timed ours, Path config, Timed peer, Peer theirs, int runs, int most) throws IOException {
        Gate gate = new Gate(ours);
        Figures add = new Figures();
        Figures del = new Figures();
        while (add.runs() < runs && gate.discarded() < most) {
            Figures addOne = new Figures();
            Figures delOne = new Figures();
            if (gate.quiet(() -> pair(ours, config, peer, theirs, addOne, delOne))) {
                add.addAll(addOne);
                del.addAll(delOne);
            }
        }
        return new Pairs(add, del, gate.discarded());
    }

    private void pair(Timed ours, Path config, Timed peer, Peer theirs, Figures add, Figures del) throws IOException {
        String id = "bench" + serial++;
        Job ourAdd = our(config, "ADD", id, "o0");
        Job ourDel = our(config, "DEL", id, "o0");
        double a = millis(ours.run(ourAdd).nanos());
        add.add(a, theirs.add(peer, id, "p0"));
        double b = millis(ours.run(ourDel).nanos());
        del.add(b, theirs.del(peer, id, "p0"));
    }

    private void atOnce(Timed ours, Timed peer, int rounds) throws IOException {
        for (int i = AT_ONCE; i < AT_ONCE + STANDING; i++) {
            ours.run(our(ourConfig, "ADD", "standing" + i, "o" + i));
            bridge.add(peer, "standing" + i, "p" + i);
        }
        Gate gate = new Gate(ours);
        Figures add = new Figures();
        Figures del = new Figures();
        double rss = 0;
        while (add.runs() < rounds && gate.discarded() < rounds * 3) {
            String round = "once" + serial++ + "-";
            Batch[] ends = new Batch[4];
            double[] seen = new double[1];
            boolean quiet = gate.quiet(() -> {
                ends[0] = ours.batch(jobs(i -> our(ourConfig, "ADD", round + i, "o" + i)));
                ends[1] = bridge.atOnce(peer, "ADD", names(round), names("p"));
                seen[0] = rssMib(nodePid());
                ends[2] = ours.batch(jobs(i -> our(ourConfig, "DEL", round + i, "o" + i)));
                ends[3] = bridge.atOnce(peer, "DEL", names(round), names("p"));
            });
            rss = Math.max(rss, seen[0]);
            if (quiet) {
                add.add(millis(ends[0].nanos()), millis(ends[1].nanos()));
                del.add(millis(ends[2].nanos()), millis(ends[3].nanos()));
            }
        }
        add.print("add.100-at-once", 50, "ms", bridge.name(), gate.discarded());
        del.print("del.100-at-once", 50, "ms", bridge.name(), gate.discarded());
        Figures.line("node.rss", rss, 150, "MiB", "budget-at-" + (AT_ONCE + STANDING) + "-pods", 1, 0);
        for (int i = AT_ONCE; i < AT_ONCE + STANDING; i++) {
            ours.run(our(ourConfig, "DEL", "standing" + i, "o" + i));
            bridge.del(peer, "standing" + i, "p" + i);
        }
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
                bridge.name(),
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

    private static List<String> names(String prefix) {
        return IntStream.range(0, AT_ONCE).mapToObj(i -> prefix + i).toList();
    }

    private Job our(Path config, String verb, String id, String netns) {
        return new Job(
                config,
                folder.resolve("out-" + netns),
                CniEnvironment.of(verb, id, netns, shim.getParent()),
                List.of(shim.toString()));
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

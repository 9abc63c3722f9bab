package io.podwire.e2e.bench;

import io.podwire.common.net.IpAddress;
import io.podwire.e2e.mesh.Shell;
import io.podwire.proto.policy.v1.ServicePort;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * What a node's rules for Services cost, beside those that kube-proxy writes in mode iptables: to write them all where there
 * is nothing, the kernel's memory for them, to change one endpoint, and what the first packet of a connection pays when it is for the last of them, and
 * when it is for any. What is compared is measured in turns. {@code -Dservices.sizes=100x10,1000x10} measures others,
 * {@code -Dservices.iptables=legacy} against iptables-legacy, {@code -Dservices.gate=off} on a machine that is not
 * quiet, where only the ratio of the two sides says something.
 */
final class ServicesBench {
    private static final String SIZES = System.getProperty("services.sizes", "100x10,1000x10,10000x10,1000x250");
    private static final String VARIANT = System.getProperty("services.iptables", "nft");
    private static final int ROUNDS = Integer.getInteger("services.rounds", 5);
    private static final int CHANGES = Integer.getInteger("services.changes", 11);
    private static final int MANY_CHANGES = 500;
    private static final int CONNECT_MILLIS = Integer.getInteger("services.connect-ms", 1000);
    private static final boolean GATED = !"off".equals(System.getProperty("services.gate"));
    /** So many of all services are asked in turn where any is asked. */
    private static final int ASKED = 100;

    private static final String PEER = "kube-proxy-iptables-" + VARIANT;
    private static final String OURS = "podwire";

    /** Who translates: the name, and what writes the rules of a node. */
    record Side(String name, Function<ServicedNode, ServiceRules> rules) {}

    private static final List<Side> SIDES = List.of(
            new Side(PEER, node -> new KubeProxyRules(node.name(), VARIANT, BenchServices.CLUSTER)),
            new Side(OURS, node -> new PodwireServices(node.name())));

    private final Path timed;
    private final Path folder;
    /** Samples by figure, then side. */
    private final Map<String, Map<String, List<Double>>> samples = new HashMap<>();

    private int discarded;

    /**
     * A bench.
     *
     * @param timed source of the program that tells how disturbed the machine is
     * @param folder where the plot goes
     */
    ServicesBench(Path timed, Path folder) {
        this.timed = timed;
        this.folder = folder;
    }

    /** A side that is ready to be measured. */
    private record Running(Side side, ServicedNode node, ServiceRules rules) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            rules.close();
            node.close();
        }
    }

    void run() throws Exception {
        List<BenchServices> sizes = Arrays.stream(SIZES.split(",", -1))
                .map(size -> size.split("x", -1))
                .map(size -> new BenchServices(Integer.parseInt(size[0]), Integer.parseInt(size[1])))
                .toList();
        Path binaries = Files.createTempDirectory("services-bench");
        var _ = Shell.output("ip", "netns", "add", "services-gate");
        try (Timed gated = Timed.in(Timed.compile(timed, binaries), "services-gate")) {
            Gate gate = new Gate(gated);
            for (BenchServices size : sizes) {
                measure(size, gate);
            }
        } finally {
            var _ = Shell.attempt("ip", "netns", "delete", "services-gate");
            Folders.delete(binaries);
        }
        ratios(sizes);
        plot(sizes);
    }

    private void measure(BenchServices size, Gate gate) throws Exception {
        List<ServicePort> services = size.ports();
        List<IpAddress> last = List.of(BenchServices.clusterIp(size.services() - 1));
        int asked = Math.min(ASKED, size.services());
        List<IpAddress> any = IntStream.range(0, asked)
                .mapToObj(i -> BenchServices.clusterIp(i * (size.services() / asked)))
                .toList();
        List<Running> running = new ArrayList<>();
        try {
            for (Side side : SIDES) {
                ServicedNode node = new ServicedNode("services-" + side.name().charAt(0));
                Running one = new Running(side, node, side.rules().apply(node));
                running.add(one);
                long heap = liveHeap();
                long kernel = KernelMemory.used();
                long from = System.nanoTime();
                one.rules().program(services);
                add("cold." + size.label(), side, (System.nanoTime() - from) / 1e6);
                add("memory." + size.label(), side, (KernelMemory.used() - kernel) / 1024.0);
                add("heap." + size.label(), side, (liveHeap() - heap) / 1024.0 / 1024.0);
            }
            print("cold." + size.label(), "ms");
            print("memory." + size.label(), "MiB");
            // What node-shim keeps of them. What kube-proxy keeps is not known here.
            System.out.println(String.format(
                    Locale.ROOT,
                    "bench services.heap.%s ours=%.2fMiB",
                    size.label(),
                    median("heap." + size.label(), OURS)));
            // Disturbed rounds are made again, as many as were planned at most; without a quiet one there is no figure.
            for (int round = 0, quiet = 0; quiet < ROUNDS && round < 2 * ROUNDS; round++) {
                quiet += round(size, running, last, any, gate) ? 1 : 0;
            }
            for (String figure : List.of("connect.", "connect-any.")) {
                print(figure + size.label(), "/s");
            }
            for (String figure : List.of("first-packet.", "first-packet-any.")) {
                print(figure + size.label() + ".p50", "us");
                print(figure + size.label() + ".p99", "us");
            }
            changes(size, services, running);
        } finally {
            for (Running one : running) {
                one.close();
            }
        }
    }

    /** Bytes of this process's objects that are in use. */
    private static long liveHeap() {
        Runtime java = Runtime.getRuntime();
        java.gc();
        return java.totalMemory() - java.freeMemory();
    }

    /** All sides once; false when the machine was disturbed meanwhile, and it does not count. */
    private boolean round(
            BenchServices size, List<Running> running, List<IpAddress> last, List<IpAddress> any, Gate gate)
            throws IOException {
        List<Runnable> seen = new ArrayList<>();
        Gate.Sample sample = () -> {
            for (Running one : running) {
                ServicedNode.Connections toLast = one.node().connect(CONNECT_MILLIS, last);
                ServicedNode.Connections toAny = one.node().connect(CONNECT_MILLIS, any);
                seen.add(() -> add("", size, one.side(), toLast));
                seen.add(() -> add("-any", size, one.side(), toAny));
            }
        };
        if (!GATED) {
            sample.take();
        }
        boolean quiet = !GATED || gate.quiet(sample);
        if (quiet) {
            seen.forEach(Runnable::run);
        }
        discarded = gate.discarded();
        return quiet;
    }

    private void add(String suffix, BenchServices size, Side side, ServicedNode.Connections seen) {
        add("connect" + suffix + "." + size.label(), side, seen.perSecond());
        String latency = "first-packet" + suffix + "." + size.label();
        add(latency + ".p50", side, seen.p50Micros());
        add(latency + ".p99", side, seen.p99Micros());
    }

    private void changes(BenchServices size, List<ServicePort> services, List<Running> running) throws IOException {
        int middle = size.services() / 2;
        List<ServicePort> now = new ArrayList<>(services);
        for (int number = 0; number < CHANGES; number++) {
            ServicePort before = now.get(middle);
            ServicePort after = size.changed(before, number);
            now.set(middle, after);
            for (Running one : running) {
                long from = System.nanoTime();
                one.rules().change(List.copyOf(now), before, after);
                add("change." + size.label(), one.side(), (System.nanoTime() - from) / 1e6);
            }
        }
        print("change." + size.label(), "ms");
        tail(
                size,
                now,
                running.stream()
                        .filter(one -> one.side().name().equals(OURS))
                        .findFirst()
                        .orElseThrow());
        if (size.services() == 10_000) {
            samples.put("change.p50", samples.get("change." + size.label()));
            print("change.p50", "ms");
        }
    }

    /** The slowest of many changes, of our side alone: the other takes a second for each. */
    private void tail(BenchServices size, List<ServicePort> now, Running ours) throws IOException {
        double[] millis = new double[MANY_CHANGES];
        for (int number = 0; number < MANY_CHANGES; number++) {
            int which = number % now.size();
            ServicePort before = now.get(which);
            ServicePort after = size.changed(before, CHANGES + number);
            now.set(which, after);
            long from = System.nanoTime();
            ours.rules().change(now, before, after);
            millis[number] = (System.nanoTime() - from) / 1e6;
        }
        Arrays.sort(millis);
        System.out.println(String.format(
                Locale.ROOT,
                "bench services.change.%s.p99 ours=%.2fms runs=%d",
                size.label(),
                millis[MANY_CHANGES * 99 / 100],
                MANY_CHANGES));
    }

    private void add(String figure, Side side, double value) {
        samples.computeIfAbsent(figure, _ -> new HashMap<>())
                .computeIfAbsent(side.name(), _ -> new ArrayList<>())
                .add(value);
    }

    private double median(String figure, String side) {
        if (!samples.containsKey(figure)) {
            return Double.NaN; // the machine was disturbed during all rounds
        }
        List<Double> sorted = new ArrayList<>(samples.get(figure).get(side));
        Collections.sort(sorted);
        return sorted.get((sorted.size() - 1) / 2);
    }

    private boolean has(String side) {
        return SIDES.stream().anyMatch(one -> one.name().equals(side));
    }

    private void print(String figure, String unit) {
        print(
                figure,
                unit,
                side -> median(figure, side),
                samples.containsKey(figure) ? samples.get(figure).get(PEER).size() : 0);
    }

    private void print(String figure, String unit, ToDoubleFunction<String> of, int runs) {
        if (has(OURS)) {
            Figures.line(
                    "services." + figure, of.applyAsDouble(OURS), of.applyAsDouble(PEER), unit, PEER, runs, discarded);
        } else {
            System.out.println(String.format(
                    Locale.ROOT,
                    "bench services.%s peer=%.2f%s peer-is=%s runs=%d discarded=%d",
                    figure,
                    of.applyAsDouble(PEER),
                    unit,
                    PEER,
                    runs,
                    discarded));
        }
    }

    /** How much of its rate at 100 services a side keeps at 10,000. */
    private void ratios(List<BenchServices> sizes) {
        List<String> labels = sizes.stream().map(BenchServices::label).toList();
        if (labels.containsAll(List.of("100", "10k"))) {
            for (String figure : List.of("connect", "connect-any")) {
                print(
                        figure + ".10k-vs-100",
                        "",
                        side -> median(figure + ".10k", side) / median(figure + ".100", side),
                        ROUNDS);
            }
        }
    }

    private void plot(List<BenchServices> sizes) throws IOException {
        Map<String, Map<Integer, Double>> lines = new TreeMap<>();
        for (Side side : SIDES) {
            for (BenchServices size : sizes) {
                if (size.endpoints() == 10) {
                    for (String figure : List.of("connect", "connect-any")) {
                        String line = side.name() + (figure.equals("connect") ? ", the last" : ", any");
                        lines.computeIfAbsent(line, _ -> new TreeMap<>())
                                .put(size.services(), median(figure + "." + size.label(), side.name()));
                    }
                }
            }
        }
        Path file = Files.createDirectories(folder.resolve("bench")).resolve("services.svg");
        var _ = Files.writeString(file, ServicesPlot.svg(lines));
        System.out.println("bench services plot: " + file);
    }
}

package io.podwire.e2e.soak;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.e2e.mesh.KernelDump;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.ProcessDump;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.node.v1.Endpoint;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Many pairs of ADD and DEL by the real cni-shim, several containers alive at any time, with audits of journal, kernel
 * and ipam-service in between: nothing is left at the end, and node-shim has not grown. {@code make soak WHAT=node}
 * runs it with as many pairs as asked for.
 */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class NodeSoakLabTest {
    private static final int PAIRS = Integer.getInteger("podwire.soak.count", 200);
    private static final int WORKERS = 4;
    /** Containers that each worker has alive at most. */
    private static final int SLOTS = 4;

    /** Idle rtnetlink sockets that stay open, one more for each thread that put one back at the same time. */
    private static final int SPARE_SOCKETS = 4 + WORKERS;

    private static final int AUDITS = 20;
    private static final Duration SOON = Duration.ofSeconds(10);

    /**
     * How much node-shim may grow, in KiB, from the median of the second fifth of the looks to that of the last. All are
     * taken after a full collection, so what the heap holds for no reason is not in them. With 10,000 pairs a leak of one
     * KiB in each would be 6,000 KiB more.
     */
    private static final int GROWTH_KIB = 6 * 1024;

    /**
     * With fewer pairs growth is not judged: a JVM that has just been started grows by some 20 MiB in its first 200 pairs,
     * while it loads and compiles what they need and its heap gets its size.
     */
    private static final int WARM_PAIRS = 5_000;

    private final Mesh mesh;
    private final MeshNode node;

    NodeSoakLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        this.node = mesh.node("soak");
    }

    @AfterEach
    void close() {
        node.close();
    }

    @Test
    void nothingIsLeftAfterManyPairs() throws Exception {
        node.start();
        List<Slots> workers = new ArrayList<>();
        long seed = Long.getLong("seed", System.nanoTime());
        System.out.println("soak: -Dseed=" + seed);
        for (int i = 0; i < WORKERS; i++) {
            workers.add(new Slots("soak" + i, new Random(seed + i)));
        }
        List<Integer> rss = new ArrayList<>();
        long began = System.nanoTime();
        try (ExecutorService threads = Executors.newFixedThreadPool(WORKERS)) {
            // What is opened once and kept is open afterwards, and the node owns all blocks that it needs.
            round(threads, workers, WORKERS * SLOTS * 2);
            empty(threads, workers);
            KernelDump clean = node.dump();
            List<String> namespaces = namespaces();
            List<String> files = node.files();
            ProcessDump process = settled();
            int free = node.api().freeAddresses();

            for (int i = 0; i < AUDITS; i++) {
                round(threads, workers, PAIRS / AUDITS);
                audit(workers, free);
                rss.add(settled().rssKib());
            }
            empty(threads, workers);

            node.assertUnchanged(clean, "after " + PAIRS + " pairs");
            assertThat(namespaces()).as("network namespaces").isEqualTo(namespaces);
            assertThat(node.files()).as("files").isEqualTo(files);
            assertThat(node.api().endpoints()).as("attachments").isEmpty();
            assertThat(node.api().freeAddresses()).as("free addresses").isEqualTo(free);
            await("descriptors and threads are as they were")
                    .atMost(SOON.multipliedBy(2))
                    .untilAsserted(() -> {
                        ProcessDump now = node.process();
                        assertThat(descriptors(now)).as("descriptors").isEqualTo(descriptors(process));
                        assertThat(now.descriptors().get(ProcessDump.NETLINK))
                                .as("netlink sockets")
                                .isLessThanOrEqualTo(process.descriptors().get(ProcessDump.NETLINK) + SPARE_SOCKETS);
                        assertThat(now.threads()).as("threads").isLessThanOrEqualTo(process.threads());
                    });
            report(rss, process, Duration.ofNanos(System.nanoTime() - began));
        } finally {
            workers.forEach(Slots::deleteNamespaces);
        }
        if (PAIRS < WARM_PAIRS) {
            return;
        }
        int fifth = AUDITS / 5;
        assertThat(median(rss.subList(AUDITS - fifth, AUDITS)) - median(rss.subList(fifth, 2 * fifth)))
                .as("growth of node-shim's resident memory in KiB, %s", rss)
                .isLessThan(GROWTH_KIB);
    }

    /** The containers of one worker; used by one thread at a time. */
    private final class Slots {
        private final String name;
        private final Random random;
        private final Map<Integer, TestPod> alive = new TreeMap<>();
        private int made;

        Slots(String name, Random random) {
            this.name = name;
            this.random = random;
        }

        /** Fills and empties slots at random until so many containers more have come and gone. */
        void run(int pairs) {
            int gone = 0;
            while (gone < pairs) {
                int slot = random.nextInt(SLOTS);
                if (alive.containsKey(slot)) {
                    delete(slot);
                    gone++;
                } else {
                    add(slot);
                }
            }
        }

        private void add(int slot) {
            TestPod pod = TestPod.make(name + "-" + made++);
            alive.put(slot, pod);
            assertThat(node.runtime().add(pod.eth0()).text())
                    .as("ADD of %s", pod.name())
                    .startsWith("exit code 0");
        }

        private void delete(int slot) {
            TestPod pod = alive.remove(slot);
            // A runtime deletes the namespace after the DEL, or before it, or the machine did.
            boolean before = random.nextInt(8) == 0;
            if (before) {
                pod.close();
            }
            assertThat(node.runtime().del(pod.eth0()).text())
                    .as("DEL of %s", pod.name())
                    .startsWith("exit code 0");
            if (!before) {
                pod.close();
            }
        }

        void empty() {
            List.copyOf(alive.keySet()).forEach(this::delete);
        }

        void deleteNamespaces() {
            alive.values().forEach(TestPod::close);
        }
    }

    private static void round(ExecutorService threads, List<Slots> workers, int pairs) throws Exception {
        all(
                threads,
                workers.stream()
                        .<Runnable>map(slots -> () -> slots.run(pairs / WORKERS))
                        .toList());
    }

    private static void empty(ExecutorService threads, List<Slots> workers) throws Exception {
        all(threads, workers.stream().<Runnable>map(slots -> slots::empty).toList());
    }

    private static void all(ExecutorService threads, List<Runnable> tasks) throws Exception {
        List<Future<?>> ends = new ArrayList<>();
        tasks.forEach(task -> ends.add(threads.submit(task)));
        for (Future<?> end : ends) {
            end.get();
        }
    }

    /** Journal, kernel and ipam-service agree about the containers that are alive now. */
    private void audit(List<Slots> workers, int free) {
        List<TestPod> alive =
                workers.stream().flatMap(slots -> slots.alive.values().stream()).toList();
        List<Endpoint> endpoints = node.api().endpoints();
        assertThat(endpoints)
                .as("the journal's attachments")
                .extracting(Endpoint::getContainerId)
                .containsExactlyInAnyOrderElementsOf(
                        alive.stream().map(TestPod::containerId).toList());
        assertThat(node.api().audit()).as("journal and kernel").isEmpty();
        assertThat(node.api().freeAddresses()).as("free addresses").isEqualTo(free - alive.size());
        assertThat(node.api().status().orElseThrow().getBlocksList())
                .as("blocks, by node-shim and by ipam-service")
                .containsExactlyInAnyOrderElementsOf(mesh.blocksOf(node.name()));
        KernelDump kernel = node.dump();
        for (Endpoint endpoint : endpoints) {
            assertThat(kernel.with("link " + endpoint.getHostIfname() + " "))
                    .as("link of %s", endpoint.getContainerId())
                    .hasSize(1);
            assertThat(kernel.with("nft element of inet podwire ingress-4 ").stream()
                            .filter(line -> line.contains("\"" + endpoint.getAddress() + "\"")))
                    .as("entry of %s", endpoint.getAddress())
                    .hasSize(1);
        }
        assertThat(kernel.with("nft element of inet podwire ingress-4 "))
                .as("entries in all")
                .hasSameSizeAs(endpoints);
        assertThat(kernel.with("nft element of bridge podwire endpoints "))
                .as("senders in all")
                .hasSameSizeAs(endpoints);
        if (!alive.isEmpty()) {
            assertThat(node.runtime().check(alive.getFirst().eth0()).text())
                    .as("CHECK")
                    .startsWith("exit code 0");
        }
    }

    /** node-shim after a full collection. */
    private ProcessDump settled() {
        String jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();
        var _ = Shell.output(jcmd, Long.toString(node.shim().pid()), "GC.run");
        return node.process();
    }

    private static Map<String, Integer> descriptors(ProcessDump process) {
        Map<String, Integer> kept = new TreeMap<>(process.descriptors());
        // Files that a JVM opens when it first needs a class are no leak; the sockets of pools are looked at on their
        // own.
        kept.keySet()
                .removeIf(name -> name.endsWith(".jar")
                        || name.endsWith(".so")
                        || name.equals(ProcessDump.NETLINK)
                        || name.equals(ProcessDump.ACCEPTED));
        return kept;
    }

    private static List<String> namespaces() {
        return Shell.output("ip", "netns", "list")
                .lines()
                .map(line -> line.split(" ", -1)[0])
                .sorted()
                .toList();
    }

    private static int median(List<Integer> of) {
        return of.stream().sorted().toList().get(of.size() / 2);
    }

    private void report(List<Integer> rss, ProcessDump first, Duration took) {
        ProcessDump now = node.process();
        System.out.println("soak: " + PAIRS + " pairs of ADD and DEL in " + took.toSeconds() + " s, " + AUDITS
                + " audits; resident memory after collections in MiB "
                + rss.stream().map(kib -> kib / 1024).toList() + "; threads " + first.threads() + " -> "
                + now.threads() + "; descriptors "
                + descriptors(first).values().stream()
                        .mapToInt(Integer::intValue)
                        .sum() + " -> "
                + descriptors(now).values().stream().mapToInt(Integer::intValue).sum());
    }
}

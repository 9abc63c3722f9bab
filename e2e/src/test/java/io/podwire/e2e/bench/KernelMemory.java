package io.podwire.e2e.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/** Memory that the kernel has taken for itself, as rules, sets and tables are: of the whole machine, so that others' is in it. */
final class KernelMemory {
    /** proc_meminfo(5): small objects, large ones, and counters of which each processor has its own. */
    private static final Set<String> PARTS = Set.of("Slab:", "VmallocUsed:", "Percpu:");

    private KernelMemory() {}

    /** Of now, in KiB. */
    static long used() throws IOException {
        return Files.readAllLines(Path.of("/proc/meminfo")).stream()
                .map(line -> line.split(" +", -1))
                .filter(words -> PARTS.contains(words[0]))
                .mapToLong(words -> Long.parseLong(words[1]))
                .sum();
    }
}

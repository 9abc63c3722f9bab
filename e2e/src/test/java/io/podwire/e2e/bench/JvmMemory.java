package io.podwire.e2e.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Scanner;

/**
 * Memory of a Java process of ours.
 *
 * @param pid its
 */
record JvmMemory(long pid) {
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
        var _ = Files.writeString(Path.of("/proc/" + pid + "/clear_refs"), "5");
        return status("VmRSS");
    }

    /** The most memory that it has had since {@link #beginPeak}, in KiB. */
    long residentPeak() throws IOException {
        return status("VmHWM");
    }

    private long status(String field) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream()
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
                        Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(), Long.toString(pid), command)
                .redirectErrorStream(true)
                .start();
        String out = new String(jcmd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (jcmd.waitFor() != 0) {
            throw new IOException(command + ": " + out);
        }
        return out;
    }
}

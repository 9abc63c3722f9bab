package io.podwire.e2e.bench;

import io.podwire.e2e.bench.Timed.Batch;
import io.podwire.e2e.bench.Timed.Job;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Debian's host-local, as it is used: a process for each address. */
final class HostLocal {
    static final String NAME = "host-local";
    private static final Path BIN = Path.of("/usr/lib/cni");

    private final Timed timed;
    private final Path folder;
    private int serial;

    /**
     * An own one.
     *
     * @param folder for its data, on the disk that is measured
     */
    HostLocal(Timed timed, Path folder) throws IOException {
        this.timed = timed;
        this.folder = Files.createDirectories(folder);
    }

    /**
     * Allocations for a time, in turns of so many at once.
     *
     * @param seconds after which no further turn begins
     */
    Load.Result during(double seconds, int callers) throws IOException {
        Path data = data();
        List<Long> nanos = new ArrayList<>();
        long all = 0;
        do {
            Batch batch = timed.batch(jobs(data, callers));
            all += batch.nanos();
            batch.ends().forEach(end -> nanos.add(end.nanos()));
        } while (all < seconds * 1e9);
        Folders.delete(data);
        return Load.Result.of(nanos, all);
    }

    /** So many allocations at once. */
    Load.Result atOnce(int callers) throws IOException {
        return during(0, callers);
    }

    private Path data() throws IOException {
        return Files.createTempDirectory(folder, "data");
    }

    private List<Job> jobs(Path data, int count) throws IOException {
        Path config = Files.writeString(
                folder.resolve("config.json"),
                "{\"cniVersion\":\"1.0.0\",\"name\":\"bench\",\"type\":\"bench\",\"ipam\":{\"type\":\"host-local\","
                        + "\"dataDir\":\"" + data + "\",\"ranges\":[[{\"subnet\":\"10.97.0.0/16\"}]]}}");
        List<Job> jobs = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            jobs.add(new Job(
                    config,
                    folder.resolve("out-" + i),
                    CniEnvironment.of("ADD", "bench" + serial++, "none", BIN),
                    List.of(BIN.resolve("host-local").toString())));
        }
        return jobs;
    }
}

package io.podwire.e2e.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * Benchmarks beside a peer in the same run, one line a figure. Runs inside {@code podwire lab run
 * --nodes 1}; {@code make bench} starts it so.
 */
public final class Bench {
    private static final List<String> AREAS = List.of("add");

    private Bench() {}

    /**
     * Runs areas.
     *
     * @param args path of timed.c, then areas; none: all
     */
    public static void main(String[] args) throws IOException, InterruptedException {
        List<String> areas = args.length > 1 ? Arrays.asList(args).subList(1, args.length) : AREAS;
        for (String area : areas) {
            if (!AREAS.contains(area)) {
                System.err.println("bench: areas are " + AREAS + ", got '" + area + "'");
                System.exit(2);
            }
        }
        int runs = Integer.getInteger("runs", 200);
        AddBench add = new AddBench(Path.of(args[0]));
        add.run(Integer.getInteger("warmup", 300), runs);
        add.ready(5);
    }
}

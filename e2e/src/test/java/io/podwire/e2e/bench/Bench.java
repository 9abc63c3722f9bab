package io.podwire.e2e.bench;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * Benchmarks beside a peer in the same run, one line a figure. Runs inside {@code podwire lab run
 * --nodes 1}; {@code make bench} starts it so.
 */
public final class Bench {
    private static final List<String> AREAS = List.of("add", "ipam", "policy", "datapath", "routes", "bgp", "services");

    private Bench() {}

    /**
     * Runs areas.
     *
     * @param args path of timed.c, a folder on a disk that counts, then areas; none: all
     */
    public static void main(String[] args) throws Exception {
        List<String> areas = args.length > 2 ? Arrays.asList(args).subList(2, args.length) : AREAS;
        for (String area : areas) {
            if (!AREAS.contains(area)) {
                System.err.println("bench: areas are " + AREAS + ", got '" + area + "'");
                System.exit(2);
            }
        }
        Path timed = Path.of(args[0]);
        if (areas.contains("add")) {
            AddBench add = new AddBench(timed);
            add.run(Integer.getInteger("warmup", 300), Integer.getInteger("runs", 200));
            add.ready(5);
        }
        if (areas.contains("ipam")) {
            try (IpamBench ipam = new IpamBench(timed, Path.of(args[1]))) {
                ipam.run(Integer.getInteger("rounds", 3));
            }
        }
        if (areas.contains("policy")) {
            new PolicyBench(Path.of(args[1])).run();
        }
        if (areas.contains("datapath")) {
            new DatapathBench(timed.resolveSibling("flow.c"), Path.of(args[1])).run();
        }
        if (areas.contains("routes")) {
            new RoutesBench(Path.of(args[1])).run();
        }
        if (areas.contains("bgp")) {
            new BgpBench(timed, Path.of(args[1])).run(Integer.getInteger("bgp.rounds", 9));
        }
        if (areas.contains("services")) {
            new ServicesBench(timed, Path.of(args[1])).run();
        }
        // Threads of clients are not waited for.
        System.exit(0);
    }
}

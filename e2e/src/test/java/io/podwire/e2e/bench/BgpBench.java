package io.podwire.e2e.bench;

import io.podwire.common.net.IpAddress;
import io.podwire.e2e.mesh.Daemon;
import io.podwire.e2e.mesh.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A reflector between three clients: a BIRD that announces routes and takes them back, and two that count what they
 * are told. What is timed is from the word to that BIRD until the last prefix is with both. The same with our reflector,
 * with BIRD and with GoBGP in its place, in turn; each has its own clients, which are of the same kind, and the sessions
 * stay up throughout.
 */
final class BgpBench {
    private static final long ASN = 64512;
    private static final String BRIDGE = "bgpbench";
    private static final int FEW = 10_000;
    private static final int MANY = 100_000;

    private final Path home = Path.of(System.getenv("PODWIRE_HOME"));
    private final Path timed;
    private final Path folder;

    /** What reflects. */
    private enum Kind {
        PODWIRE(10),
        BIRD(20),
        GOBGP(30);

        /** Last octet of its address; those of its clients follow. */
        private final int number;

        Kind(int number) {
            this.number = number;
        }
    }

    /** Routes that come and go together. */
    private record Routes(String name, int count, String first) {
        IpAddress address(int index) {
            return IpAddress.parse(first).plus(64L * index);
        }

        long sum() {
            return IntStream.range(0, count).mapToLong(i -> address(i).low()).sum();
        }

        String config() {
            return "protocol static %s { disabled; ipv4;%n%s%n}%n"
                    .formatted(
                            name,
                            IntStream.range(0, count)
                                    .mapToObj(i -> "route " + address(i) + "/26 blackhole;")
                                    .collect(Collectors.joining("\n")));
        }
    }

    private static final Routes SMALL = new Routes("few", FEW, "10.0.0.0");
    private static final Routes LARGE = new Routes("many", MANY, "20.0.0.0");

    /** A reflector and its clients. */
    private record Triangle(Kind kind, Daemon reflector, Daemon origin, Path control, List<BgpSink> sinks)
            implements AutoCloseable {
        /** From the word until both have it, in ms. */
        double change(String word, Routes routes) throws IOException {
            long expected = word.equals("enable") ? routes.count() : 0;
            long sum = word.equals("enable") ? routes.sum() : 0;
            long began = System.nanoTime();
            var _ = Shell.output("birdc", "-s", control.toString(), word, routes.name());
            long last = began;
            try {
                for (BgpSink sink : sinks) {
                    last = Math.max(last, sink.awaitHeld(expected, sum));
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted while waiting for routes", e);
            }
            return (last - began) / 1e6;
        }

        double peakMib() throws IOException {
            return new JvmMemory(reflector.pid()).residentPeak() / 1024.0;
        }

        @Override
        public void close() {
            sinks.forEach(BgpSink::close);
            origin.close();
            reflector.close();
        }
    }

    /**
     * A bench.
     *
     * @param timed path of timed.c
     * @param disk folder for configurations and logs
     */
    BgpBench(Path timed, Path disk) throws IOException {
        this.timed = timed;
        folder = Files.createTempDirectory(Files.createDirectories(disk), "bgp").toAbsolutePath();
    }

    void run(int rounds) throws IOException, InterruptedException {
        Map<Kind, Triangle> triangles = new EnumMap<>(Kind.class);
        List<String> namespaces = new ArrayList<>();
        try {
            bridge();
            for (Kind kind : Kind.values()) {
                triangles.put(kind, triangle(kind, namespaces));
            }
            measure(triangles, rounds);
        } finally {
            triangles.values().forEach(Triangle::close);
            namespaces.forEach(name -> {
                var _ = Shell.attempt("ip", "link", "delete", "b-" + name);
                var _ = Shell.attempt("ip", "netns", "delete", name);
            });
            var _ = Shell.attempt("ip", "link", "delete", BRIDGE);
            Folders.delete(folder);
        }
    }

    private void measure(Map<Kind, Triangle> triangles, int rounds) throws IOException, InterruptedException {
        try (Timed gated = Timed.in(Timed.compile(timed, folder), "bgp-from-podwire")) {
            Gate gate = new Gate(gated);
            for (Routes routes : List.of(SMALL, LARGE)) {
                String name = "bgp." + routes.count() / 1000 + "k";
                Map<Kind, Figures> there = new EnumMap<>(Kind.class);
                Map<Kind, Figures> gone = new EnumMap<>(Kind.class);
                for (Kind peer : List.of(Kind.BIRD, Kind.GOBGP)) {
                    there.put(peer, new Figures());
                    gone.put(peer, new Figures());
                }
                Map<Kind, Integer> discarded = new EnumMap<>(Map.of(Kind.BIRD, 0, Kind.GOBGP, 0));
                for (int round = 0; round <= rounds; round++) {
                    Map<Kind, Double> came = new EnumMap<>(Kind.class);
                    Map<Kind, Double> went = new EnumMap<>(Kind.class);
                    Set<Kind> quiet = EnumSet.noneOf(Kind.class);
                    for (Triangle triangle : triangles.values()) {
                        // Each by itself: GoBGP's takes seconds, in which something happens.
                        if (gate.quiet(() -> {
                            came.put(triangle.kind(), triangle.change("enable", routes));
                            went.put(triangle.kind(), triangle.change("disable", routes));
                        })) {
                            quiet.add(triangle.kind());
                        }
                    }
                    for (Kind peer : there.keySet()) {
                        if (round == 0) {
                            // The first ones that a JVM sees are a figure of their own.
                            Figures.line(name + ".first", came.get(Kind.PODWIRE), came.get(peer), "ms", is(peer), 1, 0);
                        } else if (quiet.contains(Kind.PODWIRE) && quiet.contains(peer)) {
                            there.get(peer).add(came.get(Kind.PODWIRE), came.get(peer));
                            gone.get(peer).add(went.get(Kind.PODWIRE), went.get(peer));
                        } else {
                            discarded.merge(peer, 1, Integer::sum);
                        }
                    }
                }
                for (Kind peer : there.keySet()) {
                    there.get(peer).print(name + ".p50", 50, "ms", is(peer), discarded.get(peer));
                    gone.get(peer).print(name + ".withdraw.p50", 50, "ms", is(peer), discarded.get(peer));
                    Figures.line(
                            name + ".memory-peak",
                            triangles.get(Kind.PODWIRE).peakMib(),
                            triangles.get(peer).peakMib(),
                            "MiB",
                            is(peer),
                            1,
                            0);
                }
            }
        }
    }

    private static String is(Kind peer) {
        return switch (peer) {
            case PODWIRE -> "podwire";
            case BIRD -> "bird-reflector";
            case GOBGP -> "gobgp-reflector";
        };
    }

    private static void bridge() {
        Shell.ipBatch(List.of(
                // By itself it has the lowest address of its ports, another with a port more, and neighbours send to
                // the old one.
                "link add name " + BRIDGE + " address 02:00:00:00:00:01 type bridge",
                "addr add 198.51.100.1/24 dev " + BRIDGE,
                "link set " + BRIDGE + " up"));
    }

    private Triangle triangle(Kind kind, List<String> namespaces) throws IOException, InterruptedException {
        int number = kind.number;
        String reflector = "198.51.100." + number;
        String origin = "198.51.100." + (number + 1);
        List<String> sinks = List.of("198.51.100." + (number + 2), "198.51.100." + (number + 3));
        String name = kind.name().toLowerCase(java.util.Locale.ROOT);
        namespace("bgp-at-" + name, reflector, namespaces);
        namespace("bgp-from-" + name, origin, namespaces);
        for (String sink : sinks) {
            Shell.ipBatch(List.of("addr add " + sink + "/24 dev " + BRIDGE));
        }
        List<String> clients = new ArrayList<>(sinks);
        clients.addFirst(origin);
        Daemon reflecting = daemon(
                name,
                "bgp-at-" + name,
                switch (kind) {
                    case PODWIRE -> podwire(name, reflector, clients);
                    case BIRD -> bird(name, birdReflector(reflector, clients));
                    case GOBGP -> gobgp(name, reflector, clients);
                });
        Daemon announcing =
                daemon(name + "-from", "bgp-from-" + name, bird(name + "-from", originConfig(origin, reflector)));
        List<BgpSink> listening = new ArrayList<>();
        for (String sink : sinks) {
            listening.add(BgpSink.connect(sink, reflector, ASN));
        }
        Path control = folder.resolve(name + "-from.ctl");
        long limit = System.nanoTime() + 60_000_000_000L;
        while (!Shell.attempt("birdc", "-s", control.toString(), "show", "protocols", "up")
                .stdout()
                .contains("Established")) {
            if (System.nanoTime() > limit) {
                throw new IllegalStateException(
                        name + " and its BIRD have no session:\n" + reflecting.logTail() + "\n" + announcing.logTail());
            }
            Thread.sleep(100);
        }
        return new Triangle(kind, reflecting, announcing, control, listening);
    }

    private static void namespace(String name, String address, List<String> namespaces) {
        // Interface names have 15 characters at most.
        String link = "b-" + address.substring(address.lastIndexOf('.') + 1);
        Shell.ipBatch(List.of(
                "netns add " + name,
                "link add " + link + " type veth peer name eth0 netns " + name,
                "link set " + link + " master " + BRIDGE + " up"));
        namespaces.add(name);
        for (String words : List.of("link set lo up", "link set eth0 up", "addr add " + address + "/24 dev eth0")) {
            List<String> command = new ArrayList<>(List.of("ip", "-n", name));
            command.addAll(List.of(words.split(" ")));
            var _ = Shell.output(command.toArray(String[]::new));
        }
    }

    private Daemon daemon(String name, String namespace, List<String> command) {
        Daemon daemon = new Daemon(
                name,
                folder.resolve(name + ".log"),
                List.of("nsenter", "--net=/run/netns/" + namespace, "--"),
                command);
        daemon.start(List.of());
        return daemon;
    }

    private List<String> podwire(String name, String address, List<String> clients) throws IOException {
        Path file = folder.resolve(name + ".yaml");
        Files.writeString(
                file,
                "peers:\n"
                        + clients.stream()
                                .map(client -> "- {address: " + client + ", asn: " + ASN
                                        + ", client: true, passive: true, maxPrefixes: 200000,"
                                        + " families: [ipv4], importRules: [0.0.0.0/0 le 32]}\n")
                                .collect(Collectors.joining()));
        return List.of(
                home.resolve("bin/route-reflector").toString(),
                "--listen=127.0.0.1:7473",
                "--http-listen=127.0.0.1:7483",
                "--bgp-asn=" + ASN,
                "--bgp-router-id=" + address,
                "--bgp-listen=0.0.0.0:179",
                "--bgp-peers-file=" + file);
    }

    private List<String> bird(String name, String config) throws IOException {
        Path file = folder.resolve(name + ".conf");
        Files.writeString(file, config);
        String control = folder.resolve(name + ".ctl").toString();
        return List.of("bird", "-f", "-c", file.toString(), "-s", control, "-P", control + ".pid");
    }

    private static String birdReflector(String address, List<String> clients) {
        return "router id %s;%nlog stderr all;%nprotocol device {}%nprotocol direct { ipv4; }%n".formatted(address)
                + clients.stream()
                        .map(client -> """
                            protocol bgp { local as %d; neighbor %s as %d; rr client; passive yes;
                              ipv4 { import all; export where source = RTS_BGP; }; }
                            """.formatted(ASN, client, ASN))
                        .collect(Collectors.joining());
    }

    private static String originConfig(String address, String reflector) {
        return """
            router id %s;
            log stderr all;
            protocol device {}
            protocol bgp up { local as %d; neighbor %s as %d; connect delay time 1; connect retry time 1;
              error wait time 1, 2;
              ipv4 { import none; export where source = RTS_STATIC; next hop self; }; }
            """.formatted(address, ASN, reflector, ASN) + SMALL.config() + LARGE.config();
    }

    private List<String> gobgp(String name, String address, List<String> clients) throws IOException {
        Path file = folder.resolve(name + ".toml");
        Files.writeString(
                file,
                """
                [global.config]
                  as = %d
                  router-id = "%s"
                  port = 179
                """.formatted(ASN, address)
                        + clients.stream()
                                .map(client -> """
                                    [[neighbors]]
                                      [neighbors.config]
                                        neighbor-address = "%s"
                                        peer-as = %d
                                      [neighbors.transport.config]
                                        passive-mode = true
                                      [neighbors.route-reflector.config]
                                        route-reflector-client = true
                                        route-reflector-cluster-id = "%s"
                                      [[neighbors.afi-safis]]
                                        [neighbors.afi-safis.config]
                                          afi-safi-name = "ipv4-unicast"
                                    """.formatted(client, ASN, address))
                                .collect(Collectors.joining()));
        return List.of("gobgpd", "-f", file.toString(), "--api-hosts", "127.0.0.1:50051", "--pprof-disable");
    }
}

package io.podwire.e2e.ipam;

import static org.awaitility.Awaitility.await;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.maintenance.AlarmMember;
import io.etcd.jetcd.maintenance.StatusResponse;
import io.etcd.jetcd.options.CompactOption;
import io.etcd.jetcd.options.DeleteOption;
import io.podwire.e2e.mesh.Daemon;
import io.podwire.e2e.mesh.Shell;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A real etcd of three members, each in a network namespace of its own on a bridge of the tests' sandbox, and what can
 * happen to them. One thread, which must live as long as the members, does it all.
 */
final class EtcdCluster implements AutoCloseable {
    private static final int MEMBERS = 3;
    private static final String BRIDGE = "etcd";
    /** Of RFC 5737, and not the mesh's: the gateway is the clients' address. */
    private static final String NET = "198.51.100.";

    private static final String CLIENTS = NET + "254";
    private static final Duration READY = Duration.ofSeconds(60);
    private static final Duration CALL = Duration.ofSeconds(3);
    private static final int FILLER_BYTES = 1 << 19;
    private static final ByteSequence FILLER = bytes("/filler/");

    private final List<Member> members;

    /** What a member that is cut off loses. */
    enum Cut {
        /** All packets from and to the other members; clients still reach it. */
        PEERS,
        /** What it sends to the other members; it hears them. */
        TO_PEERS,
        /** What the other members send; they hear it. */
        FROM_PEERS,
        /** Everything. */
        ALL
    }

    /** One etcd, and a client of it alone. */
    record Member(int number, String namespace, URI endpoint, Daemon process, Client client) {
        private Optional<StatusResponse> status() {
            try {
                return Optional.of(get(client.getMaintenanceClient().statusMember(endpoint.toString())));
            } catch (ExecutionException | TimeoutException _) {
                return Optional.empty();
            }
        }

        /** True when it answers a read for which it needs a leader and a majority. */
        private boolean serves() {
            try {
                var _ = get(client.getKVClient().get(FILLER));
                return true;
            } catch (ExecutionException | TimeoutException _) {
                return false;
            }
        }

        private String address() {
            return NET + number;
        }
    }

    /**
     * Starts three members and waits until each serves.
     *
     * @param folder where their data and logs are kept
     * @param options further ones of etcd
     */
    static EtcdCluster start(Path folder, String... options) throws IOException {
        EtcdCluster cluster = new EtcdCluster(folder, List.of(options));
        try {
            cluster.members.forEach(member -> member.process().start(List.of()));
            cluster.awaitServing();
            return cluster;
        } catch (RuntimeException | Error e) {
            cluster.close();
            throw e;
        }
    }

    private EtcdCluster(Path folder, List<String> options) throws IOException {
        Shell.ipBatch(List.of(
                "link add " + BRIDGE + " type bridge",
                "addr add " + CLIENTS + "/24 dev " + BRIDGE,
                "link set " + BRIDGE + " up"));
        List<Member> made = new ArrayList<>();
        for (int number = 1; number <= MEMBERS; number++) {
            made.add(member(number, Files.createDirectories(folder.resolve("member-" + number)), options));
        }
        members = List.copyOf(made);
    }

    private static Member member(int number, Path folder, List<String> options) {
        String namespace = "etcd-" + number;
        String address = NET + number;
        Shell.ipBatch(List.of(
                "netns add " + namespace,
                "link add p-" + namespace + " type veth peer name eth0 netns " + namespace,
                "link set p-" + namespace + " master " + BRIDGE + " up"));
        for (String line : List.of("link set lo up", "addr add " + address + "/24 dev eth0", "link set eth0 up")) {
            var _ = Shell.output(("ip -n " + namespace + " " + line).split(" "));
        }
        URI endpoint = URI.create("http://" + address + ":2379");
        String peer = "http://" + address + ":2380";
        List<String> command = new ArrayList<>(List.of("etcd", "--name", namespace));
        command.addAll(List.of("--data-dir", folder.resolve("data").toString()));
        command.addAll(List.of("--listen-client-urls", endpoint.toString()));
        command.addAll(List.of("--advertise-client-urls", endpoint.toString()));
        command.addAll(List.of("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer));
        command.addAll(List.of(
                "--initial-cluster",
                IntStream.rangeClosed(1, MEMBERS)
                        .mapToObj(i -> "etcd-" + i + "=http://" + NET + i + ":2380")
                        .collect(Collectors.joining(","))));
        command.addAll(options);
        return new Member(
                number,
                namespace,
                endpoint,
                new Daemon(
                        namespace,
                        folder.resolve("log"),
                        List.of("nsenter", "--net=/run/netns/" + namespace, "--"),
                        command),
                Client.builder().endpoints(endpoint).connectTimeout(CALL).build());
    }

    /** Where clients connect. */
    List<URI> endpoints() {
        return members.stream().map(Member::endpoint).toList();
    }

    /** The member that leads now. */
    Member leader() {
        return await("a leader is known")
                .atMost(READY)
                .until(this::findLeader, Optional::isPresent)
                .orElseThrow();
    }

    private Optional<Member> findLeader() {
        record Seen(Member member, StatusResponse status) {}
        // One that was deposed and does not know it has an older term.
        return members.stream()
                .flatMap(member -> member.status().map(status -> new Seen(member, status)).stream())
                .filter(seen ->
                        seen.status.getLeader() == seen.status.getHeader().getMemberId())
                .max(Comparator.comparingLong(seen -> seen.status.getRaftTerm()))
                .map(Seen::member);
    }

    /** Waits until every member serves. */
    void awaitServing() {
        await("all members of etcd serve")
                .atMost(READY)
                .failFast(() -> members.forEach(member -> member.process().assertAlive()))
                .until(() -> members.stream().allMatch(Member::serves));
    }

    /** kill -9. */
    void kill(Member member) {
        member.process().kill();
    }

    /** Starts it again, on the data it had. */
    void restart(Member member) {
        member.process().start(List.of());
    }

    /** Sends STOP or CONT. */
    void signal(Member member, String name) {
        var _ = Shell.output("kill", "-" + name, Long.toString(member.process().pid()));
    }

    /** Has the member's own kernel drop packets. */
    void cutOff(Member member, Cut cut) {
        String peers = members.stream()
                .filter(other -> other.number() != member.number())
                .map(Member::address)
                .collect(Collectors.joining(", ", "{ ", " }"));
        String in = switch (cut) {
            case PEERS, FROM_PEERS -> "ip saddr " + peers + " drop";
            case TO_PEERS -> "";
            case ALL -> "drop";
        };
        String out = switch (cut) {
            case PEERS, TO_PEERS -> "ip daddr " + peers + " drop";
            case FROM_PEERS -> "";
            case ALL -> "drop";
        };
        nft(
                member,
                "add table inet cut; add chain inet cut in { type filter hook input priority 0; };"
                        + " add chain inet cut out { type filter hook output priority 0; };"
                        + (in.isEmpty() ? "" : " add rule inet cut in " + in + ";")
                        + (out.isEmpty() ? "" : " add rule inet cut out " + out));
    }

    /** Ends {@link #cutOff}. */
    void heal(Member member) {
        nft(member, "delete table inet cut");
    }

    private static void nft(Member member, String commands) {
        var _ = Shell.output("nsenter", "--net=/run/netns/" + member.namespace(), "--", "nft", commands);
    }

    /** Forgets all that was before now. */
    void compact() {
        Client client = leader().client();
        try {
            long now = get(client.getKVClient().get(FILLER)).getHeader().getRevision();
            var _ = get(client.getKVClient()
                    .compact(
                            now,
                            CompactOption.builder().withCompactPhysical(true).build()));
        } catch (ExecutionException | TimeoutException e) {
            throw new IllegalStateException("etcd was not compacted", e);
        }
    }

    /** Writes until etcd raises the alarm that its space is used up. */
    void fill() {
        Client client = leader().client();
        ByteSequence value = bytes("x".repeat(FILLER_BYTES));
        for (int i = 0; alarms(client).isEmpty(); i++) {
            try {
                var _ = get(client.getKVClient().put(bytes(FILLER + "-" + i), value));
            } catch (ExecutionException _) {
                // The one that was too much.
            } catch (TimeoutException e) {
                throw new IllegalStateException("etcd does not get full", e);
            }
        }
    }

    /** What an operator does about {@link #fill}: make room, give it back to the file system, end the alarm. */
    void makeRoom() {
        Client client = leader().client();
        try {
            var _ = get(client.getKVClient()
                    .delete(FILLER, DeleteOption.builder().isPrefix(true).build()));
            compact();
            for (Member member : members) {
                var _ = get(member.client()
                        .getMaintenanceClient()
                        .defragmentMember(member.endpoint().toString()));
            }
            for (AlarmMember alarm : alarms(client)) {
                var _ = get(client.getMaintenanceClient().alarmDisarm(alarm));
            }
        } catch (ExecutionException | TimeoutException e) {
            throw new IllegalStateException("etcd did not get its space back", e);
        }
    }

    private static List<AlarmMember> alarms(Client client) {
        try {
            return get(client.getMaintenanceClient().listAlarms()).getAlarms();
        } catch (ExecutionException | TimeoutException e) {
            throw new IllegalStateException("etcd does not tell its alarms", e);
        }
    }

    private static <T> T get(CompletableFuture<T> call) throws ExecutionException, TimeoutException {
        try {
            return call.get(CALL.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while etcd was asked", e);
        }
    }

    private static ByteSequence bytes(String text) {
        return ByteSequence.from(text, StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        for (Member member : members) {
            member.client().close();
            // SIGKILL reaches a stopped process, too.
            member.process().close();
            // The end of a namespace removes its links too, but some time later.
            var _ = Shell.output("ip", "link", "delete", "p-" + member.namespace());
            var _ = Shell.output("ip", "netns", "delete", member.namespace());
        }
        var _ = Shell.output("ip", "link", "delete", BRIDGE);
    }
}

package io.podwire.cli.lab;

import io.podwire.proto.node.v1.AuditResponse;
import io.podwire.proto.node.v1.Endpoint;
import io.podwire.proto.policy.v1.ListPoliciesResponse;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code podwire lab demo}: a story in which every step must hold. */
@Command(name = "demo", description = "Shows a cluster from its start to its end; ends with 0 only if every step held.")
final class DemoCommand implements Callable<Integer> {
    private static final int DEMO_NODES = 3;
    private static final Duration ROLLOUT = Duration.ofSeconds(10);
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final Duration DEL_LIMIT = Duration.ofSeconds(1);

    /** Replies that each stream of pings must see before, during and after node-shim's death. */
    private static final int SOME_REPLIES = 15;

    private static final String POLICY = """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata:
              namespace: default
              name: web-from-clients
            spec:
              podSelector:
                matchLabels:
                  app: web
              policyTypes: [Ingress]
              ingress:
                - from:
                    - podSelector:
                        matchLabels:
                          app: client
                  ports:
                    - protocol: TCP
                      port: 80
            """;

    @Mixin
    private LabOptions options;

    @Option(
            names = "--pods-per-node",
            paramLabel = "COUNT",
            description = "Pods on each node, 2 to 50. Default: ${DEFAULT-VALUE}")
    private int podsPerNode = 2;

    @Spec
    private CommandSpec command;

    private Story story;
    private Cluster cluster;
    private Workload workload;

    @Override
    public Integer call() throws Exception {
        options.checkPods(podsPerNode, 2);
        PrintWriter out = command.commandLine().getOut();
        story = new Story(out);
        try (Cluster made = options.cluster(DEMO_NODES)) {
            cluster = made;
            try {
                tell();
            } catch (Story.StoryEnded _) {
                return 1;
            } finally {
                options.keepLogs(cluster);
            }
        }
        story.say("Every step held, in " + Story.ms(story.told()) + ".");
        return 0;
    }

    private void tell() {
        story.step("a cluster of " + cluster.nodes().size() + " nodes and 3 services is up", this::up);
        story.step("pods attached by the CNI plugin", this::attach);
        story.step("pods reach each other: ping and HTTP", this::reach);
        story.step("a NetworkPolicy, dropped as a file, cuts what it does not allow", this::enforce);
        story.step("node1's node-shim is killed under traffic and restarted: no packet lost", this::killUnderTraffic);
        story.step("a DEL while node2's node-shim is away succeeds, and is done at its start", this::deleteWhileAway);
        story.step("all pods deleted", this::detachAll);
        story.step("audit: nothing is left", this::audit);
    }

    private String up() {
        Map<String, Duration> times = cluster.start();
        return cluster.processes().stream()
                .map(process -> process.name() + " " + Story.ms(times.get(process.name())))
                .collect(Collectors.joining(", "));
    }

    private String attach() throws IOException {
        workload = Workload.attach(cluster, podsPerNode);
        return cluster.nodes().stream()
                .map(node -> node.name() + ": "
                        + workload.on(node.name()).stream()
                                .map(placed -> placed.pod().name() + " " + placed.address() + " in "
                                        + Story.ms(placed.added()))
                                .collect(Collectors.joining(", ")))
                .collect(Collectors.joining("\n"));
    }

    private String reach() {
        int far = cluster.nodes().getLast().place().number();
        Workload.Placed client = workload.get("client", 1);
        return String.join(
                "\n",
                reach("within node1", client, workload.get("web", 1), "pw0"),
                reach("node1 → node2, one subnet", client, workload.get("web", 2), "eth0"),
                reach("node1 → node" + far + ", another subnet", client, workload.get("web", far), "pwvx"));
    }

    private String reach(String title, Workload.Placed from, Workload.Placed to, String device) {
        ServiceProcess shim = cluster.node(from.pod().node()).shim();
        String path = from.pod().name() + " → " + to.pod().name();
        String route = Tool.output("ip", "-n", from.pod().node(), "-4", "-o", "route", "get", to.address());
        if (!route.contains(" dev " + device + " ")) {
            throw new StepFailure(path + " is routed through " + device, route.strip(), shim);
        }
        // A node that came up later may not be known everywhere yet.
        var _ = Await.until(
                PATIENCE,
                path + " answers a ping",
                () -> workload.traffic().ping(from.pod(), to.address()),
                ok -> ok,
                shim);
        fetches(from, to, true);
        return title + ": " + path + " through " + device;
    }

    private void fetches(Workload.Placed from, Workload.Placed to, boolean allowed) {
        String page = workload.traffic().fetch(from.pod(), to.address());
        String expected = allowed ? to.pod().name() : "";
        if (!page.equals(expected)) {
            throw new StepFailure(
                    "HTTP " + from.pod().name() + " → " + to.pod().name() + " is "
                            + (allowed ? "answered with " + expected : "cut"),
                    page.isEmpty() ? "no answer" : "answered with " + page,
                    cluster.node(to.pod().node()).shim(),
                    cluster.control().policy());
        }
    }

    private String enforce() throws IOException {
        Workload.Placed target = workload.get("web", 1);
        List<Workload.Placed> webs = new ArrayList<>();
        List<Workload.Placed> clients = new ArrayList<>();
        for (LabNode node : cluster.nodes()) {
            clients.add(workload.get("client", node.place().number()));
            if (node.place().number() > 1) {
                webs.add(workload.get("web", node.place().number()));
            }
        }
        webs.forEach(web -> fetches(web, target, true));
        long start = System.nanoTime();
        cluster.manifests().write("web-from-clients", POLICY);
        ServiceProcess service = cluster.control().policy();
        long[] revision = new long[1];
        var _ = Await.until(
                ROLLOUT,
                "policy-service has read the policy",
                () -> cluster.control().policies(),
                policies -> {
                    revision[0] = policies.getRevision();
                    return hasPolicy(policies);
                },
                service);
        var _ = Await.until(
                ROLLOUT,
                "every node enforces revision " + revision[0],
                () -> cluster.control().rollout(revision[0]),
                rollout -> rollout.getComplete()
                        && rollout.getNodesCount() == cluster.nodes().size(),
                service);
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        clients.forEach(client -> fetches(client, target, true));
        Await.all(webs.stream()
                .map(web -> (Runnable) () -> fetches(web, target, false))
                .toList());
        return "from file to enforcement on every node: " + Story.ms(took) + "\nstays: " + names(clients)
                + " → web-1, cut: " + names(webs) + " → web-1";
    }

    private static boolean hasPolicy(ListPoliciesResponse policies) {
        return policies.getPoliciesList().stream()
                .anyMatch(policy -> policy.getName().equals("web-from-clients"));
    }

    private String killUnderTraffic() throws IOException {
        LabNode node = cluster.node("node1");
        int far = cluster.nodes().getLast().place().number();
        Workload.Placed client = workload.get("client", 1);
        Workload.Placed web = workload.get("web", 1);
        Workload.Placed neighbour = workload.get("client", 2);
        Traffic traffic = workload.traffic();
        List<Traffic.Stream> pings = List.of(
                traffic.pings(web.pod(), client.pod(), client.address()),
                traffic.pings(neighbour.pod(), client.pod(), client.address()),
                traffic.pings(workload.get("client", far).pod(), client.pod(), client.address()));
        Traffic.Stream fetches = traffic.fetches(neighbour.pod(), web.pod(), web.address());
        List<Traffic.Stream> streams = new ArrayList<>(pings);
        streams.add(fetches);
        Duration ready;
        int audited;
        try {
            awaitReplies(streams);
            node.shim().kill();
            awaitReplies(streams);
            fetches(workload.get("web", 2), web, false);
            node.shim().start();
            ready = node.awaitReady();
            awaitReplies(streams);
            audited = audit(node);
        } finally {
            traffic.stop(streams);
        }
        int received = 0;
        for (Traffic.Stream ping : pings) {
            PingTally tally = PingTally.of(ping.text());
            received += tally.received();
            if (!tally.lost().isEmpty()) {
                throw new StepFailure("no packet of " + ping.title() + " is lost", tally.toString(), node.shim());
            }
        }
        List<String> fetched = fetches.text().lines().toList();
        if (fetched.contains("failed")) {
            throw new StepFailure(
                    "every request of " + fetches.title() + " is answered", fetched.toString(), node.shim());
        }
        return "ready again after " + Story.ms(ready) + "; " + received + " pings and " + fetched.size()
                + " HTTP requests, 0 lost; the policy held meanwhile; " + audited + " attachments found as they were";
    }

    /** Waits until every stream has got further by some replies. */
    private static void awaitReplies(List<Traffic.Stream> streams) {
        int[] before = streams.stream().mapToInt(DemoCommand::replies).toArray();
        for (int i = 0; i < streams.size(); i++) {
            Traffic.Stream stream = streams.get(i);
            int known = before[i];
            var _ = Await.until(
                    PATIENCE,
                    stream.title() + " gets " + SOME_REPLIES + " more replies",
                    () -> replies(stream) - known,
                    more -> more >= SOME_REPLIES);
        }
    }

    private static int replies(Traffic.Stream stream) {
        return (int) stream.text()
                .lines()
                .filter(line -> line.contains("bytes from") || line.equals("ok"))
                .count();
    }

    private String deleteWhileAway() throws IOException {
        LabNode node = cluster.node("node2");
        Pod pod = workload.get("client", 2).pod();
        node.shim().kill();
        CniRuntime.Outcome deleted = cluster.detach(pod);
        if (!deleted.ok() || deleted.took().compareTo(DEL_LIMIT) > 0 || node.spooled() != 1) {
            throw new StepFailure(
                    "DEL ends with 0 within a second and leaves one file in the spool",
                    deleted.text() + ", after " + Story.ms(deleted.took()) + ", " + node.spooled() + " files",
                    node.shim());
        }
        node.shim().start();
        Duration ready = node.awaitReady();
        List<String> attached = attached(node);
        if (attached.contains(pod.name()) || node.spooled() != 0) {
            throw new StepFailure(
                    pod.name() + " is detached when node2 is ready, and the spool is empty",
                    "attached: " + attached + ", " + node.spooled() + " files",
                    node.shim());
        }
        return "DEL in " + Story.ms(deleted.took()) + ", ready with an empty spool after " + Story.ms(ready);
    }

    private String detachAll() throws IOException {
        for (LabNode node : cluster.nodes()) {
            if (Leftovers.in(node.name()).isEmpty()) {
                throw new StepFailure(
                        "the kernel of " + node.name() + " shows its pods before they go", "nothing of a pod");
            }
        }
        List<String> times = new ArrayList<>();
        workload.traffic().stopAll();
        for (Workload.Placed placed : workload.pods()) {
            Pod pod = placed.pod();
            if (pod.equals(workload.get("client", 2).pod())) {
                continue;
            }
            CniRuntime.Outcome deleted = cluster.detach(pod);
            if (!deleted.ok()) {
                throw new StepFailure(
                        "DEL of " + pod.name() + " succeeds",
                        deleted.text(),
                        cluster.node(pod.node()).shim());
            }
            times.add(pod.name() + " " + Story.ms(deleted.took()));
        }
        return String.join(", ", times);
    }

    private String audit() {
        for (LabNode node : cluster.nodes()) {
            var _ = audit(node);
            List<String> attached = attached(node);
            List<String> leftovers = Leftovers.in(node.name());
            if (!attached.isEmpty() || !leftovers.isEmpty()) {
                throw new StepFailure(
                        "nothing of a pod is left on " + node.name(),
                        "endpoints: " + attached + ", in the kernel: " + leftovers,
                        node.shim());
            }
        }
        return "no endpoint, link, route, neighbour, nft element or chain of a pod on any node; blocks kept for the"
                + " next pods: " + cluster.control().blocks().size();
    }

    /** Has node-shim compare journal and kernel, and gives the count of objects compared. */
    private static int audit(LabNode node) {
        AuditResponse audit = node.client().audit();
        if (audit.getFindingsCount() > 0) {
            throw new StepFailure(
                    "journal and kernel of " + node.name() + " agree",
                    audit.getFindingsList().toString(),
                    node.shim());
        }
        return audit.getChecked();
    }

    private static List<String> attached(LabNode node) {
        return node.client().endpoints().stream()
                .map(Endpoint::getPod)
                .map(pod -> pod.getName())
                .toList();
    }

    private static String names(List<Workload.Placed> pods) {
        return pods.stream().map(placed -> placed.pod().name()).collect(Collectors.joining(", "));
    }
}

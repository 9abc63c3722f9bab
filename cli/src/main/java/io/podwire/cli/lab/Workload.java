package io.podwire.cli.lab;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * The lab's pods: on each node N a web-N, a client-N, and further ones by number, all with a web server.
 *
 * @param pods in the order of their attachment
 */
public record Workload(Traffic traffic, List<Placed> pods) {
    /**
     * An attached pod.
     *
     * @param added time of its ADD, around the plugin's process
     */
    public record Placed(Pod pod, String address, Duration added) {}

    /** Copies what could change. */
    public Workload {
        pods = List.copyOf(pods);
    }

    /** Attaches pods to every node and starts their web servers. */
    public static Workload attach(Cluster cluster, int podsPerNode) throws IOException {
        Traffic traffic = new Traffic(Cluster.FOLDER.resolve("traffic"));
        List<Placed> pods = new ArrayList<>();
        for (LabNode node : cluster.nodes()) {
            for (int i = 1; i <= podsPerNode; i++) {
                String app = i == 1 ? "web" : i == 2 ? "client" : "other";
                String name = app + "-" + node.place().number() + (i > 2 ? "-" + i : "");
                Pod pod = Pod.of("default", name, app, node.name());
                CniRuntime.Outcome added = cluster.attach(pod);
                if (!added.ok()) {
                    throw new StepFailure(
                            "ADD of " + name + " on " + node.name() + " succeeds", added.text(), node.shim());
                }
                traffic.serve(pod);
                pods.add(new Placed(pod, Cluster.address(added), added.took()));
            }
        }
        return new Workload(traffic, pods);
    }

    /** Pods of one node. */
    public List<Placed> on(String node) {
        return pods.stream().filter(placed -> placed.pod().node().equals(node)).toList();
    }

    /** One pod by its app and the number of its node. */
    public Placed get(String app, int node) {
        String name = app + "-" + node;
        return pods.stream()
                .filter(placed -> placed.pod().name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no pod " + name));
    }
}

package io.podwire.cli.lab;

import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code podwire lab shell}. */
@Command(name = "shell", description = "Starts a cluster with pods, and a shell inside it.")
final class ShellCommand implements Callable<Integer> {
    @Mixin
    private LabOptions options;

    @Option(
            names = "--pods-per-node",
            paramLabel = "COUNT",
            description = "Pods on each node, 0 to 50. Default: ${DEFAULT-VALUE}")
    private int podsPerNode = 2;

    @Override
    public Integer call() throws Exception {
        options.checkPods(podsPerNode, 0);
        try (Cluster cluster = options.cluster(1)) {
            try {
                System.out.println("Starting " + cluster.nodes().size() + " nodes and 3 services ...");
                var _ = cluster.start();
                Workload workload = Workload.attach(cluster, podsPerNode);
                System.out.print(banner(cluster, workload));
                System.out.flush();
                String shell = System.getenv().getOrDefault("SHELL", "/bin/sh");
                return Inside.run(cluster, List.of(shell));
            } finally {
                options.keepLogs(cluster);
            }
        }
    }

    private static String banner(Cluster cluster, Workload workload) {
        StringBuilder text = new StringBuilder("\nA cluster of your own; leave it with exit, and it is gone.\n\n");
        for (LabNode node : cluster.nodes()) {
            text.append("  ")
                    .append(node.name())
                    .append("  ")
                    .append(node.place().address())
                    .append("  pods:");
            workload.on(node.name())
                    .forEach(placed -> text.append(' ')
                            .append(placed.pod().netns())
                            .append(" (")
                            .append(placed.address())
                            .append(')'));
            text.append('\n');
        }
        String pod = workload.pods().isEmpty()
                ? "POD"
                : workload.pods().getFirst().pod().netns();
        String address = workload.pods().isEmpty()
                ? "ADDRESS"
                : workload.pods().getLast().address();
        return text + """

                  ip netns exec %s ping -c 3 %s
                  ip netns exec %s busybox wget -q -O- http://%s/
                  podwire node status            of node1; PODWIRE_SOCKET=unix:/run/podwire/node2/cni.sock for node2
                  podwire policy list            and policy rollout, ipam pools, ipam blocks, route list
                  ip netns exec node1 nft list ruleset
                  kill -9 $(cat /run/podwire/node1/pid); /run/podwire/node1/start &
                  ls /run/podwire/manifests      put a NetworkPolicy there as a .yaml file, and it is enforced

                """.formatted(pod, address, pod, address);
    }
}

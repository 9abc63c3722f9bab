package io.podwire.cli.lab;

import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code podwire lab run}. */
@Command(
        name = "run",
        description = "Starts a cluster, runs a command inside it, and ends with the command's exit code.",
        footer = {
            "",
            "The command finds PODWIRE_LAB_FOLDER (/run/podwire: a folder for each service and node with start, pid,"
                    + " log, and cni/net.d and cni.sock for nodes; manifests), PODWIRE_LAB_NODES (their names, which"
                    + " are those of their network namespaces), PODWIRE_HOME (the distribution), and the servers'"
                    + " addresses in PODWIRE_IPAM_SERVER, PODWIRE_POLICY_SERVER and PODWIRE_ROUTE_SERVER."
        })
final class RunCommand implements Callable<Integer> {
    @Mixin
    private LabOptions options;

    @Option(
            names = "--pods-per-node",
            paramLabel = "COUNT",
            description = "Pods on each node, 0 to 50. Default: ${DEFAULT-VALUE}")
    private int podsPerNode;

    @Parameters(arity = "1..*", paramLabel = "COMMAND", description = "The command, after --")
    private List<String> command;

    @Override
    public Integer call() throws Exception {
        options.checkPods(podsPerNode, 0);
        try (Cluster cluster = options.cluster(1)) {
            try {
                var _ = cluster.start();
                var _ = Workload.attach(cluster, podsPerNode);
                return Inside.run(cluster, command);
            } finally {
                options.keepLogs(cluster);
            }
        }
    }
}

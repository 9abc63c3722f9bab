package io.podwire.cli.lab;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Options of every lab command. */
final class LabOptions {
    @Option(
            names = "--nodes",
            paramLabel = "COUNT",
            description = "Nodes, 1 to " + Topology.MAX_NODES + "; the demo needs 3. Default: ${DEFAULT-VALUE}")
    private int nodes = 3;

    @Option(
            names = "--keep-logs",
            paramLabel = "DIR",
            description = "Copy the log of every service there at the end, as NAME.log.")
    private Path keepLogs;

    @Option(
            names = "--node-arg",
            paramLabel = "ARG",
            description = "A further argument of every node-shim; can be given several times."
                    + " Example: --node-arg=--cool-down=PT1S")
    private List<String> nodeArgs = new ArrayList<>();

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    /** Checks a count of pods on each node. */
    void checkPods(int podsPerNode, int least) {
        if (podsPerNode < least || podsPerNode > 50) {
            throw wrong("--pods-per-node must be " + least + " to 50, got " + podsPerNode);
        }
    }

    /** Makes a cluster, with at least some nodes. */
    Cluster cluster(int leastNodes) throws IOException {
        if (nodes < leastNodes || nodes > Topology.MAX_NODES) {
            throw wrong("--nodes must be " + leastNodes + " to " + Topology.MAX_NODES + ", got " + nodes);
        }
        return new Cluster(home(), nodes, nodeArgs);
    }

    /** Keeps the logs where the user asked for it. */
    void keepLogs(Cluster cluster) throws IOException {
        if (keepLogs != null) {
            cluster.keepLogs(keepLogs.toAbsolutePath());
        }
    }

    /** The distribution this program was started from. */
    static Path home() {
        return Path.of(Optional.ofNullable(System.getProperty("podwire.home"))
                .orElseThrow(() -> new io.podwire.cli.CommandFailure("start it by bin/podwire of a distribution")));
    }

    private ParameterException wrong(String message) {
        return new ParameterException(command.commandLine(), message);
    }
}

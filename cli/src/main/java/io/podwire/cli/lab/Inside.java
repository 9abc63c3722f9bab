package io.podwire.cli.lab;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Runs a user's program inside a cluster's sandbox, on the user's terminal. */
final class Inside {
    private Inside() {}

    /** Runs it to its end, and gives its exit code. */
    static int run(Cluster cluster, List<String> command) throws IOException, InterruptedException {
        Path home = LabOptions.home();
        ProcessBuilder builder = new ProcessBuilder(command).inheritIO();
        Map<String, String> env = builder.environment();
        env.put("PATH", home.resolve("bin") + ":" + env.getOrDefault("PATH", "/usr/bin:/bin"));
        env.put("PODWIRE_HOME", home.toString());
        env.put("PODWIRE_LAB_FOLDER", Cluster.FOLDER.toString());
        env.put("PODWIRE_LAB_NODES", cluster.nodes().stream().map(LabNode::name).collect(Collectors.joining(" ")));
        env.put("PODWIRE_SOCKET", "unix:" + Cluster.FOLDER.resolve("node1/cni.sock"));
        env.put("PODWIRE_IPAM_SERVER", ControlServices.IPAM);
        env.put("PODWIRE_POLICY_SERVER", ControlServices.POLICY);
        env.put("PODWIRE_ROUTE_SERVER", ControlServices.ROUTE);
        env.remove("PODWIRE_AOT_TRAIN");
        return builder.start().waitFor();
    }
}

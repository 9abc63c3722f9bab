package io.podwire.cli;

import io.podwire.proto.node.v1.AuditRequest;
import io.podwire.proto.node.v1.AuditResponse;
import io.podwire.proto.node.v1.NodeGrpc;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code podwire audit}. */
@Command(
        name = "audit",
        description =
                "Compares this node's journal with its kernel and with ipam-service; ends with 1 when they differ. Changes nothing."
                        + "%nWith --cluster: compares what ipam-service has stored with its pools and with what all nodes"
                        + " report; ends with 0 where nothing is left to do, 3 where something is, and 1 where it cannot"
                        + " be asked.")
final class AuditCommand implements Callable<Integer> {
    @Mixin
    private NodeSocket node;

    @Option(names = "--cluster", description = "Audit addresses of the whole cluster instead of this node.")
    private boolean cluster;

    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_IPAM_SERVER:-127.0.0.1:7471}",
            description = "With --cluster: ipam-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @ArgGroup
    private Change change = new Change();

    /** Whether anything is changed. */
    static final class Change {
        @Option(
                names = "--fix",
                description =
                        "With --cluster: repair what is safe to repair and was found at two looks --audit-period of"
                                + " ipam-service apart; all else is only told.")
        private boolean fix;

        @Option(
                names = "--dry-run",
                description = "With --cluster: change nothing, and tell what --fix would do. This is the default.")
        private boolean dryRun;
    }

    @Option(
            names = "--node-socket",
            paramLabel = "unix:PATH",
            description =
                    "With --cluster: a node-shim whose own audit is told, too; repeat it. Another machine's socket"
                            + " comes here by ssh -L PATH:/run/podwire/cni.sock.")
    private List<String> nodeSockets = new ArrayList<>();

    @Mixin
    private Output output;

    @Spec
    private CommandSpec command;

    @Override
    public Integer call() {
        if (cluster) {
            return new ClusterAudit(server, change.fix, nodeSockets, output, command.qualifiedName()).call();
        }
        if (change.fix || change.dryRun || !nodeSockets.isEmpty()) {
            throw new ParameterException(
                    command.commandLine(),
                    "--fix, --dry-run and --node-socket are for --cluster: the audit of a node changes nothing");
        }
        AuditResponse audit = node.call(
                "auditing the node",
                channel -> Calls.soon(NodeGrpc.newBlockingStub(channel)).audit(AuditRequest.getDefaultInstance()));
        Table table = new Table("OBJECT", "NAME", "PROBLEM");
        audit.getFindingsList().forEach(found -> table.row(found.getObject(), found.getName(), found.getProblem()));
        output.print(audit, table);
        if (audit.getFindingsCount() > 0) {
            throw new CommandFailure(
                    "differences: " + audit.getFindingsCount() + "; attachments looked at: " + audit.getChecked());
        }
        return 0;
    }
}

package io.podwire.cli;

import io.podwire.proto.node.v1.AuditRequest;
import io.podwire.proto.node.v1.AuditResponse;
import io.podwire.proto.node.v1.NodeGrpc;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code podwire audit}. */
@Command(
        name = "audit",
        description =
                "Compares this node's journal with its kernel and with ipam-service; ends with 1 when they differ. Changes nothing.")
final class AuditCommand implements Callable<Integer> {
    @Mixin
    private NodeSocket node;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
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

package io.podwire.cli;

import io.podwire.proto.common.v1.IpFamily;
import io.podwire.proto.node.v1.GetNodeStatusRequest;
import io.podwire.proto.node.v1.NodeGrpc;
import io.podwire.proto.node.v1.NodeStatus;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code podwire node status}. */
@Command(name = "status", description = "What this node is, and whether an ADD would be served now.")
final class NodeStatusCommand implements Callable<Integer> {
    @Mixin
    private NodeSocket node;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        NodeStatus status = node.call(
                "reading the node's status",
                channel -> Calls.soon(NodeGrpc.newBlockingStub(channel))
                        .getNodeStatus(GetNodeStatusRequest.getDefaultInstance()));
        Table table = new Table("WHAT", "VALUE")
                .row("node", status.getNode().getNode())
                .row("release", status.getRelease())
                .row("starts", status.getNode().getCounter())
                .row("ready", status.getReady() ? "yes" : "no: " + String.join("; ", status.getReasonsList()))
                .row("blocks", String.join(" ", status.getBlocksList()))
                .row("free addresses", status.getFreeAddresses())
                .row("draining blocks", String.join(" ", status.getDrainingBlocksList()))
                .row("returning blocks", String.join(" ", status.getReturningBlocksList()))
                .row("policy", status.getPolicyEnforced() ? "revision " + status.getPolicyRevision() : "not enforced");
        status.getUpstreamsList()
                .forEach(up -> table.row(
                        up.getName() + " service", up.getTarget() + (up.getConnected() ? " connected" : " lost")));
        status.getAddressesList()
                .forEach(of -> table.row(
                        (of.getFamily() == IpFamily.IP_FAMILY_IPV6 ? "IPv6" : "IPv4") + " addresses",
                        of.getFree() + " free, " + of.getUsed() + " used, " + of.getCooling()
                                + " cooling down; low water " + of.getLowWater()));
        if (status.getFullNamespacesCount() > 0) {
            table.row("namespaces at their quota", String.join(" ", status.getFullNamespacesList()));
        }
        status.getWarningsList().forEach(warning -> table.row("warning", warning));
        output.print(status, table);
        return 0;
    }
}

package io.podwire.cli;

import com.google.common.base.Ascii;
import com.google.protobuf.Duration;
import io.podwire.proto.ipam.v1.AddressFinding;
import io.podwire.proto.ipam.v1.AddressFindingKind;
import io.podwire.proto.ipam.v1.AddressRepair;
import io.podwire.proto.ipam.v1.AuditAddressesRequest;
import io.podwire.proto.ipam.v1.AuditAddressesResponse;
import io.podwire.proto.ipam.v1.AuditsGrpc;
import io.podwire.proto.node.v1.AuditRequest;
import io.podwire.proto.node.v1.GetNodeStatusRequest;
import io.podwire.proto.node.v1.NodeGrpc;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/** {@code podwire audit --cluster}: ipam-service's audit, and beside it those of nodes. */
final class ClusterAudit {
    /** Something is left to do. */
    static final int FOUND = 3;

    /** All addresses are compared, and with --fix up to a hundred writes are done. */
    private static final int DEADLINE_SECONDS = 60;

    private final String server;
    private final boolean fix;
    private final List<String> nodeSockets;
    private final Output output;
    private final String name;

    /**
     * An audit.
     *
     * @param nodeSockets of node-shims that are asked, too
     * @param name of the command, first word of what it says on stderr
     */
    ClusterAudit(String server, boolean fix, List<String> nodeSockets, Output output, String name) {
        this.server = server;
        this.fix = fix;
        this.nodeSockets = List.copyOf(nodeSockets);
        this.output = output;
        this.name = name;
    }

    /**
     * Asks, and prints.
     *
     * @return the exit code
     * @throws CommandFailure when ipam-service or a node cannot be asked
     */
    int call() {
        // Nodes first: where one cannot be asked, nothing was repaired yet.
        AuditAddressesResponse.Builder nodes = AuditAddressesResponse.newBuilder();
        Set<String> asked = new HashSet<>();
        nodeSockets.forEach(socket -> asked.add(addNode(socket, nodes)));
        AuditAddressesResponse answer = Calls.call(
                "--server",
                server,
                "auditing addresses",
                channel -> AuditsGrpc.newBlockingStub(channel)
                        .withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS)
                        .auditAddresses(
                                AuditAddressesRequest.newBuilder().setFix(fix).build()));
        AuditAddressesResponse audit = answer.toBuilder()
                .clearFindings()
                // What an asked node finds it has named, one by one.
                .addAllFindings(answer.getFindingsList().stream()
                        .filter(found -> found.getKind() != AddressFindingKind.ADDRESS_FINDING_KIND_NODE_DIFFERS
                                || !asked.contains(found.getNode()))
                        .toList())
                // Theirs is the last kind.
                .addAllFindings(nodes.getFindingsList())
                .build();
        Table table = new Table("KIND", "OBJECT", "POOL", "NODE", "OWNER", "SEEN", "PROBLEM", "REPAIR");
        audit.getFindingsList()
                .forEach(found -> table.row(
                        kind(found),
                        found.getObject(),
                        found.getPool(),
                        found.getNode(),
                        owner(found),
                        seen(found),
                        found.getDetail(),
                        repair(found, audit.getLookInterval())));
        output.print(audit, table);
        audit.getUnjudgedNodesList()
                .forEach(
                        node -> output.note(name + ": node " + node.getNode() + " is not judged: " + node.getReason()));
        long done = audit.getFindingsList().stream()
                .filter(found -> found.getRepair() == AddressRepair.ADDRESS_REPAIR_DONE)
                .count();
        long gone = audit.getFindingsList().stream()
                .filter(found -> found.getRepair() == AddressRepair.ADDRESS_REPAIR_OVERTAKEN)
                .count();
        long all = audit.getFindingsCount() + Integer.toUnsignedLong(audit.getOmittedFindings());
        if (all == 0) {
            return 0;
        }
        output.note(name + ": findings: " + all + (fix ? ", repaired: " + done : "")
                + (audit.getOmittedFindings() == 0 ? "" : "; not shown: " + audit.getOmittedFindings())
                + "; looked at: blocks " + audit.getCheckedBlocks() + ", single addresses "
                + audit.getCheckedAddresses() + ", bindings " + audit.getCheckedBindings());
        return done + gone == all ? 0 : FOUND;
    }

    /** Asks a node for its name and its findings. */
    private static String addNode(String socket, AuditAddressesResponse.Builder nodes) {
        return Calls.call("--node-socket", socket, "auditing a node", channel -> {
            String node = Calls.soon(NodeGrpc.newBlockingStub(channel))
                    .getNodeStatus(GetNodeStatusRequest.getDefaultInstance())
                    .getNode()
                    .getNode();
            Calls.soon(NodeGrpc.newBlockingStub(channel))
                    .audit(AuditRequest.getDefaultInstance())
                    .getFindingsList()
                    .forEach(found -> nodes.addFindingsBuilder()
                            .setKind(AddressFindingKind.ADDRESS_FINDING_KIND_NODE_DIFFERS)
                            .setObject(found.getObject() + " " + found.getName())
                            .setNode(node)
                            .setDetail(found.getProblem())
                            .setRepair(AddressRepair.ADDRESS_REPAIR_NONE)
                            .setAdvice(
                                    "node-shim repairs drift by itself: what stays is for podwire audit on that node"));
            return node;
        });
    }

    private static String kind(AddressFinding found) {
        return Ascii.toLowerCase(found.getKind().name().replace("ADDRESS_FINDING_KIND_", ""))
                .replace('_', '-');
    }

    private static String owner(AddressFinding found) {
        return found.getPod().getName().isEmpty()
                ? found.getOwnerId()
                : found.getPod().getNamespace() + "/" + found.getPod().getName();
    }

    private static String seen(AddressFinding found) {
        if (!found.hasSeenFor()) {
            return "";
        }
        long seconds = found.getSeenFor().getSeconds();
        return seconds == 0 ? "now" : "for " + seconds + " s";
    }

    private String repair(AddressFinding found, Duration interval) {
        return switch (found.getRepair()) {
            case ADDRESS_REPAIR_NONE -> "none is safe: " + found.getAdvice();
            case ADDRESS_REPAIR_EARLY ->
                "once it is seen for " + interval.getSeconds() + " s" + (fix ? "" : ", by --fix") + ": "
                        + found.getAction();
            case ADDRESS_REPAIR_PROPOSED -> "by --fix: " + found.getAction();
            case ADDRESS_REPAIR_DONE -> "done: " + found.getAction();
            case ADDRESS_REPAIR_OVERTAKEN -> "not done, for it changed meanwhile: " + found.getAction();
            case ADDRESS_REPAIR_FAILED -> "failed, ask again: " + found.getAction() + ": " + found.getAdvice();
            case ADDRESS_REPAIR_LEFT -> "not done, for there are many, ask again: " + found.getAction();
            case ADDRESS_REPAIR_UNSPECIFIED, UNRECOGNIZED -> found.getAction();
        };
    }
}

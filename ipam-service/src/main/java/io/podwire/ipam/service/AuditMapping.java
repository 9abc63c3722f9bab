package io.podwire.ipam.service;

import io.podwire.ipam.audit.Audited;
import io.podwire.ipam.audit.Finding;
import io.podwire.ipam.audit.FindingKind;
import io.podwire.ipam.audit.Repair;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.ipam.v1.AddressFinding;
import io.podwire.proto.ipam.v1.AddressFindingKind;
import io.podwire.proto.ipam.v1.AddressRepair;
import io.podwire.proto.ipam.v1.AuditAddressesResponse;
import io.podwire.proto.ipam.v1.UnjudgedNode;
import java.time.Duration;

/** From what an audit found to audits.proto. Nothing comes in. */
final class AuditMapping {
    /** gRPC's clients take 4 MiB in one message where they are not told otherwise. */
    private static final int MOST_FINDINGS = 5000;

    private static final int LARGEST_ANSWER_BYTES = 3 << 20;

    private AuditMapping() {}

    static AuditAddressesResponse toProto(AuditReport report) {
        Audited audited = report.audited();
        AuditAddressesResponse.Builder message = AuditAddressesResponse.newBuilder()
                .setLookInterval(duration(report.interval()))
                .setCheckedBlocks(audited.blocks())
                .setCheckedAddresses(audited.addresses())
                .setCheckedBindings(audited.bindings());
        audited.unjudged()
                .forEach(node -> message.addUnjudgedNodes(
                        UnjudgedNode.newBuilder().setNode(node.node().value()).setReason(node.reason())));
        int bytes = message.build().getSerializedSize();
        for (AuditReport.Row row : report.rows()) {
            AddressFinding finding = toProto(row);
            bytes += finding.getSerializedSize();
            if (message.getFindingsCount() == MOST_FINDINGS || bytes > LARGEST_ANSWER_BYTES) {
                break;
            }
            message.addFindings(finding);
        }
        return message.setOmittedFindings(report.rows().size() - message.getFindingsCount())
                .build();
    }

    private static AddressFinding toProto(AuditReport.Row row) {
        Finding finding = row.seen().finding();
        return AddressFinding.newBuilder()
                .setKind(toProto(finding.kind()))
                .setObject(finding.object())
                .setPool(finding.pool())
                .setNode(finding.who().node())
                .setPod(PodRef.newBuilder()
                        .setNamespace(finding.who().namespace())
                        .setName(finding.who().pod()))
                .setOwnerId(finding.who().ownerId())
                .setDetail(finding.detail())
                .setSeenFor(duration(row.seen().seenFor()))
                .setConfirmed(row.seen().confirmed())
                .setAction(finding.repair().action())
                .setAdvice(finding.repair() instanceof Repair.None(String instead) ? instead : row.error())
                .setRepair(toProto(row.result()))
                .build();
    }

    private static AddressFindingKind toProto(FindingKind kind) {
        return switch (kind) {
            case ALLOCATED_NOT_USED -> AddressFindingKind.ADDRESS_FINDING_KIND_ALLOCATED_NOT_USED;
            case USED_NOT_ALLOCATED -> AddressFindingKind.ADDRESS_FINDING_KIND_USED_NOT_ALLOCATED;
            case TWO_OWNERS -> AddressFindingKind.ADDRESS_FINDING_KIND_TWO_OWNERS;
            case OUTSIDE_POOLS -> AddressFindingKind.ADDRESS_FINDING_KIND_OUTSIDE_POOLS;
            case HANDLE_WITHOUT_ADDRESS -> AddressFindingKind.ADDRESS_FINDING_KIND_HANDLE_WITHOUT_ADDRESS;
            case INVALID_BLOCK -> AddressFindingKind.ADDRESS_FINDING_KIND_INVALID_BLOCK;
            case ADDRESS_WITHOUT_BLOCK -> AddressFindingKind.ADDRESS_FINDING_KIND_ADDRESS_WITHOUT_BLOCK;
            case NODE_DIFFERS -> AddressFindingKind.ADDRESS_FINDING_KIND_NODE_DIFFERS;
        };
    }

    private static AddressRepair toProto(AuditReport.Result result) {
        return switch (result) {
            case NONE -> AddressRepair.ADDRESS_REPAIR_NONE;
            case EARLY -> AddressRepair.ADDRESS_REPAIR_EARLY;
            case PROPOSED -> AddressRepair.ADDRESS_REPAIR_PROPOSED;
            case DONE -> AddressRepair.ADDRESS_REPAIR_DONE;
            case OVERTAKEN -> AddressRepair.ADDRESS_REPAIR_OVERTAKEN;
            case FAILED -> AddressRepair.ADDRESS_REPAIR_FAILED;
            case LEFT -> AddressRepair.ADDRESS_REPAIR_LEFT;
        };
    }

    private static com.google.protobuf.Duration duration(Duration duration) {
        return com.google.protobuf.Duration.newBuilder()
                .setSeconds(duration.toSeconds())
                .setNanos(duration.toNanosPart())
                .build();
    }
}

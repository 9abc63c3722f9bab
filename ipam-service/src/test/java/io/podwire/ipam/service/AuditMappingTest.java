package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.NodeName;
import io.podwire.ipam.audit.Audited;
import io.podwire.ipam.audit.Audited.Unjudged;
import io.podwire.ipam.audit.Finding;
import io.podwire.ipam.audit.Finding.Who;
import io.podwire.ipam.audit.FindingKind;
import io.podwire.ipam.audit.Looks.Seen;
import io.podwire.ipam.audit.Repair;
import io.podwire.ipam.service.AuditReport.Result;
import io.podwire.ipam.service.AuditReport.Row;
import io.podwire.proto.ipam.v1.AddressFinding;
import io.podwire.proto.ipam.v1.AddressFindingKind;
import io.podwire.proto.ipam.v1.AddressRepair;
import io.podwire.proto.ipam.v1.AuditAddressesResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class AuditMappingTest {
    private static Row row(FindingKind kind, String object, Repair repair, Result result, String error) {
        Finding finding =
                new Finding(kind, object, Optional.empty(), "p", new Who("n", "ns", "pod", "id"), "", "so", repair);
        return new Row(new Seen(finding, Duration.ofMillis(61_500), true), result, error);
    }

    private static AuditAddressesResponse mapped(List<Row> rows) {
        Audited audited = new Audited(List.of(), List.of(new Unjudged(new NodeName("n9"), "it is away")), 1, 2, 3);
        return AuditMapping.toProto(new AuditReport(rows, audited, Duration.ofMinutes(5)));
    }

    @Test
    void everyKindAndResultHasItsOwnNumber() {
        List<Row> rows = new ArrayList<>();
        for (FindingKind kind : FindingKind.values()) {
            rows.add(row(kind, kind.name(), new Repair.None("do that"), Result.NONE, ""));
        }
        for (Result result : Result.values()) {
            rows.add(row(FindingKind.TWO_OWNERS, result.name(), new Repair.DropHandle("r"), result, ""));
        }
        List<AddressFinding> findings = mapped(rows).getFindingsList();
        assertThat(findings.subList(0, FindingKind.values().length))
                .extracting(found -> found.getKind().name())
                .containsExactlyElementsOf(Arrays.stream(FindingKind.values())
                        .map(kind -> "ADDRESS_FINDING_KIND_" + kind.name())
                        .toList());
        assertThat(findings.subList(FindingKind.values().length, findings.size()))
                .extracting(found -> found.getRepair().name())
                .containsExactlyElementsOf(Arrays.stream(Result.values())
                        .map(result -> "ADDRESS_REPAIR_" + result.name())
                        .toList());
    }

    @Test
    void whatIsSaidOfAFindingIsMapped() {
        AuditAddressesResponse response = mapped(List.of(
                row(FindingKind.OUTSIDE_POOLS, "a", new Repair.None("do that"), Result.NONE, ""),
                row(FindingKind.HANDLE_WITHOUT_ADDRESS, "b", new Repair.DropHandle("r"), Result.FAILED, "no store")));
        AddressFinding first = response.getFindings(0);
        assertThat(first.getKind()).isEqualTo(AddressFindingKind.ADDRESS_FINDING_KIND_OUTSIDE_POOLS);
        assertThat(first.getAction()).isEmpty();
        assertThat(first.getAdvice()).isEqualTo("do that");
        assertThat(first.getSeenFor().getSeconds()).isEqualTo(61);
        assertThat(first.getSeenFor().getNanos()).isEqualTo(500_000_000);
        assertThat(first.getConfirmed()).isTrue();
        assertThat(first.getNode()
                        + first.getPod().getNamespace()
                        + first.getPod().getName()
                        + first.getOwnerId())
                .isEqualTo("nnspodid");
        AddressFinding second = response.getFindings(1);
        assertThat(second.getAction()).isEqualTo("drop what is known of request r");
        assertThat(second.getAdvice()).as("the store's answer").isEqualTo("no store");
        assertThat(second.getRepair()).isEqualTo(AddressRepair.ADDRESS_REPAIR_FAILED);
        assertThat(response.getUnjudgedNodes(0).getNode()).isEqualTo("n9");
        assertThat(response.getUnjudgedNodes(0).getReason()).isEqualTo("it is away");
        assertThat(response.getLookInterval().getSeconds()).isEqualTo(300);
    }

    @Test
    void anAnswerStaysBelowWhatClientsTake() {
        Row one = row(FindingKind.HANDLE_WITHOUT_ADDRESS, "r", new Repair.DropHandle("r"), Result.EARLY, "");
        AuditAddressesResponse many =
                mapped(Stream.generate(() -> one).limit(5003).toList());
        assertThat(many.getFindingsCount()).isEqualTo(5000);
        assertThat(many.getOmittedFindings()).isEqualTo(3);
        Row large = row(FindingKind.HANDLE_WITHOUT_ADDRESS, "r", new Repair.None("x".repeat(1 << 20)), Result.NONE, "");
        AuditAddressesResponse wide =
                mapped(Stream.generate(() -> large).limit(5).toList());
        assertThat(wide.getSerializedSize()).isLessThan(4 << 20);
        assertThat(wide.getOmittedFindings()).isEqualTo(5 - wide.getFindingsCount());
    }
}

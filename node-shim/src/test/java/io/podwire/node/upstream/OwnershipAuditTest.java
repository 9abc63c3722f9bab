package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.podwire.common.net.IpPrefix;
import io.podwire.node.dataplane.Finding;
import io.podwire.node.journal.Attachment;
import io.podwire.node.testing.Attachments;
import java.util.List;
import org.junit.jupiter.api.Test;

class OwnershipAuditTest {
    private static final IpPrefix BLOCK = IpPrefix.parse("10.1.0.0/26");
    private static final IpPrefix OTHER = IpPrefix.parse("10.1.0.64/26");
    private static final Attachment POD = Attachments.of("c1", "10.1.0.5");

    @Test
    void whatAgreesIsNoFinding() {
        assertThat(OwnershipAudit.compare(
                        List.of(BLOCK, OTHER),
                        List.of(OTHER, BLOCK),
                        List.of(),
                        List.of(POD, Attachments.of("c2", "10.1.0.70"))))
                .isEmpty();
    }

    @Test
    void aBlockThatOneSideAloneKnowsIsNamed() {
        assertThat(OwnershipAudit.compare(List.of(BLOCK), List.of(), List.of(), List.of()))
                .as("ours alone")
                .extracting(Finding::object, Finding::name)
                .containsExactly(tuple("block", "10.1.0.0/26"));
        assertThat(OwnershipAudit.compare(List.of(BLOCK), List.of(BLOCK, OTHER), List.of(), List.of()))
                .as("the service's alone")
                .extracting(Finding::object, Finding::name)
                .containsExactly(tuple("block", "10.1.0.64/26"));
    }

    @Test
    void anAddressOutsideEveryBlockIsNamedWithItsPod() {
        assertThat(OwnershipAudit.compare(List.of(OTHER), List.of(OTHER), List.of(), List.of(POD)))
                .containsExactly(
                        new Finding("address", "10.1.0.5", "of " + POD.key() + " is in no block of this node"));
    }

    @Test
    void aSingleAddressIsOfNoBlockAndNoFinding() {
        assertThat(OwnershipAudit.compare(
                        List.of(OTHER), List.of(OTHER), List.of(POD.addresses().first()), List.of(POD)))
                .isEmpty();
    }

    @Test
    void anAddressOfTwoIsNamedWithBoth() {
        Attachment second = Attachments.of("c2", "10.1.0.5");
        assertThat(OwnershipAudit.compare(List.of(BLOCK), List.of(BLOCK), List.of(), List.of(POD, second)))
                .containsExactly(
                        new Finding("address", "10.1.0.5", "has two owners, " + POD.key() + " and " + second.key()));
    }
}

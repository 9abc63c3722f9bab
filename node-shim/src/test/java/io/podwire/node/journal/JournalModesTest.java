package io.podwire.node.journal;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.node.plan.WiringMode;
import io.podwire.node.testing.Attachments;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class JournalModesTest {
    @ParameterizedTest
    @ValueSource(strings = {"routed", "macvlan/private/eth1", "macvlan/bridge/eth1/promiscuous", "vlan/7/eth1"})
    void anAttachmentKeepsItsModeAndDevice(String mode) throws Exception {
        Attachment bridged = Attachments.of("c1", "10.1.0.5,fd00::5");
        Attachment other = bridged.wired(WiringMode.parse(mode), "pw1x", bridged.mac(), 1400);
        assertThat(Journal.row(other)).contains("\"mode\":\"" + mode + "\"");
        assertThat(Journal.attachment(Journal.row(other))).isEqualTo(other);
        assertThat(other.ofAnotherBoot().mode()).isEqualTo(other.mode());
        assertThat(other.attached(7, other.since()).mode()).isEqualTo(other.mode());
    }

    @Test
    void aRowWithoutAModeIsOnTheBridge() throws Exception {
        Attachment bridged = Attachments.of("c1", "10.1.0.5");
        assertThat(Journal.row(bridged))
                .as("as releases that knew one mode wrote it")
                .doesNotContain("mode");
        assertThat(Journal.attachment(Journal.row(bridged)).mode()).isEqualTo(new WiringMode.Bridge());
    }
}

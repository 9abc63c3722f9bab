package io.podwire.node.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class WiringModeTest {
    @Test
    void anAttachmentOfBeforeThereWereModesIsOnTheBridge() {
        assertThat(WiringMode.parse("")).isEqualTo(new WiringMode.Bridge());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "x",
                "macvlan",
                "macvlan/bridge",
                "macvlan/l2/eth0",
                "macvlan/bridge/eth0/x",
                "vlan/x/eth0",
                "ipvlan/l2"
            })
    void whatIsNoModeIsRefused(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> WiringMode.parse(text));
    }

    @ParameterizedTest
    @ValueSource(strings = {"macvlan/vepa/eth0/promiscuous", "ipvlan/l3/eth0", "vlan/7/eth0"})
    void aModeOnAnotherDeviceIsTheSameOtherwise(String text) {
        assertThat(WiringMode.parse(text).on("eth1").text()).isEqualTo(text.replace("eth0", "eth1"));
    }
}

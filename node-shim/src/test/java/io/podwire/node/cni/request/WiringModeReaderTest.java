package io.podwire.node.cni.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.node.plan.WiringMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class WiringModeReaderTest {
    private static WiringMode read(String json) throws Exception {
        return WiringModeReader.read((ObjectNode) new ObjectMapper().readTree(json));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"type\":\"podwire\"}|bridge",
                "{\"type\":\"bridge\"}|bridge",
                "{}|bridge",
                "{\"mode\":\"bridge\"}|bridge",
                "{\"mode\":null}|bridge",
                "{\"MODE\":\"Routed\"}|routed",
                "{\"type\":\"ptp\"}|routed",
                "{\"type\":\"ptp\",\"mode\":\"bridge\"}|bridge",
                "{\"mode\":\"macvlan\",\"master\":\"eth1\"}|macvlan/bridge/eth1",
                "{\"mode\":\"macvlan\",\"Master\":\"eth1\",\"macvlanmode\":\"VEPA\"}|macvlan/vepa/eth1",
                "{\"mode\":\"macvlan\",\"macvlanMode\":\"passthru\"}|macvlan/passthru/",
                "{\"mode\":\"macvlan\",\"master\":\"m\",\"promiscMode\":true}|macvlan/bridge/m/promiscuous",
                "{\"type\":\"macvlan\",\"master\":\"eth1\"}|macvlan/bridge/eth1",
                "{\"type\":\"macvlan\",\"master\":\"eth1\",\"mode\":\"private\"}|macvlan/private/eth1",
                "{\"type\":\"macvlan\",\"master\":\"eth1\",\"mode\":\"bridge\"}|macvlan/bridge/eth1",
                "{\"type\":\"macvlan\",\"master\":\"e\",\"mode\":\"macvlan\",\"macvlanMode\":\"vepa\"}|macvlan/vepa/e",
                "{\"type\":\"ipvlan\",\"master\":\"eth1\",\"mode\":\"l3s\"}|ipvlan/l3s/eth1",
                "{\"mode\":\"ipvlan\",\"master\":\"eth1\",\"ipvlanMode\":\"L3\"}|ipvlan/l3/eth1",
                "{\"mode\":\"ipvlan\",\"master\":\"eth1\"}|ipvlan/l2/eth1",
                "{\"type\":\"vlan\",\"master\":\"eth1\",\"vlanId\":7}|vlan/7/eth1",
                "{\"mode\":\"vlan\",\"master\":\"eth1\",\"vlanid\":4094}|vlan/4094/eth1",
            })
    void theModeIsTheOneThatIsNamed(String config, String text) throws Exception {
        assertThat(read(config).text()).isEqualTo(text);
        assertThat(WiringMode.parse(text)).as("the text read back").isEqualTo(read(config));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"mode\":\"host\"}|invalid mode|bridge, routed, macvlan, ipvlan, vlan",
                "{\"mode\":7}|invalid mode|a string",
                "{\"type\":\"macvlan\",\"mode\":\"l2\"}|invalid mode|bridge, routed, macvlan",
                "{\"mode\":\"macvlan\",\"macvlanMode\":\"l2\"}|invalid macvlanMode|bridge, private, vepa, passthru",
                "{\"mode\":\"ipvlan\",\"ipvlanMode\":\"vepa\"}|invalid ipvlanMode|l2, l3, l3s",
                "{\"mode\":\"vlan\",\"master\":\"eth1\"}|invalid vlanId|1 to 4094",
                "{\"mode\":\"vlan\",\"vlanId\":4095}|invalid vlanId|from 1 to 4094",
                "{\"mode\":\"vlan\",\"vlanId\":0}|invalid vlanId|from 1 to 4094",
                "{\"mode\":\"macvlan\",\"master\":1}|invalid master|a string",
                "{\"mode\":\"macvlan\",\"master\":\"a/b\"}|invalid master|a device's name",
                "{\"mode\":\"vlan\",\"vlanId\":7,\"master\":\"sixteen-letters-\"}|invalid master|a device's name",
                "{\"mode\":\"bridge\",\"Mode\":\"routed\"}|invalid mode|twice",
                "{\"type\":\"host-device\",\"device\":\"eth1\"}|unsupported type host-device|macvlan",
            })
    void whatIsWrongIsNamedWithWhatIsAllowed(String config, String message, String details) {
        assertThatExceptionOfType(RequestException.class)
                .isThrownBy(() -> read(config))
                .withMessage(message)
                .satisfies(e -> assertThat(e.details()).contains(details));
    }
}

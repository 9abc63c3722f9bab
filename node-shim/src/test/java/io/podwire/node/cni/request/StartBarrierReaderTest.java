package io.podwire.node.cni.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.node.plan.StartBarrier;
import io.podwire.node.plan.StartBarrier.Scope;
import java.time.Duration;
import org.junit.jupiter.api.Test;

final class StartBarrierReaderTest {
    private static final StartBarrier USUAL = new StartBarrier(Scope.NODE, Duration.ofSeconds(3));

    private static StartBarrier read(String config) throws Exception {
        return StartBarrierReader.read((ObjectNode) new ObjectMapper().readTree(config), USUAL);
    }

    private static String annotated(String value, String more) {
        return "{\"runtimeConfig\":{\"io.kubernetes.cri.pod-annotations\":{\"podwire.io/start-barrier\":\"" + value
                + "\"}}" + more + "}";
    }

    @Test
    void nothingSaidIsAsUsual() throws Exception {
        assertThat(read("{}")).isEqualTo(USUAL);
        assertThat(read("{\"startBarrier\":null,\"startBarrierTimeout\":\"\"}")).isEqualTo(USUAL);
    }

    @Test
    void theConfigurationGoesBeforeTheNodeAndThePodBeforeBoth() throws Exception {
        assertThat(read("{\"startBarrier\":\"cluster\"}"))
                .isEqualTo(new StartBarrier(Scope.CLUSTER, Duration.ofSeconds(3)));
        assertThat(read("{\"startBarrier\":\"cluster\",\"startBarrierTimeout\":\"PT0.5S\"}"))
                .isEqualTo(new StartBarrier(Scope.CLUSTER, Duration.ofMillis(500)));
        assertThat(read(annotated("cluster", ""))).isEqualTo(new StartBarrier(Scope.CLUSTER, Duration.ofSeconds(3)));
        assertThat(read(annotated("node", ",\"startBarrier\":\"cluster\"")).scope())
                .isEqualTo(Scope.NODE);
        assertThat(read(annotated("cluster", ",\"capabilities\":{\"ips\":true}"))
                        .scope())
                .as("annotations that the configuration does not declare")
                .isEqualTo(Scope.NODE);
    }

    @Test
    void whatIsWrongIsNamed() {
        assertRefused("{\"startBarrier\":\"all\"}", "startBarrier", "node or cluster, got \"all\"");
        assertRefused("{\"startBarrier\":true}", "startBarrier", "a string");
        assertRefused(annotated("Cluster", ""), "annotation podwire.io/start-barrier", "got \"Cluster\"");
        assertRefused("{\"startBarrierTimeout\":\"PT0.099S\"}", "startBarrierTimeout", "PT0.1S to PT7S");
        assertRefused("{\"startBarrierTimeout\":\"PT7.001S\"}", "startBarrierTimeout", "PT7.001S");
        assertRefused("{\"startBarrierTimeout\":\"3s\"}", "startBarrierTimeout", "ISO-8601");
    }

    private static void assertRefused(String config, String field, String details) {
        assertThatThrownBy(() -> read(config))
                .isInstanceOfSatisfying(
                        RequestException.class,
                        e -> assertThat(e.getMessage() + " " + e.details()).contains(field, details));
    }
}

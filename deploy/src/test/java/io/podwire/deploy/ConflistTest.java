package io.podwire.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.common.net.IpAddress;
import io.podwire.node.cni.request.PodRequestReader;
import io.podwire.node.cni.request.RequestArgs;
import io.podwire.node.plan.PodRequest;
import io.podwire.node.plan.Shaping;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A runtime sends what the image's conflist declares, and node-shim does what it is sent. */
class ConflistTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String ANNOTATIONS = "io.kubernetes.cri.pod-annotations";

    /** What containerd and CRI-O have for a pod, by capability. */
    private static final Map<String, String> SENT = Map.of(
            "portMappings",
            "[{\"hostPort\":8080,\"containerPort\":80,\"protocol\":\"tcp\"}]",
            "bandwidth",
            "{\"ingressRate\":1000000,\"ingressBurst\":1000000}",
            ANNOTATIONS,
            "{\"podwire.io/pool\":\"blue\",\"podwire.io/ip\":\"10.1.0.5\",\"other.io/key\":\"x\"}");

    private static ObjectNode plugin() throws Exception {
        return (ObjectNode) JSON.readTree(Deployed.DEPLOY
                        .resolve("images/node-shim/10-podwire.conflist")
                        .toFile())
                .required("plugins")
                .required(0);
    }

    /** As an ADD brings it, with what a runtime sends for each capability that is declared. */
    private static PodRequest request(ObjectNode plugin) throws Exception {
        ObjectNode config = plugin.deepCopy();
        config.put("cniVersion", "1.0.0").put("name", "podwire");
        ObjectNode runtime = config.putObject("runtimeConfig");
        for (Map.Entry<String, String> sent : SENT.entrySet()) {
            if (plugin.required("capabilities").path(sent.getKey()).asBoolean()) {
                runtime.set(sent.getKey(), JSON.readTree(sent.getValue()));
            }
        }
        return PodRequestReader.read(config, new RequestArgs("eth0", "", ""));
    }

    @Test
    void whatIsDeclaredIsDone() throws Exception {
        ObjectNode plugin = plugin();
        assertThat(plugin.required("type").asText()).isEqualTo("podwire");
        assertThat(plugin.required("capabilities").properties())
                .as("capabilities that a runtime has for every pod")
                .allSatisfy(capability ->
                        assertThat(capability.getValue().isBoolean()).isTrue())
                .extracting(Map.Entry::getKey)
                .containsExactlyInAnyOrderElementsOf(SENT.keySet());

        PodRequest request = request(plugin);
        assertThat(request.pool()).contains("blue");
        assertThat(request.addresses()).containsExactly(IpAddress.parse("10.1.0.5"));
        assertThat(request.hostPorts()).hasSize(1);
        assertThat(request.shaping()).isNotEqualTo(Shaping.NONE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"portMappings", "bandwidth", ANNOTATIONS})
    void whatIsNotDeclaredIsNotSent(String capability) throws Exception {
        ObjectNode plugin = plugin();
        ((ObjectNode) plugin.required("capabilities")).put(capability, false);
        PodRequest all = request(plugin());
        PodRequest less = request(plugin);
        assertThat(less).isNotEqualTo(all);
        assertThat(List.of(
                        less.pool().isEmpty() && less.addresses().isEmpty(),
                        less.hostPorts().isEmpty(),
                        less.shaping().equals(Shaping.NONE)))
                .as("what %s is for, and nothing else", capability)
                .containsOnlyOnce(true);
    }
}

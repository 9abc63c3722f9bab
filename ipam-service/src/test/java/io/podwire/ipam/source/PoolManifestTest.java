package io.podwire.ipam.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.core.CoolDown;
import io.podwire.ipam.core.DrainPace;
import io.podwire.ipam.core.NamespaceSelector;
import io.podwire.ipam.core.NodeSelector;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.core.PoolState;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PoolManifestTest {
    private static final PoolEdit SOURCE = new PoolEdit.Source(PoolSource.manifest("p.yaml"));

    private static PoolManifest parse(String yaml) {
        return PoolManifest.parse("p.yaml", yaml.getBytes(StandardCharsets.UTF_8));
    }

    private static String pool(String spec) {
        return "apiVersion: podwire.io/v1\nkind: IPPool\nmetadata: {name: red}\nspec: " + spec + "\n";
    }

    @Test
    void everyFieldIsRead() {
        PoolManifest manifest = parse("""
                apiVersion: podwire.io/v1
                kind: IPPool
                metadata:
                  name: red
                  labels: {any: thing}
                spec:
                  cidr: 10.1.0.0/16
                  blockLength: 27
                  state: Draining
                  reserved: [10.1.0.0/28, 10.1.255.255/32]
                  nodeSelector:
                    matchLabels: {zone: a}
                  namespaceSelector:
                    matchLabels: {team: x, example.com/y: ""}
                  purpose: LoadBalancer
                  coolDown: 1h30m
                  drainPace: 10
                ---
                apiVersion: podwire.io/v1
                kind: IPPool
                metadata: {name: six}
                spec: {cidr: "fd00:10:1::/48"}
                ---
                apiVersion: v1
                kind: Namespace
                metadata: {name: n, labels: {team: x}}
                ---
                apiVersion: v1
                kind: ConfigMap
                metadata: {name: c}
                """);
        assertThat(manifest.pools())
                .containsExactly(
                        new Pool("red", IpPrefix.parse("10.1.0.0/16"), 27)
                                .with(List.of(
                                        SOURCE,
                                        new PoolEdit.State(PoolState.DRAINING),
                                        new PoolEdit.Reserved(List.of(
                                                IpPrefix.parse("10.1.0.0/28"), IpPrefix.parse("10.1.255.255/32"))),
                                        new PoolEdit.Nodes(NodeSelector.of(Map.of("zone", "a"))),
                                        new PoolEdit.Namespaces(
                                                NamespaceSelector.of(Map.of("team", "x", "example.com/y", ""))),
                                        new PoolEdit.Purpose(PoolPurpose.LOAD_BALANCER),
                                        new PoolEdit.Cooling(new CoolDown.Of(Duration.ofMinutes(90))),
                                        new PoolEdit.Pace(new DrainPace(10)))),
                        new Pool("six", IpPrefix.parse("fd00:10:1::/48"), 122).with(List.of(SOURCE)));
        assertThat(manifest.namespaces())
                .isEqualTo(Map.of("n", Map.of("team", "x", "kubernetes.io/metadata.name", "n")));
        assertThat(manifest.ignored()).containsExactly("ConfigMap c");
    }

    @Test
    void listsAndJsonAreRead() {
        assertThat(parse("{\"kind\": \"List\", \"items\": [{\"apiVersion\": \"podwire.io/v1\", \"kind\": \"IPPool\","
                                + " \"metadata\": {\"name\": \"red\"}, \"spec\": {\"cidr\": \"10.1.0.0/16\"}}]}")
                        .pools())
                .extracting(Pool::name)
                .containsExactly("red");
        assertThat(parse("# nothing\n").pools()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            {}                                      | IPPool red: spec.cidr is missing
            {cidr: 10.1.0.1/16}                     | IPPool red: spec.cidr:
            {cidr: 10.1.0.0/16, blockLength: 8}     | spec.blockLength: block length of pool red (10.1.0.0/16) must be 16 to 32, got 8
            {cidr: 10.1.0.0/16, blockLength: "26"}  | spec.blockLength:
            {cidr: 10.1.0.0/16, state: active}      | spec.state must be one of Active, Draining, Retired, got 'active'
            {cidr: 10.1.0.0/16, purpose: Pod}       | spec.purpose must be one of LoadBalancer, Pods, Static, got 'Pod'
            {cidr: 10.1.0.0/16, coolDown: 5}        | spec.coolDown: must be hours, minutes and seconds such as 90s, 10m or 1h30m, 0s to 24h, got '5'
            {cidr: 10.1.0.0/16, coolDown: 25h}      | spec.coolDown: cool-down must be 0 s to 24 h
            {cidr: 10.1.0.0/16, coolDown: ""}       | spec.coolDown: must be hours
            {cidr: 10.1.0.0/16, drainPace: -1}      | spec.drainPace: drain pace must be 0 (nobody is evicted) to 6000 pods per minute, got -1
            {cidr: 10.1.0.0/16, reserved: [10.2.0.0/28]} | spec.reserved: reserved range 10.2.0.0/28 of pool red must lie inside 10.1.0.0/16
            {cidr: 10.1.0.0/16, blockLenght: 26}    | there is no field spec.blockLenght, only blockLength, cidr, coolDown, drainPace, namespaceSelector, nodeSelector, purpose, reserved, state
            {cidr: 10.1.0.0/16, nodeSelector: {zone: a}} | there is no field spec.nodeSelector.zone, only matchLabels
            {cidr: 10.1.0.0/16, nodeSelector: {matchLabels: {a b: c}}} | spec.nodeSelector.matchLabels: 'a b=c' is not a label of a node selector
            {cidr: 10.1.0.0/16, namespaceSelector: {matchLabels: {a: null}}} | spec.namespaceSelector.matchLabels: label a has no value
            {cidr: 10.1.0.0/16, cidr: 10.2.0.0/16}  | cidr
            """)
    void wrongFieldsAreNamedWithWhatTheyMayBe(String spec, String message) {
        assertThatIllegalArgumentException().isThrownBy(() -> parse(pool(spec))).withMessageContaining(message);
    }

    @Test
    void wrongObjectsAreRefused() {
        String good = pool("{cidr: 10.1.0.0/16}");
        assertThat(parse(good).pools()).hasSize(1);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse(good.replace("io/v1", "io/v2")))
                .withMessageContaining("IPPool red: apiVersion must be podwire.io/v1, got 'podwire.io/v2'");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse(good.replace("name: red", "nam: red")))
                .withMessageContaining("metadata.name of an IPPool is missing");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse(good.replace("name: red", "name: a.b")))
                .withMessageContaining("metadata.name: 'a.b' is not a pool name");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse(good.replace("spec:", "specs:")))
                .withMessageContaining("there is no field specs, only apiVersion, kind, metadata, spec, status");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse(good + "---\n- x\n"))
                .withMessageContaining("not a Kubernetes object");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse("kind: Namespace\n"))
                .withMessageContaining("Namespace: metadata.name is missing");
        assertThatIllegalArgumentException().isThrownBy(() -> parse("kind: ["));
    }
}

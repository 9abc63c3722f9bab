package io.podwire.policy.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.policy.model.EndpointSlice;
import io.podwire.policy.model.EndpointSlice.Backend;
import io.podwire.policy.model.EndpointSlice.Conditions;
import io.podwire.policy.model.EndpointSlice.Hints;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.model.Service;
import io.podwire.policy.model.ServiceKey;
import io.podwire.policy.model.SliceKey;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ServiceMappingTest {
    private static final KubernetesSerialization YAML = new KubernetesSerialization();

    private static IpAddress ip(String text) {
        return IpAddress.parse(text);
    }

    /** Of a Service x/web with this spec and more fields. */
    private static Service service(String spec, String... more) {
        return labelled("{}", spec, more);
    }

    private static Service labelled(String labels, String spec, String... more) {
        return ServiceMapping.service(YAML.unmarshal(
                """
                apiVersion: v1
                kind: Service
                metadata: {namespace: x, name: web, labels: %s}
                spec: %s
                %s
                """.formatted(labels, spec, String.join("\n", more)), io.fabric8.kubernetes.api.model.Service.class));
    }

    private static Optional<EndpointSlice> slice(String text) {
        return ServiceMapping.slice(
                YAML.unmarshal("""
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                %s
                """.formatted(text), io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice.class));
    }

    @Test
    void everythingOfALoadBalancer() {
        assertThat(service("""
                {type: LoadBalancer, clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, "fd00:96::1"],
                 ports: [{name: http, port: 80, nodePort: 30080, targetPort: web},
                         {name: dns, port: 53, nodePort: 30053, protocol: UDP}],
                 externalIPs: [192.0.2.9, "2001:db8::9"], loadBalancerSourceRanges: [" 198.51.100.7/24 ", "2001:db8::/32"],
                 sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}},
                 internalTrafficPolicy: Local, externalTrafficPolicy: Local, healthCheckNodePort: 31000}
                """, """
                status:
                  loadBalancer:
                    ingress: [{ip: 203.0.113.1}, {ip: 203.0.113.2, ipMode: VIP}, {ip: 203.0.113.3, ipMode: Proxy},
                              {hostname: lb.example.com}]
                """))
                .isEqualTo(new Service(
                        new ServiceKey("x", "web"),
                        Service.Type.LOAD_BALANCER,
                        List.of(ip("10.96.0.1"), ip("fd00:96::1")),
                        List.of(
                                new Service.Port("http", Protocol.TCP, 80, 30080),
                                new Service.Port("dns", Protocol.UDP, 53, 30053)),
                        Set.of(ip("192.0.2.9"), ip("2001:db8::9")),
                        Set.of(ip("203.0.113.1"), ip("203.0.113.2")),
                        new Service.Sources(
                                true, Set.of(IpPrefix.parse("198.51.100.0/24"), IpPrefix.parse("2001:db8::/32"))),
                        60,
                        true,
                        true,
                        31000,
                        ""));
    }

    @Test
    void whatIsNotSaidIsTheDefault() {
        assertThat(service("{clusterIP: 10.96.0.1, ports: [{port: 80}]}"))
                .isEqualTo(new Service(
                        new ServiceKey("x", "web"),
                        Service.Type.CLUSTER_IP,
                        List.of(ip("10.96.0.1")),
                        List.of(new Service.Port("", Protocol.TCP, 80, 0)),
                        Set.of(),
                        Set.of(),
                        Service.Sources.ANY,
                        0,
                        false,
                        false,
                        0,
                        ""));
        assertThat(service("{clusterIP: 10.96.0.1, sessionAffinity: ClientIP}").affinitySeconds())
                .isEqualTo(10_800);
    }

    @Test
    void whatIsNotServedSaysWhy() {
        assertThat(service("{clusterIP: None, ports: [{port: 80}]}").notServed())
                .isEqualTo("headless");
        assertThat(labelled("{service.kubernetes.io/headless: ''}", "{clusterIP: 10.96.0.1}")
                        .notServed())
                .isEqualTo("headless");
        assertThat(labelled("{service.kubernetes.io/service-proxy-name: other}", "{clusterIP: 10.96.0.1}")
                        .notServed())
                .contains("another proxy", "'other'");
        assertThat(service("{type: ExternalName, externalName: db.example.com}").notServed())
                .contains("db.example.com");
        assertThat(service("{ports: [{port: 80}]}").notServed()).contains("no cluster IP yet");
    }

    @Test
    void theExternalPolicyCountsWhereThereIsAnExternalAddress() {
        String local = "externalTrafficPolicy: Local, healthCheckNodePort: 31000";
        assertThat(service("{clusterIP: 10.96.0.1, " + local + "}").externalLocal())
                .isFalse();
        Service external = service("{clusterIP: 10.96.0.1, externalIPs: [192.0.2.9], " + local + "}");
        assertThat(external.externalLocal()).isTrue();
        assertThat(external.healthCheckNodePort())
                .as("load balancers alone ask")
                .isZero();
        assertThat(service("{type: NodePort, clusterIP: 10.96.0.1, " + local + "}")
                        .externalLocal())
                .isTrue();
        assertThat(service("{type: LoadBalancer, clusterIP: 10.96.0.1, healthCheckNodePort: 31000}")
                        .healthCheckNodePort())
                .as("they need not ask where every node takes traffic")
                .isZero();
    }

    @Test
    void aSourceRangeThatCannotBeReadLetsNobodyIn() {
        Service.Sources sources = service(
                        "{type: LoadBalancer, clusterIP: 10.96.0.1, loadBalancerSourceRanges: [everywhere]}")
                .sources();
        assertThat(sources.restricted()).isTrue();
        assertThat(sources.ranges()).isEmpty();
    }

    @Test
    void whatNoServerLetsInIsRefused() {
        assertThatThrownBy(() -> service("{clusterIP: 10.96.0.300}")).hasMessageContaining("10.96.0.300");
        assertThatThrownBy(() -> service("{clusterIP: 10.96.0.1, ports: [{port: 70000}]}"))
                .hasMessageContaining("70000");
        assertThatThrownBy(() -> service("{clusterIP: 10.96.0.1, ports: [{port: 80, protocol: ICMP}]}"))
                .hasMessageContaining("ICMP");
        assertThatThrownBy(() -> service("{clusterIP: 10.96.0.1, ports: [{port: 80}, {port: 81}]}"))
                .hasMessageContaining("same name");
        assertThatThrownBy(() -> service("{clusterIPs: [10.96.0.1, 10.96.0.2]}"))
                .hasMessageContaining("more than one cluster IP");
        assertThatThrownBy(() -> service("{type: Odd}")).hasMessageContaining("'Odd'");
        assertThatThrownBy(() -> slice("""
                metadata: {namespace: x, name: web-1, labels: {kubernetes.io/service-name: web}}
                addressType: IPv4
                endpoints: [{addresses: ["fd00::1"]}]
                """)).hasMessageContaining("fd00::1");
    }

    @Test
    void everythingOfASlice() {
        assertThat(slice("""
                metadata:
                  namespace: x
                  name: web-1
                  labels: {kubernetes.io/service-name: web, endpointslice.kubernetes.io/managed-by: somebody}
                addressType: IPv4
                ports: [{name: http, port: 8080, protocol: TCP}, {name: all, port: null}, {port: 53, protocol: UDP}]
                endpoints:
                - addresses: [10.0.1.1, 10.0.1.2]
                  conditions: {ready: true, serving: true, terminating: false}
                  nodeName: node-a
                  targetRef: {kind: Pod, namespace: x, name: web-0}
                  hints: {forZones: [{name: zone-a}], forNodes: [{name: node-a}]}
                - addresses: [10.0.1.3]
                  conditions: {ready: false, serving: true, terminating: true}
                - addresses: []
                """))
                .contains(new EndpointSlice(
                        new SliceKey("x", "web-1"),
                        new ServiceKey("x", "web"),
                        IpFamily.V4,
                        List.of(
                                new EndpointSlice.Port("http", Protocol.TCP, 8080),
                                new EndpointSlice.Port("", Protocol.UDP, 53)),
                        List.of(
                                new Backend(
                                        ip("10.0.1.1"),
                                        Conditions.READY,
                                        "node-a",
                                        "x/web-0",
                                        new Hints(Set.of("zone-a"), Set.of("node-a"))),
                                new Backend(ip("10.0.1.3"), new Conditions(false, true, true), "", "", Hints.NONE))));
    }

    @Test
    void conditionsThatAreNotSaidAreGoodOnes() {
        List<Conditions> conditions = slice("""
                metadata: {namespace: x, name: web-1, labels: {kubernetes.io/service-name: web}}
                addressType: IPv6
                endpoints:
                - {addresses: ["fd00::1"]}
                - {addresses: ["fd00::2"], conditions: {}}
                - {addresses: ["fd00::3"], conditions: {ready: false}}
                - {addresses: ["fd00::4"], conditions: {terminating: true, ready: false}}
                """).orElseThrow().backends().stream()
                .map(Backend::conditions)
                .toList();
        assertThat(conditions)
                .containsExactly(
                        Conditions.READY,
                        Conditions.READY,
                        new Conditions(false, true, false),
                        new Conditions(false, true, true));
    }

    @Test
    void aSliceOfNamesOrOfNobodyIsNone() {
        assertThat(slice("""
                metadata: {namespace: x, name: a, labels: {kubernetes.io/service-name: web}}
                addressType: FQDN
                endpoints: [{addresses: [db.example.com]}]
                """)).isEmpty();
        assertThat(slice("""
                metadata: {namespace: x, name: a}
                addressType: IPv4
                """)).isEmpty();
    }
}

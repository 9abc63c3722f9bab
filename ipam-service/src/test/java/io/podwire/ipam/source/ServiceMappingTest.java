package io.podwire.ipam.source;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.LoadBalancerIngress;
import io.fabric8.kubernetes.api.model.LoadBalancerIngressBuilder;
import io.fabric8.kubernetes.api.model.PortStatus;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.ipam.core.BalancedService;
import io.podwire.ipam.core.BalancedService.Ingress;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ServiceMappingTest {
    private static Service service(Map<String, String> annotations, String loadBalancerIp, String... families) {
        return new ServiceBuilder()
                .withNewMetadata()
                .withNamespace("shop")
                .withName("web")
                .withUid("u1")
                .withAnnotations(annotations)
                .endMetadata()
                .withNewSpec()
                .withType("LoadBalancer")
                .withIpFamilies(families)
                .withLoadBalancerIP(loadBalancerIp)
                .endSpec()
                .build();
    }

    private static BalancedService read(Service service) {
        return ServiceMapping.service(service, ServiceClasses.UNSET);
    }

    private static Ingress ingress(String address, boolean plain) {
        return new Ingress(Optional.of(IpAddress.parse(address)), plain);
    }

    @Test
    void wishesComeFromAnnotationsAndTheField() {
        BalancedService dual = read(service(
                Map.of("podwire.io/ip", " 10.2.0.7, FD00::7 ", "podwire.io/pool", "a,b"), "10.2.0.7", "IPv6", "IPv4"));
        assertThat(dual)
                .isEqualTo(new BalancedService(
                        "shop",
                        "web",
                        "u1",
                        true,
                        List.of(IpFamily.V6, IpFamily.V4),
                        List.of(IpAddress.parse("10.2.0.7"), IpAddress.parse("fd00::7")),
                        List.of("a", "b"),
                        "",
                        List.of()));
        assertThat(read(service(Map.of("podwire.io/ip", " "), "fd00::8", "IPv6"))
                        .addresses())
                .containsExactly(IpAddress.parse("fd00::8"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "10.2.0|''|annotation podwire.io/ip: ",
                "10.2.0.1,|''|annotation podwire.io/ip: ",
                "10.2.0.1,10.2.0.2|''|names at most one address of each family",
                "fd00::1|''|asks for fd00::1, and has no IPv6 in spec.ipFamilies",
                "10.2.0.1|10.2.0.2|spec.loadBalancerIP is 10.2.0.2, which annotation podwire.io/ip does not name",
                "''|web.example|spec.loadBalancerIP: "
            })
    void whatCannotBeUnderstoodIsSaid(String annotation, String field, String why) {
        BalancedService service = read(service(Map.of("podwire.io/ip", annotation), field, "IPv4"));
        assertThat(service.invalid()).contains(why);
        assertThat(service.served()).isTrue();
    }

    @Test
    void familiesAreTheApiServers() {
        assertThat(read(service(Map.of(), "")).invalid()).contains("spec.ipFamilies is not set");
        assertThat(read(service(Map.of(), "", "IPv5")).invalid()).contains("may be IPv4 and IPv6, got 'IPv5'");
    }

    @ParameterizedTest
    @CsvSource({
        "LoadBalancer,,true,false",
        "LoadBalancer,podwire.io/load-balancer,true,true",
        "LoadBalancer,example.com/metal,false,false",
        "NodePort,,false,false",
        "ClusterIP,podwire.io/load-balancer,false,false",
        ",,false,false"
    })
    void typeAndClassSayWhoServes(String type, String loadBalancerClass, boolean unset, boolean own) {
        Service service = new ServiceBuilder(service(Map.of(), "", "IPv4"))
                .editSpec()
                .withType(type)
                .withLoadBalancerClass(loadBalancerClass)
                .endSpec()
                .build();
        assertThat(ServiceMapping.service(service, ServiceClasses.UNSET).served())
                .isEqualTo(unset);
        assertThat(ServiceMapping.service(service, ServiceClasses.OWN).served()).isEqualTo(own);
    }

    @Test
    void aStatusIsReadAsItIsAndWrittenBack() {
        LoadBalancerIngress proxy = new LoadBalancerIngressBuilder()
                .withIp("10.2.0.3")
                .withIpMode("Proxy")
                .build();
        LoadBalancerIngress ported = new LoadBalancerIngressBuilder()
                .withIp("10.2.0.4")
                .withPorts(new PortStatus(null, 80, "TCP"))
                .build();
        LoadBalancerIngress named =
                new LoadBalancerIngressBuilder().withHostname("a.example").build();
        Service service = new ServiceBuilder(service(Map.of(), "", "IPv4"))
                .withNewStatus()
                .withNewLoadBalancer()
                .withIngress(ServiceMapping.ingress(List.of(IpAddress.parse("10.2.0.1"))))
                .addToIngress(
                        new LoadBalancerIngressBuilder().withIp("10.2.0.2").build(), proxy, ported, named)
                .endLoadBalancer()
                .endStatus()
                .build();
        assertThat(read(service).ingress())
                .as("a mode that an older API server did not keep is VIP")
                .containsExactly(
                        ingress("10.2.0.1", true),
                        ingress("10.2.0.2", true),
                        ingress("10.2.0.3", false),
                        ingress("10.2.0.4", false),
                        new Ingress(Optional.empty(), false));
        assertThat(ServiceMapping.without(service, Set.of(IpAddress.parse("10.2.0.1"), IpAddress.parse("10.2.0.2"))))
                .containsExactly(proxy, ported, named);
    }
}

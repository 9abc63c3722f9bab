package io.podwire.ipam.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.LoadBalancerIngress;
import io.fabric8.kubernetes.api.model.LoadBalancerIngressBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.BalancedService;
import io.podwire.ipam.core.NamespaceQuotas;
import io.podwire.ipam.core.NamespaceSelector;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.ServiceAddressRules;
import io.podwire.ipam.service.AddressFlow;
import io.podwire.ipam.service.CasFlow;
import io.podwire.ipam.service.NamespaceCatalog;
import io.podwire.ipam.service.NamespaceUse;
import io.podwire.ipam.service.PoolFlow;
import io.podwire.ipam.service.ServiceAddressFlow;
import io.podwire.ipam.store.MemoryIpamStore;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@EnableKubernetesMockClient(crud = true)
class KubernetesServicesTest {
    private static final Duration SOON = Duration.ofMillis(25);
    private static final Duration NEVER = Duration.ofHours(1);
    /** By whose clock replicas name their Events alike. */
    private static final TimeSource TIME = new TimeSource() {
        @Override
        public Duration monotonic() {
            return TimeSource.SYSTEM.monotonic();
        }

        @Override
        public Instant wall() {
            return Instant.EPOCH;
        }
    };

    private static final ServiceReconciler.Timing LOOK = new ServiceReconciler.Timing(SOON, SOON, SOON);

    // Filled in by the extension.
    private KubernetesMockServer server;
    private KubernetesClient client;

    private final MemoryIpamStore store = new MemoryIpamStore();
    private final CasFlow flow = flow();
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final NamespaceCatalog namespaces = new NamespaceCatalog(TimeSource.SYSTEM, true);

    @BeforeEach
    void namespaceAndPools() {
        namespaces.offer(Map.of("shop", Map.of("team", "red"), "kube-system", Map.of()), true);
        pool("lb", "10.2.0.0/31");
        pool("lb6", "fd00::/124");
    }

    private static ConditionFactory soon() {
        return Awaitility.await().pollInterval(Duration.ofMillis(10));
    }

    private CasFlow flow() {
        return new CasFlow(store, Duration.ofSeconds(5), TimeSource.SYSTEM, Thread::sleep, new Random(1));
    }

    private void pool(String name, String cidr, PoolEdit... edits) {
        IpPrefix prefix = IpPrefix.parse(cidr);
        new PoolFlow(flow)
                .create(new Pool(name, prefix, prefix.length())
                        .with(List.of(new PoolEdit.Purpose(PoolPurpose.LOAD_BALANCER)))
                        .with(List.of(edits)));
    }

    private ServiceAddressFlow addresses(CasFlow of, NamespaceQuotas quotas) {
        NamespaceUse use = new NamespaceUse(of, new BindingTable(), quotas);
        return new ServiceAddressFlow(of, new AddressFlow(of, TimeSource.SYSTEM, use), TimeSource.SYSTEM, use);
    }

    private KubernetesServices start(ServiceClasses classes) {
        return start(classes, namespaces, flow, NamespaceQuotas.NONE, meters);
    }

    private KubernetesServices start(
            ServiceClasses classes,
            NamespaceCatalog of,
            CasFlow over,
            NamespaceQuotas quotas,
            SimpleMeterRegistry measured) {
        return new KubernetesServices(
                server.createClient(),
                classes,
                addresses(over, quotas),
                of,
                TIME,
                measured,
                new KubernetesServices.Timing(new WatchedKind.Pace(NEVER, SOON), LOOK));
    }

    private static ServiceBuilder balancer(String name, String... families) {
        return new ServiceBuilder()
                .withNewMetadata()
                .withNamespace("shop")
                .withName(name)
                .endMetadata()
                .withNewSpec()
                .withType("LoadBalancer")
                .withIpFamilies(families)
                .endSpec();
    }

    private Service create(ServiceBuilder service) {
        return client.resource(service.build()).create();
    }

    private Service service(String name) {
        return client.services().inNamespace("shop").withName(name).get();
    }

    private List<LoadBalancerIngress> ingress(String name) {
        Service service = service(name);
        return service.getStatus() == null || service.getStatus().getLoadBalancer() == null
                ? List.of()
                : service.getStatus().getLoadBalancer().getIngress();
    }

    private List<String> shown(String name) {
        return ingress(name).stream()
                .map(entry -> entry.getIp() + " " + entry.getIpMode())
                .toList();
    }

    private List<Event> events(String name) {
        return client.v1().events().inNamespace("shop").list().getItems().stream()
                .filter(event -> event.getInvolvedObject().getName().equals(name))
                .toList();
    }

    private Optional<AddressUse> use(String address) {
        return addresses(flow, NamespaceQuotas.NONE)
                .ledger()
                .address(IpAddress.parse(address))
                .map(single -> single.use());
    }

    private boolean cools(String address) {
        return use(address).equals(Optional.of(new AddressUse.Cooling()));
    }

    private static double refused(SimpleMeterRegistry of) {
        return of.get("podwire.ipam.services.refused").gauge().value();
    }

    @Test
    void servicesOfOursGetAddressesAndOthersAreNotTouched() {
        create(balancer("plain", "IPv4"));
        create(balancer("other", "IPv4")
                .editSpec()
                .withLoadBalancerClass("example.com/metal")
                .endSpec());
        create(balancer("inside", "IPv4").editSpec().withType("ClusterIP").endSpec());
        String other = service("other").getMetadata().getResourceVersion();
        try (KubernetesServices _ = start(ServiceClasses.UNSET)) {
            soon().until(() -> shown("plain").equals(List.of("10.2.0.0 VIP")));
            create(balancer("dual", "IPv6", "IPv4")
                    .editSpec()
                    .withLoadBalancerClass("podwire.io/load-balancer")
                    .endSpec());
            soon().until(() -> shown("dual").equals(List.of("fd00:: VIP", "10.2.0.1 VIP")));
            soon().until(() -> meters.get("podwire.ipam.services").gauge().value() == 2);
            String settled = service("dual").getMetadata().getResourceVersion();
            soon().during(SOON.multipliedBy(4))
                    .until(() ->
                            service("dual").getMetadata().getResourceVersion().equals(settled));
            assertThat(use("10.2.0.1").orElseThrow().user().orElseThrow().id())
                    .isEqualTo(
                            "service/shop/dual/" + service("dual").getMetadata().getUid() + "/ipv4");
            assertThat(service("other").getMetadata().getResourceVersion()).isEqualTo(other);
            assertThat(ingress("inside")).isEmpty();
            assertThat(refused(meters)).isZero();
        }
    }

    @Test
    void withoutTheOptionUnclassedServicesAreAnothers() {
        create(balancer("plain", "IPv4"));
        create(balancer("ours", "IPv4")
                .editSpec()
                .withLoadBalancerClass("podwire.io/load-balancer")
                .endSpec());
        try (KubernetesServices _ = start(ServiceClasses.OWN)) {
            soon().until(() -> shown("ours").equals(List.of("10.2.0.0 VIP")));
            soon().during(SOON.multipliedBy(4)).until(() -> shown("plain").isEmpty());
        }
    }

    @Test
    void aWishThatIsRefusedIsToldAndFulfilledOnceItCanBe() {
        create(balancer("first", "IPv4")
                .editSpec()
                .withLoadBalancerIP("10.2.0.1")
                .endSpec());
        try (KubernetesServices _ = start(ServiceClasses.UNSET)) {
            soon().until(() -> shown("first").equals(List.of("10.2.0.1 VIP")));
            create(balancer("second", "IPv4")
                    .editMetadata()
                    .addToAnnotations("podwire.io/ip", "10.2.0.1")
                    .endMetadata());
            soon().until(() -> events("second").size() == 1);
            Event event = events("second").getFirst();
            assertThat(event.getType()).isEqualTo("Warning");
            assertThat(event.getReason()).isEqualTo("AddressInUse");
            assertThat(event.getMessage())
                    .startsWith("no IPv4 address: 10.2.0.1 of pool lb belongs to Service shop/first (uid ");
            soon().until(() -> refused(meters) == 1);
            client.services()
                    .inNamespace("shop")
                    .withName("second")
                    .edit(service -> new ServiceBuilder(service)
                            .editMetadata()
                            .addToAnnotations("podwire.io/ip", "10.2.0.0")
                            .endMetadata()
                            .build());
            soon().until(() -> shown("second").equals(List.of("10.2.0.0 VIP")));
            soon().until(() -> refused(meters) == 0);

            create(balancer("third", "IPv4"));
            soon().until(() ->
                    events("third").stream().anyMatch(each -> each.getReason().equals("AddressPoolExhausted")));
            pool("more", "10.9.0.0/30");
            soon().until(() -> shown("third").equals(List.of("10.9.0.0 VIP")));
            client.services()
                    .inNamespace("shop")
                    .withName("third")
                    .edit(service -> new ServiceBuilder(service)
                            .editMetadata()
                            .addToAnnotations("podwire.io/pool", "Bad")
                            .endMetadata()
                            .build());
            soon().until(() -> events("third").stream()
                    .anyMatch(each -> each.getReason().equals("InvalidAddressWish")
                            && each.getMessage().contains("annotation podwire.io/pool: 'Bad' is not a pool name")));
            assertThat(shown("third")).as("it keeps what it has").containsExactly("10.9.0.0 VIP");
        }
    }

    @Test
    void anAddressComesBackWhenItsServiceIsNotOursAnyMore() {
        create(balancer("web", "IPv4", "IPv6"));
        try (KubernetesServices _ = start(ServiceClasses.UNSET)) {
            soon().until(() -> shown("web").size() == 2);
            client.services()
                    .inNamespace("shop")
                    .withName("web")
                    .edit(service -> new ServiceBuilder(service)
                            .editSpec()
                            .withIpFamilies("IPv4")
                            .endSpec()
                            .build());
            soon().until(() -> cools("fd00::"));
            assertThat(shown("web")).containsExactly("10.2.0.0 VIP");
            client.services()
                    .inNamespace("shop")
                    .withName("web")
                    .edit(service -> new ServiceBuilder(service)
                            .editSpec()
                            .withType("NodePort")
                            .endSpec()
                            .editStatus()
                            .editLoadBalancer()
                            .addToIngress(new LoadBalancerIngressBuilder()
                                    .withHostname("edge.example.com")
                                    .build())
                            .endLoadBalancer()
                            .endStatus()
                            .build());
            soon().until(() -> cools("10.2.0.0"));
            assertThat(ingress("web"))
                    .as("what another wrote stays")
                    .singleElement()
                    .satisfies(entry -> assertThat(entry.getHostname()).isEqualTo("edge.example.com"));
        }
    }

    @Test
    void addressesOfServicesThatAreGoneComeBackEvenIfTheyWentUnseen() {
        create(balancer("web", "IPv4"));
        create(balancer("api", "IPv4"));
        String uid = service("api").getMetadata().getUid();
        try (KubernetesServices _ = start(ServiceClasses.UNSET)) {
            soon().until(() -> shown("web").size() == 1 && shown("api").size() == 1);
            client.services().inNamespace("shop").withName("web").delete();
            soon().until(() -> cools("10.2.0.0") || cools("10.2.0.1"));
        }
        client.services().inNamespace("shop").withName("api").delete();
        create(balancer("api", "IPv6"));
        try (KubernetesServices _ = start(ServiceClasses.UNSET)) {
            soon().until(() -> cools("10.2.0.0") && cools("10.2.0.1"));
            soon().until(() -> shown("api").equals(List.of("fd00:: VIP")));
            assertThat(service("api").getMetadata().getUid()).isNotEqualTo(uid);
        }
    }

    @Test
    void aServiceThatAListLacksAndThatIsThereKeepsItsAddress() {
        Service web = create(balancer("web", "IPv4"));
        AtomicInteger relisted = new AtomicInteger();
        try (ServiceReconciler reconciler = new ServiceReconciler(
                new ServiceObjects(client, TimeSource.SYSTEM),
                ServiceClasses.UNSET,
                addresses(flow, NamespaceQuotas.NONE),
                namespaces,
                TimeSource.SYSTEM,
                meters,
                LOOK,
                relisted::incrementAndGet)) {
            BalancedService seen = ServiceMapping.service(web, ServiceClasses.UNSET);
            reconciler.offer(new TreeMap<>(Map.of("shop/web", seen)));
            soon().until(() -> shown("web").size() == 1);
            reconciler.offer(new TreeMap<>());
            soon().until(() -> relisted.get() > 1);
            assertThat(cools("10.2.0.0")).isFalse();
        }
    }

    @Test
    void replicasGiveOneAddressAndTellOfOneProblemTogether() {
        List<String> names = List.of("a", "b", "c");
        names.forEach(name -> create(balancer(name, "IPv4", "IPv6")));
        SimpleMeterRegistry others = new SimpleMeterRegistry();
        try (KubernetesServices _ = start(ServiceClasses.UNSET);
                KubernetesServices _ = start(ServiceClasses.UNSET, namespaces, flow(), NamespaceQuotas.NONE, others)) {
            soon().until(() ->
                    names.stream().mapToInt(name -> shown(name).size()).sum() == 5);
            soon().until(() -> refused(meters) == 1 && refused(others) == 1);
            assertThat(names).flatMap(this::events).as("one Event of both").hasSize(1);
            assertThat(ServiceAddressRules.owners(
                            addresses(flow, NamespaceQuotas.NONE).ledger()))
                    .hasSize(5)
                    .allSatisfy((_, held) -> assertThat(held).hasSize(1));
        }
    }

    @Test
    void quotasAndUnknownNamespacesKeepAServiceWaiting() {
        pool("red", "10.4.0.0/31", new PoolEdit.Namespaces(NamespaceSelector.of(Map.of("team", "red"))));
        create(balancer("web", "IPv4", "IPv6"));
        NamespaceCatalog later = new NamespaceCatalog(TimeSource.SYSTEM, true);
        NamespaceQuotas one = new NamespaceQuotas(Map.of("shop", OptionalInt.of(1)), OptionalInt.empty());
        try (KubernetesServices _ = start(ServiceClasses.UNSET, later, flow, one, meters)) {
            soon().during(SOON.multipliedBy(4))
                    .until(() -> shown("web").isEmpty() && events("web").isEmpty());
            later.offer(Map.of("shop", Map.of("team", "red")), true);
            soon().until(() -> shown("web").equals(List.of("10.4.0.0 VIP")));
            soon().until(() -> events("web").size() == 1);
            assertThat(events("web").getFirst().getReason()).isEqualTo("NamespaceQuotaReached");
            assertThat(events("web").getFirst().getMessage())
                    .contains("namespace shop has as many addresses as its quota allows");
        }
    }

    @Test
    void aStatusIsNotWrittenOverAChangeThatWasNotSeen() {
        Service seen = create(balancer("web", "IPv4"));
        ServiceObjects objects = new ServiceObjects(client, TimeSource.SYSTEM);
        objects.write(seen, ServiceMapping.ingress(List.of(IpAddress.parse("10.2.0.0"))));
        assertThatThrownBy(() -> objects.write(seen, List.of()))
                .isInstanceOfSatisfying(
                        KubernetesClientException.class,
                        e -> assertThat(e.getCode()).isEqualTo(409));
        assertThat(shown("web")).containsExactly("10.2.0.0 VIP");
        assertThat(objects.read("shop", "none")).isEmpty();
    }
}

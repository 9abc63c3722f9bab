package io.podwire.ipam;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.service.ServiceRunner;
import io.podwire.ipam.core.NamespaceQuotas;
import io.podwire.ipam.core.ReclaimRules.Patience;
import io.podwire.ipam.source.ServiceClasses;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class IpamOptionsTest {
    private static IpamOptions parse(Map<String, String> environment, String... args) {
        IpamOptions options = new IpamOptions();
        var _ = ServiceRunner.command("ipam-service", options, environment).parseArgs(args);
        options.check();
        return options;
    }

    @Test
    void defaultsAreAnMvStoreWithoutPools() {
        IpamOptions options = parse(Map.of());
        assertThat(options.store()).isEqualTo(IpamOptions.StoreKind.MVSTORE);
        assertThat(options.pools()).isEmpty();
        assertThat(options.mvstoreFile()).hasToString("/var/lib/podwire/ipam.mv");
    }

    @Test
    void repeatedAndSeparatedValuesAreBothTaken() {
        IpamOptions options = parse(
                Map.of(),
                "--store=etcd",
                "--etcd-endpoints=http://a:1,http://b:2",
                "--etcd-endpoints=http://c:3",
                "--pool=a=10.1.0.0/16",
                "--pool=b=10.2.0.0/28,c=10.3.0.0/24/24");
        assertThat(options.etcdAccess().endpoints().toString()).isEqualTo("[http://a:1, http://b:2, http://c:3]");
        assertThat(options.pools().toString()).isEqualTo("[a=10.1.0.0/16/26, b=10.2.0.0/28/28, c=10.3.0.0/24/24]");
    }

    @Test
    void poolsOfBothFamiliesAreTaken() {
        IpamOptions options = parse(Map.of(
                "PODWIRE_POOL", "default=10.1.0.0/16,default6=fd00:10:1::/48,b=fd00:10:2::/126,c=fd01::/64/120"));
        assertThat(options.pools().toString())
                .isEqualTo("[default=10.1.0.0/16/26, default6=fd00:10:1::/48/122, b=fd00:10:2::/126/126,"
                        + " c=fd01::/64/120]");
    }

    @Test
    void environmentTwinsStandInForOptions() {
        IpamOptions options = parse(
                Map.of("PODWIRE_POOL", "a=10.1.0.0/16/27,b=10.2.0.0/16", "PODWIRE_STORE", "etcd"), "--store=mvstore");
        assertThat(options.pools().toString()).isEqualTo("[a=10.1.0.0/16/27, b=10.2.0.0/16/26]");
        assertThat(options.store()).as("the command line wins").isEqualTo(IpamOptions.StoreKind.MVSTORE);
    }

    @Test
    void quotasAreReadFromOptionsAndTheirTwins() {
        NamespaceQuotas quotas = parse(
                        Map.of("PODWIRE_DEFAULT_NAMESPACE_QUOTA", "100"),
                        "--namespace-quota=shop=20,kube-system=unlimited",
                        "--namespace-quota=a=0")
                .namespaceQuotas();
        assertThat(quotas.of("shop")).hasValue(20);
        assertThat(quotas.of("a")).hasValue(0);
        assertThat(quotas.of("kube-system")).isEmpty();
        assertThat(quotas.of("other")).hasValue(100);
        assertThat(parse(Map.of("PODWIRE_NAMESPACE_QUOTA", "a=1,b=2"))
                        .namespaceQuotas()
                        .of("b"))
                .hasValue(2);
        assertThat(parse(Map.of()).namespaceQuotas().none()).isTrue();
    }

    @Test
    void nodesThatAreGoneAreLookedForWhereThatIsAskedFor() {
        IpamOptions options = parse(Map.of());
        assertThat(options.kubernetesNodes()).isFalse();
        assertThat(options.patience()).isEqualTo(new Patience(Duration.ofMinutes(1), Duration.ofMinutes(10)));
        IpamOptions eager = parse(
                Map.of("PODWIRE_KUBERNETES_NODES", "true", "PODWIRE_RECLAIM_GRACE", "PT2M"),
                "--reclaim-look-interval=PT10S");
        assertThat(eager.kubernetesNodes()).isTrue();
        assertThat(eager.patience()).isEqualTo(new Patience(Duration.ofSeconds(10), Duration.ofMinutes(2)));
    }

    @Test
    void servicesGetAddressesWhereThatIsAskedFor() {
        IpamOptions options = parse(Map.of());
        assertThat(options.kubernetesServices()).isFalse();
        assertThat(options.loadBalancerClass()).isEqualTo(ServiceClasses.UNSET);
        IpamOptions beside = parse(Map.of("PODWIRE_KUBERNETES_SERVICES", "true", "PODWIRE_LOAD_BALANCER_CLASS", "own"));
        assertThat(beside.kubernetesServices()).isTrue();
        assertThat(beside.loadBalancerClass()).isEqualTo(ServiceClasses.OWN);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "--pool=a; --pool takes NAME=CIDR",
                "--pool=a=10.1.0.0; --pool takes NAME=CIDR",
                "--pool=a=10.1.0.0/16/26/1; --pool takes NAME=CIDR",
                "--pool=a=10.1.0.1/16; host bits",
                "--pool=a=10.1.0.0/16/8; must be 16 to 32, got 8",
                "--pool=a=10.1.0.0/16/x; --pool a=10.1.0.0/16/x",
                "--pool=A=10.1.0.0/16; not a pool name",
                "--pool=a=fd00::1/48; host bits",
                "--pool=a=fd00::/48/64; must be 112 to 128, got 64",
                "--pool=a=fd00::; --pool takes NAME=CIDR",
                "--store-timeout=PT0S; --store-timeout must be PT0.1S to PT1M",
                "--audit-period=PT29S; --audit-period must be PT30S to PT24H, got PT29S",
                "--audit-period=PT25H; --audit-period must be PT30S to PT24H, got PT25H",
                "--etcd-prefix=podwire; --etcd-prefix must start and end with '/'",
                "--etcd-endpoints=10.0.0.1:2379; --etcd-endpoints",
                "--etcd-endpoints=ftp://a:1; --etcd-endpoints takes http://HOST:PORT or https://HOST:PORT",
                "--etcd-ca-file=/missing; --etcd-ca-file is for https:// endpoints",
                "--etcd-cert-file=/missing; --etcd-cert-file is given without --etcd-key-file",
                "--etcd-key-file=/missing; --etcd-key-file is given without --etcd-cert-file",
                "--etcd-user=podwire; --etcd-user is given without --etcd-password-file",
                "--etcd-password-file=/missing; --etcd-password-file is given without --etcd-user",
                "--store=disk; --store",
                "--namespace-quota=shop; --namespace-quota takes NAMESPACE=N",
                "--namespace-quota=shop=-1; --namespace-quota takes NAMESPACE=N",
                "--namespace-quota=Shop=1; got 'Shop=1'",
                "--namespace-quota=shop=1,shop=2; --namespace-quota names shop twice",
                "--default-namespace-quota=-1; --default-namespace-quota must be 0 or more addresses, got -1",
                "--forecast-window=PT1M; --forecast-window must be PT10M to PT168H, got PT1M",
                "--exhaustion-warning=-PT1S; --exhaustion-warning must be PT0S to PT8760H",
                "--usage-series=none,node; --usage-series none stands alone",
                "--usage-series=pod; --usage-series",
                "--load-balancer-class=all; --load-balancer-class",
                "--reclaim-look-interval=PT0.5S; --reclaim-look-interval must be PT1S to PT1H, got PT0.5S",
                "--reclaim-grace=PT59S; --reclaim-grace must be PT1M to PT168H, got PT59S",
                "--reclaim-grace=PT169H; --reclaim-grace must be PT1M to PT168H, got PT169H",
            })
    void wrongValuesAreNamed(String argument, String message) {
        assertThatThrownBy(() -> parse(Map.of(), argument)).hasMessageContaining(message);
    }

    @Test
    void helpNamesEveryOption() {
        assertThatCode(() -> assertThat(ServiceRunner.command("ipam-service", new IpamOptions(), Map.of())
                                .getUsageMessage())
                        .contains("--pool", "--store", "--etcd-prefix", "default=10.1.0.0/16/26"))
                .doesNotThrowAnyException();
    }
}

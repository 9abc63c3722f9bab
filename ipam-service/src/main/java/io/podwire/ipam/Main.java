package io.podwire.ipam;

import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.service.ServiceContext;
import io.podwire.common.service.ServiceRunner;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.service.AddressFlow;
import io.podwire.ipam.service.AddressesGrpcService;
import io.podwire.ipam.service.AuditFlow;
import io.podwire.ipam.service.Audits;
import io.podwire.ipam.service.AuditsGrpcService;
import io.podwire.ipam.service.AwayNodes;
import io.podwire.ipam.service.BindingGauges;
import io.podwire.ipam.service.BindingsGrpcService;
import io.podwire.ipam.service.BlockFlow;
import io.podwire.ipam.service.BlocksGrpcService;
import io.podwire.ipam.service.CasFlow;
import io.podwire.ipam.service.CoolDowns;
import io.podwire.ipam.service.Draining;
import io.podwire.ipam.service.Evictor;
import io.podwire.ipam.service.ForecastLoop;
import io.podwire.ipam.service.Forecasts;
import io.podwire.ipam.service.FullNamespaces;
import io.podwire.ipam.service.GoneNodes;
import io.podwire.ipam.service.NamespaceCatalog;
import io.podwire.ipam.service.NamespaceUse;
import io.podwire.ipam.service.NamespacesGrpcService;
import io.podwire.ipam.service.PoolFlow;
import io.podwire.ipam.service.PoolGauges;
import io.podwire.ipam.service.PoolWatch;
import io.podwire.ipam.service.PoolsGrpcService;
import io.podwire.ipam.service.ReclaimFlow;
import io.podwire.ipam.service.ReclaimLook;
import io.podwire.ipam.service.ServiceAddressFlow;
import io.podwire.ipam.service.UsageSeries;
import io.podwire.ipam.source.KubernetesEvictions;
import io.podwire.ipam.source.KubernetesNamespaces;
import io.podwire.ipam.source.KubernetesNodes;
import io.podwire.ipam.source.KubernetesPools;
import io.podwire.ipam.source.KubernetesServices;
import io.podwire.ipam.source.PoolFolder;
import io.podwire.ipam.store.EtcdIpamStore;
import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.MvIpamStore;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/** ipam-service: which node owns which block of addresses, and who has which address. */
public final class Main {
    private static final Duration GAUGE_PERIOD = Duration.ofSeconds(10);
    private static final Duration COOL_DOWN_PERIOD = Duration.ofSeconds(1);
    private static final Duration WATCH_PERIOD = Duration.ofSeconds(1);
    private static final Duration SIGN_OF_LIFE = Duration.ofSeconds(10);
    private static final Duration DRAIN_PERIOD = Duration.ofSeconds(1);
    private static final Duration AWAY_PERIOD = Duration.ofMinutes(1);
    private static final Duration FORECAST_PERIOD = Duration.ofSeconds(10);
    private static final Duration QUOTA_PERIOD = Duration.ofMillis(250);

    private Main() {}

    /** Runs the service until SIGTERM. */
    public static void main(String[] args) {
        ServiceRunner.run("ipam-service", args, new IpamOptions(), Main::wire);
    }

    /** Builds the service; for main, and for tests and tools that run it in their own process. */
    public static void wire(IpamOptions options, ServiceContext context) throws IOException {
        IpamStore store = context.own(open(options));
        CasFlow flow = new CasFlow(
                store, options.storeTimeout().multipliedBy(3), TimeSource.SYSTEM, Thread::sleep, new Random());
        PoolFlow pools = new PoolFlow(flow);
        BlockFlow blocks = new BlockFlow(flow);
        for (Pool pool : options.pools()) {
            ensure(pools, pool);
        }
        boolean kubernetesNamespaces = options.kubernetesPools() || options.kubernetesServices();
        NamespaceCatalog namespaces = new NamespaceCatalog(
                TimeSource.SYSTEM, kubernetesNamespaces || options.poolDir().isPresent());
        if (options.poolDir().isPresent()) {
            context.own(PoolFolder.start(
                    options.poolDir().get(),
                    flow,
                    Optional.of(namespaces).filter(_ -> !kubernetesNamespaces),
                    TimeSource.SYSTEM,
                    context.meters()));
        }
        Optional<Evictor> evictor = Optional.empty();
        if (options.kubernetesPools()) {
            context.own(KubernetesPools.connect(flow, TimeSource.SYSTEM, context.meters()));
            evictor = Optional.of(context.own(KubernetesEvictions.connect()));
        }
        if (kubernetesNamespaces) {
            context.own(KubernetesNamespaces.connect(namespaces));
        }
        context.own(new PoolGauges(blocks, context.meters(), GAUGE_PERIOD));
        PoolWatch watch = context.own(new PoolWatch(flow, TimeSource.SYSTEM, WATCH_PERIOD, SIGN_OF_LIFE));
        BindingTable bindings = new BindingTable(address -> NamespaceUse.isSingle(flow, address));
        NamespaceUse use = new NamespaceUse(flow, bindings, options.namespaceQuotas());
        Forecasts forecasts =
                new Forecasts(flow, bindings, TimeSource.SYSTEM, options.forecastWindow(), options.exhaustionWarning());
        context.own(new ForecastLoop(forecasts, FORECAST_PERIOD));
        context.exposes(new UsageSeries(flow, bindings, use, forecasts, options.usageSeries()));
        context.serve(new PoolsGrpcService(pools, blocks, watch, forecasts, bindings));
        ReclaimFlow reclaims = new ReclaimFlow(flow, TimeSource.SYSTEM, context.meters());
        // On the connection's own thread: see 0015.
        context.serveInline(
                new BlocksGrpcService(blocks, reclaims, namespaces, bindings, context.meters()),
                store.waits() ? List.of() : BlocksGrpcService.BEGUN);
        context.own(new Draining(flow, bindings, evictor, TimeSource.SYSTEM, context.meters(), DRAIN_PERIOD));
        BindingGauges.register(bindings, context.meters());
        context.own(new AwayNodes(blocks, bindings, TimeSource.SYSTEM, AWAY_PERIOD));
        FullNamespaces full = context.own(new FullNamespaces(use, QUOTA_PERIOD));
        context.serve(new BindingsGrpcService(bindings, reclaims, TimeSource.SYSTEM, full));
        context.serve(new NamespacesGrpcService(use));
        if (options.kubernetesNodes()) {
            KubernetesNodes nodes = context.own(KubernetesNodes.connect());
            ReclaimLook look = new ReclaimLook(
                    reclaims, bindings, nodes::list, TimeSource.SYSTEM, options.patience(), context.meters());
            context.own(new GoneNodes(look, options.patience().interval()));
        }
        AddressFlow addresses = new AddressFlow(flow, TimeSource.SYSTEM, use);
        context.own(new CoolDowns(addresses, TimeSource.SYSTEM, options.coolDown(), COOL_DOWN_PERIOD));
        context.serveInline(
                new AddressesGrpcService(addresses, bindings, TimeSource.SYSTEM, context.meters()),
                store.waits() ? List.of() : AddressesGrpcService.BEGUN);
        if (options.kubernetesServices()) {
            ServiceAddressFlow balanced = new ServiceAddressFlow(flow, addresses, TimeSource.SYSTEM, use);
            context.own(KubernetesServices.connect(
                    options.loadBalancerClass(), balanced, namespaces, TimeSource.SYSTEM, context.meters()));
        }
        AuditFlow audit = new AuditFlow(flow, bindings, TimeSource.SYSTEM, options.auditPeriod(), context.meters());
        context.own(new Audits(audit, options.auditPeriod()));
        context.serve(new AuditsGrpcService(audit));
        context.readyWhen("store", store::connected);
    }

    private static IpamStore open(IpamOptions options) throws IOException {
        return switch (options.store()) {
            case MVSTORE -> MvIpamStore.open(options.mvstoreFile());
            case ETCD -> EtcdIpamStore.connect(options.etcdAccess(), options.etcdPrefix(), options.storeTimeout());
        };
    }

    private static void ensure(PoolFlow pools, Pool pool) throws IOException {
        try {
            pools.ensure(pool);
        } catch (ServiceException e) {
            throw new IOException("--pool " + pool + " cannot be brought about: " + e.getMessage(), e);
        }
    }
}

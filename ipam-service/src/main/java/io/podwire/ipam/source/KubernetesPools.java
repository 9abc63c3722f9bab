package io.podwire.ipam.source;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.service.CasFlow;
import java.time.Duration;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The pools that IPPools of a Kubernetes cluster declare, and their status there. Its loop owns all state but what is
 * to be written, which another loop writes: the informer and the reconciler only post to them.
 *
 * <p>Nothing is declared before the first list. Watches are known to stop without a word, and a first list after an
 * outage is known to come back empty: so everything is listed and compared now and then, a deletion that the watch
 * did not see itself is taken only from such a list, and a list that lost more than half is believed when the next
 * one agrees.
 */
public final class KubernetesPools implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(KubernetesPools.class);
    private static final Duration SYNC_POLL = Duration.ofMillis(50);
    private static final int POLLS_BEFORE_WARNING = 200;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final KubernetesClient client;
    private final Timing timing;
    private final EventLoop loop = new EventLoop("kubernetes-pools");
    private final EventLoop writer = new EventLoop("pool-status");
    private final PoolReconciler reconciler;
    private final SharedIndexInformer<IpPool> informer;
    private final Set<String> touchedWhileListing = new HashSet<>();
    private final AtomicReference<Map<String, String>> unwritten = new AtomicReference<>(Map.of());
    private SortedMap<String, IpPool> known = new TreeMap<>();
    private Optional<Declared> declared = Optional.empty();
    private int polls;
    private boolean listing;
    private boolean listAgain;
    private boolean doubted;
    private boolean synced;
    private boolean writable = true;
    private volatile boolean closed;

    /**
     * How often and how soon.
     *
     * @param compare between two full lists
     * @param confirm until a doubtful or failed list is asked for again
     * @param period between two looks at the store, and so between two writes of a status
     * @param grace how long an IPPool must be gone before its pool is withdrawn
     */
    record Timing(Duration compare, Duration confirm, Duration period, Duration grace) {
        static final Timing USUAL = new Timing(
                Duration.ofMinutes(5), Duration.ofSeconds(2), Duration.ofSeconds(10), Duration.ofSeconds(10));
    }

    /** Starts, connected as KUBECONFIG or the in-cluster service account says. */
    public static KubernetesPools connect(CasFlow flow, TimeSource time, MeterRegistry meters) {
        return new KubernetesPools(new KubernetesClientBuilder().build(), flow, time, meters, Timing.USUAL);
    }

    /** Starts over a client, which it closes. */
    KubernetesPools(KubernetesClient client, CasFlow flow, TimeSource time, MeterRegistry meters, Timing timing) {
        this.client = client;
        this.timing = timing;
        this.reconciler = new PoolReconciler(
                PoolSource.Kind.KUBERNETES,
                flow,
                time,
                meters,
                timing.period(),
                timing.grace(),
                statuses -> loop.execute(() -> tell(statuses)));
        this.informer = client.resources(IpPool.class).runnableInformer(0);
        // fabric8 logs the failure itself; it must try again until we close.
        informer.exceptionHandler((_, _) -> !closed);
        informer.addEventHandler(new ResourceEventHandler<>() {
            @Override
            public void onAdd(IpPool pool) {
                loop.execute(() -> watched(pool.getMetadata().getName(), Optional.of(pool)));
            }

            @Override
            public void onUpdate(IpPool before, IpPool pool) {
                onAdd(pool);
            }

            @Override
            public void onDelete(IpPool pool, boolean deletedFinalStateUnknown) {
                loop.execute(() -> {
                    if (deletedFinalStateUnknown) {
                        compare();
                    } else {
                        watched(pool.getMetadata().getName(), Optional.empty());
                    }
                });
            }
        });
        var _ = informer.start();
        loop.schedule(SYNC_POLL, this::awaitFirstList);
        loop.every(timing.compare(), this::compare);
    }

    private void awaitFirstList() {
        if (!informer.hasSynced()) {
            polls++;
            if (polls == POLLS_BEFORE_WARNING) {
                log.warn("Kubernetes has not listed its IPPools yet: is the CustomResourceDefinition"
                        + " ippools.podwire.io there, and may this service account list them? Trying on; the pools"
                        + " stay as they are");
            }
            loop.schedule(SYNC_POLL, this::awaitFirstList);
            return;
        }
        known = byName(informer.getStore().list());
        synced = true;
        log.info("Kubernetes has {} IPPools", known.size());
        declare();
    }

    private static SortedMap<String, IpPool> byName(List<IpPool> pools) {
        SortedMap<String, IpPool> byName = new TreeMap<>();
        pools.forEach(pool -> byName.put(pool.getMetadata().getName(), pool));
        return byName;
    }

    private void watched(String name, Optional<IpPool> pool) {
        if (listing) {
            touchedWhileListing.add(name);
        }
        if (synced) {
            pool.ifPresentOrElse(now -> known.put(name, now), () -> known.remove(name));
            declare();
        }
    }

    private void declare() {
        SortedMap<String, Pool> pools = new TreeMap<>();
        SortedMap<String, String> refused = new TreeMap<>();
        known.forEach((name, object) -> {
            try {
                pools.put(name, IpPoolMapping.pool(object, PoolSource.KUBERNETES));
            } catch (IllegalArgumentException e) {
                refused.put(name, e.getMessage());
            }
        });
        Declared now = Declared.ofKubernetes(pools, refused);
        if (!declared.equals(Optional.of(now))) {
            declared = Optional.of(now);
            reconciler.declare(now);
        }
    }

    /** Lists everything beside the loop, then compares on it. */
    private void compare() {
        if (!synced) {
            return;
        }
        if (listing) {
            listAgain = true;
            return;
        }
        listing = true;
        listAgain = false;
        touchedWhileListing.clear();
        Thread.ofVirtual().name("ippool-list").start(() -> {
            try {
                List<IpPool> listed = client.resources(IpPool.class).list().getItems();
                loop.execute(() -> compareWith(byName(listed)));
            } catch (RuntimeException e) {
                loop.execute(() -> {
                    listing = false;
                    log.warn("listing IPPools failed, trying again in {}: {}", timing.confirm(), e.toString());
                    loop.schedule(timing.confirm(), this::compare);
                });
            }
        });
    }

    private void compareWith(SortedMap<String, IpPool> listed) {
        listing = false;
        if (isDoubtful(known.size(), listed.size()) && !doubted) {
            log.warn("a list of IPPools lost more than half of them, asking again in {}", timing.confirm());
            doubted = true;
            loop.schedule(timing.confirm(), this::compare);
            return;
        }
        doubted = false;
        // What the watch reported since the list began may be newer than the list.
        SortedMap<String, IpPool> next = new TreeMap<>(listed);
        touchedWhileListing.forEach(name -> {
            next.remove(name);
            Optional.ofNullable(known.get(name)).ifPresent(pool -> next.put(name, pool));
        });
        known = next;
        declare();
        if (listAgain) {
            compare();
        }
    }

    /** True when a list lost so much that it may be an API server's that has not found itself yet. */
    static boolean isDoubtful(int before, int after) {
        return after * 2 < before;
    }

    /** Hands what differs from the objects' status to the writer. */
    private void tell(SortedMap<String, IpPoolStatus> statuses) {
        Map<String, String> patches = new TreeMap<>();
        statuses.forEach((name, status) -> {
            IpPool object = known.get(name);
            if (object != null && !status.equals(object.getStatus())) {
                patches.put(name, patch(status));
            }
        });
        unwritten.set(Collections.unmodifiableMap(patches));
        writer.execute(this::write);
    }

    private static String patch(IpPoolStatus status) {
        try {
            return JSON.writeValueAsString(Map.of("status", status));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a status that cannot be written: " + status, e);
        }
    }

    /** On the writer's loop: the newest statuses, if nobody has begun to write them. */
    private void write() {
        unwritten.getAndSet(Map.of()).forEach((name, patch) -> {
            try {
                client.resources(IpPool.class)
                        .withName(name)
                        .subresource("status")
                        .patch(PatchContext.of(PatchType.JSON_MERGE), patch);
                if (!writable) {
                    log.info("statuses of IPPools can be written again");
                }
                writable = true;
            } catch (KubernetesClientException e) {
                if (writable && e.getCode() != 404) {
                    log.warn("the status of IPPool {} cannot be written, trying again: {}", name, e.getMessage());
                    writable = false;
                }
            }
        });
    }

    /** Stops watching; pools and statuses stay as they are. */
    @Override
    public void close() {
        closed = true;
        informer.stop();
        reconciler.close();
        loop.close();
        writer.close();
        client.close();
    }
}

package io.podwire.ipam.source;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.service.CasFlow;
import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The pools that IPPools of a Kubernetes cluster declare, and their status there. Its loop owns all state but what is
 * to be written, which another loop writes: the reconciler only posts to them. Nothing is declared before the first
 * list, and what lists lack is believed as {@link WatchedKind} says.
 */
public final class KubernetesPools implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(KubernetesPools.class);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final KubernetesClient client;
    private final EventLoop loop = new EventLoop("kubernetes-pools");
    private final EventLoop writer = new EventLoop("pool-status");
    private final PoolReconciler reconciler;
    private final WatchedKind<IpPool, IpPool> pools;
    private final AtomicReference<Map<String, String>> unwritten = new AtomicReference<>(Map.of());
    private SortedMap<String, IpPool> known = new TreeMap<>();
    private Optional<Declared> declared = Optional.empty();
    private boolean writable = true;

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
        this.reconciler = new PoolReconciler(
                PoolSource.Kind.KUBERNETES,
                flow,
                time,
                meters,
                timing.period(),
                timing.grace(),
                statuses -> loop.execute(() -> tell(statuses)));
        this.pools = new WatchedKind<>(
                new WatchedKind.Words(
                        "IPPools",
                        "is the CustomResourceDefinition ippools.podwire.io there, and may this service account list"
                                + " them? Trying on; the pools stay as they are"),
                client.resources(IpPool.class),
                Function.identity(),
                loop,
                new WatchedKind.Pace(timing.compare(), timing.confirm()),
                this::told);
    }

    private void told(SortedMap<String, IpPool> objects) {
        known = objects;
        declare();
    }

    private void declare() {
        SortedMap<String, Pool> wanted = new TreeMap<>();
        SortedMap<String, String> refused = new TreeMap<>();
        known.forEach((name, object) -> {
            try {
                wanted.put(name, IpPoolMapping.pool(object, PoolSource.KUBERNETES));
            } catch (IllegalArgumentException e) {
                refused.put(name, e.getMessage());
            }
        });
        Declared now = Declared.ofKubernetes(wanted, refused);
        if (!declared.equals(Optional.of(now))) {
            declared = Optional.of(now);
            reconciler.declare(now);
        }
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
        pools.close();
        reconciler.close();
        loop.close();
        writer.close();
        client.close();
    }
}

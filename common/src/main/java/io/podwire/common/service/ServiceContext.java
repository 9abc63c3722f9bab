package io.podwire.common.service;

import io.grpc.BindableService;
import io.grpc.MethodDescriptor;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.prometheus.metrics.model.registry.MultiCollector;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a service's wiring registers: things to close, gRPC services, readiness conditions. */
public final class ServiceContext {
    private static final Logger log = LoggerFactory.getLogger(ServiceContext.class);

    private final PrometheusMeterRegistry meters;
    private final Deque<AutoCloseable> owned = new ArrayDeque<>();
    private final List<BindableService> services = new ArrayList<>();
    private final Set<String> inline = new HashSet<>();
    private final Map<String, BooleanSupplier> conditions = new LinkedHashMap<>();

    ServiceContext(PrometheusMeterRegistry meters) {
        this.meters = meters;
    }

    /** Registers something to close at the end, in reverse order; gives it back. */
    public <T extends AutoCloseable> T own(T resource) {
        owned.push(resource);
        return resource;
    }

    /** Adds a gRPC service to the server, which starts after the wiring. */
    public void serve(BindableService service) {
        services.add(service);
    }

    /**
     * Adds a gRPC service whose methods run on the transport's own thread: they must hand on at once
     * whatever waits or computes. That saves waking a thread that would only hand on.
     */
    public void serveInline(BindableService service) {
        serveInline(
                service,
                List.copyOf(service.bindService().getServiceDescriptor().getMethods()));
    }

    /** As {@link #serveInline(BindableService)}, of these methods alone; the others have threads. */
    public void serveInline(BindableService service, List<MethodDescriptor<?, ?>> methods) {
        serve(service);
        methods.forEach(method -> inline.add(method.getFullMethodName()));
    }

    /** Adds a condition of readiness, asked twice a second and by /readyz. */
    public void readyWhen(String name, BooleanSupplier condition) {
        conditions.put(name, condition);
    }

    /** Where metrics are registered. */
    public MeterRegistry meters() {
        return meters;
    }

    /** Adds series that are made anew at each scrape: what they are of comes and goes. It has milliseconds. */
    public void exposes(MultiCollector collector) {
        meters.getPrometheusRegistry().register(collector);
    }

    List<BindableService> services() {
        return List.copyOf(services);
    }

    /** True when that method was added by {@link #serveInline}. */
    boolean isInline(MethodDescriptor<?, ?> method) {
        return inline.contains(method.getFullMethodName());
    }

    /** Names of the conditions that do not hold now. */
    List<String> unready() {
        List<String> names = new ArrayList<>();
        conditions.forEach((name, condition) -> {
            if (!condition.getAsBoolean()) {
                names.add(name);
            }
        });
        return names;
    }

    /** Closes everything owned, last first; one failure does not spare the rest. */
    void closeOwned() {
        while (!owned.isEmpty()) {
            AutoCloseable resource = owned.pop();
            try {
                resource.close();
            } catch (Exception e) {
                log.warn(
                        "closing {} failed, going on with the rest",
                        resource.getClass().getSimpleName(),
                        e);
            }
        }
    }
}

package io.podwire.ipam.source;

import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.ipam.core.BalancedService;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.ServiceAddressRules;
import io.podwire.ipam.core.ServiceAddressRules.Next;
import io.podwire.ipam.core.ServiceOwner;
import io.podwire.ipam.core.ServiceStep;
import io.podwire.ipam.service.NamespaceCatalog;
import io.podwire.ipam.service.ServiceAddressFlow;
import java.net.HttpURLConnection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives Services their addresses and writes them to their statuses, by what {@link ServiceAddressRules} decides: after
 * each change of a Service, and at each look. What is to be done by what a watch and an earlier reading say is decided
 * once more on the Service and the ledger as they are now, and then done. Its loop owns all state; gauges may be read
 * from anywhere. Any number of replicas may do this at once, as long as they are told the same.
 */
final class ServiceReconciler implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ServiceReconciler.class);
    /** So late may be seen what another replica wrote. */
    private static final Duration NEWS = Duration.ofSeconds(5);

    private static final Duration LONGEST_DELAY = Duration.ofMinutes(1);
    /** A move of two families has six; whoever needs more is at odds with another writer. */
    private static final int MOST_STEPS = 12;

    private final ServiceObjects objects;
    private final ServiceClasses classes;
    private final ServiceAddressFlow flow;
    private final NamespaceCatalog namespaces;
    private final TimeSource time;
    private final Timing timing;
    private final GoneServices gone;
    private final EventLoop loop = new EventLoop("service-addresses");
    private final Map<String, Trouble> troubles = new HashMap<>();
    private final Map<String, Told> told = new HashMap<>();
    private final AtomicReference<Optional<SortedMap<String, BalancedService>>> offered =
            new AtomicReference<>(Optional.empty());
    private Optional<SortedMap<String, BalancedService>> services = Optional.empty();
    private boolean readable = true;
    private volatile int served;
    private volatile int refused;

    /**
     * When.
     *
     * @param period between two looks
     * @param grace how long a Service must be gone before what it has comes back
     * @param retry until the first retry of what failed; each further one waits twice as long, a minute at most
     */
    record Timing(Duration period, Duration grace, Duration retry) {}

    /**
     * What failed of a Service.
     *
     * @param seen as it was then: a change of it is tried at once
     * @param delay until the next try
     * @param notBefore when that is
     */
    private record Trouble(BalancedService seen, Duration delay, Duration notBefore) {}

    /**
     * What was said of a Service.
     *
     * @param problems all that it lacks
     * @param at when
     */
    private record Told(List<ServiceProblem> problems, Duration at) {}

    /**
     * A reconciler that was told nothing yet, and so does nothing.
     *
     * @param namespaces whose labels pools select by
     * @param relist has all Services listed, where a watch was found to be wrong
     */
    ServiceReconciler(
            ServiceObjects objects,
            ServiceClasses classes,
            ServiceAddressFlow flow,
            NamespaceCatalog namespaces,
            TimeSource time,
            MeterRegistry meters,
            Timing timing,
            Runnable relist) {
        this.objects = objects;
        this.classes = classes;
        this.flow = flow;
        this.namespaces = namespaces;
        this.time = time;
        this.timing = timing;
        this.gone = new GoneServices(objects, flow, time, timing.grace(), relist);
        Gauge.builder("podwire.ipam.services", this, of -> of.served)
                .description("Services of type LoadBalancer that get their addresses here")
                .register(meters);
        Gauge.builder("podwire.ipam.services.refused", this, of -> of.refused)
                .description("Services that lack an address or have another one than they wish for; the log and their"
                        + " Events name them and why")
                .register(meters);
        loop.every(timing.period(), this::look);
    }

    /**
     * Takes over what Services there are from now on.
     *
     * @param now all of them, by namespace/name
     */
    void offer(SortedMap<String, BalancedService> now) {
        if (offered.getAndSet(Optional.of(now)).isEmpty()) {
            loop.execute(() -> {
                services = offered.getAndSet(Optional.empty());
                look();
            });
        }
    }

    private void look() {
        if (services.isEmpty()) {
            return;
        }
        try {
            Ledger ledger = flow.recent(NEWS);
            Collection<BalancedService> known = services.get().values();
            Set<String> holders = ServiceAddressRules.owners(ledger).keySet().stream()
                    .map(ServiceOwner::uid)
                    .collect(Collectors.toSet());
            for (BalancedService service : known) {
                if (isDue(service, ledger, holders) && !attend(service)) {
                    break;
                }
            }
            gone.look(flow.recent(NEWS), services.get());
            forget(known);
            if (!readable) {
                log.info("the store answers again, Services get their addresses");
            }
            readable = true;
        } catch (ServiceException e) {
            if (readable) {
                log.warn("Services keep the addresses that they have, trying again: {}", e.getMessage());
            }
            readable = false;
        }
    }

    /** Forgets what is known of Services that are gone, and counts. */
    private void forget(Collection<BalancedService> known) {
        Set<String> uids = new HashSet<>();
        int count = 0;
        for (BalancedService service : known) {
            uids.add(service.uid());
            count += service.served() ? 1 : 0;
        }
        troubles.keySet().retainAll(uids);
        told.keySet().retainAll(uids);
        served = count;
        refused = told.size();
    }

    private Next next(Ledger ledger, BalancedService service, Set<IpFamily> mayTake) {
        return ServiceAddressRules.next(ledger, service, namespaces.labels(service.namespace()), mayTake, flow.now());
    }

    private boolean isDue(BalancedService service, Ledger ledger, Set<String> holders) {
        if (!service.served() && !holders.contains(service.uid()) && !told.containsKey(service.uid())) {
            return false;
        }
        Trouble trouble = troubles.get(service.uid());
        if (trouble != null
                && trouble.seen().equals(service)
                && time.monotonic().compareTo(trouble.notBefore()) < 0) {
            return false;
        }
        Next next = next(ledger, service, EnumSet.allOf(IpFamily.class));
        return !(next.step() instanceof ServiceStep.Settled) || isNews(service, problems(service, next, Map.of()));
    }

    private boolean isNews(BalancedService service, List<ServiceProblem> problems) {
        Told before = told.get(service.uid());
        return before == null
                ? !problems.isEmpty()
                : !before.problems().equals(problems)
                        || time.monotonic().minus(before.at()).compareTo(ServiceObjects.REMIND) >= 0;
    }

    private static List<ServiceProblem> problems(
            BalancedService service, Next next, Map<IpFamily, ServiceProblem> failed) {
        List<ServiceProblem> problems = new ArrayList<>();
        if (!service.invalid().isEmpty()) {
            problems.add(ServiceProblem.invalid(service.invalid()));
        }
        for (IpFamily family : service.families()) {
            Optional.ofNullable(next.refused().get(family))
                    .map(decision -> ServiceProblem.of(family, decision))
                    .or(() -> Optional.ofNullable(failed.get(family)))
                    .ifPresent(problems::add);
        }
        return problems;
    }

    /**
     * Does what there is to do about a Service; what fails is tried again later.
     *
     * @return false when Kubernetes does not answer, as it would not for others
     */
    private boolean attend(BalancedService seen) {
        boolean answers = true;
        try {
            if (act(seen)) {
                troubles.remove(seen.uid());
                return true;
            }
        } catch (KubernetesClientException | ServiceException e) {
            // Without a status of HTTP there was no answer.
            answers = !(e instanceof KubernetesClientException failure && failure.getCode() == 0);
            if (!troubles.containsKey(seen.uid())) {
                log.warn("addresses of Service {} are not as they should be, trying again: {}", seen, e.getMessage());
            }
        }
        Trouble before = troubles.get(seen.uid());
        Duration twice = before == null ? timing.retry() : before.delay().multipliedBy(2);
        Duration delay = twice.compareTo(LONGEST_DELAY) < 0 ? twice : LONGEST_DELAY;
        troubles.put(seen.uid(), new Trouble(seen, delay, time.monotonic().plus(delay)));
        return answers;
    }

    /** Step by step; false when something is left to be tried again. */
    private boolean act(BalancedService seen) {
        Set<IpFamily> mayTake = EnumSet.allOf(IpFamily.class);
        Map<IpFamily, ServiceProblem> failed = new EnumMap<>(IpFamily.class);
        for (int i = 0; i < MOST_STEPS; i++) {
            Optional<Service> object =
                    objects.read(seen.namespace(), seen.name()).filter(now -> ServiceMapping.is(now, seen.uid()));
            if (object.isEmpty()) {
                // The watch will tell.
                return false;
            }
            BalancedService service = ServiceMapping.service(object.get(), classes);
            Next next = next(flow.ledger(), service, mayTake);
            try {
                switch (next.step()) {
                    case ServiceStep.Take(IpFamily family) -> take(service, family, mayTake, failed);
                    case ServiceStep.Show(var addresses) -> {
                        objects.write(object.get(), ServiceMapping.ingress(addresses));
                        log.info("the status of {} tells of {}", service.owner(IpFamily.V4), addresses);
                    }
                    case ServiceStep.Hide(var addresses) -> {
                        objects.write(object.get(), ServiceMapping.without(object.get(), addresses));
                        log.info("the status of {} tells of {} no more", service.owner(IpFamily.V4), addresses);
                    }
                    case ServiceStep.Release release -> flow.release(release);
                    case ServiceStep.Settled() -> {
                        tell(object.get(), service, problems(service, next, failed));
                        return failed.isEmpty();
                    }
                }
            } catch (KubernetesClientException e) {
                // Somebody has written to it meanwhile: it is read anew.
                if (e.getCode() != HttpURLConnection.HTTP_CONFLICT) {
                    throw e;
                }
            }
        }
        log.warn("somebody else writes to Service {} again and again, trying again later", seen);
        return false;
    }

    private void take(
            BalancedService service, IpFamily family, Set<IpFamily> mayTake, Map<IpFamily, ServiceProblem> failed) {
        try {
            var _ = flow.take(
                    service, family, namespaces.labels(service.namespace()).orElse(Map.of()));
        } catch (ServiceException e) {
            if (e.reason() != ErrorReason.EXHAUSTED) {
                throw e;
            }
            failed.put(family, ServiceProblem.quota(service, family));
            mayTake.remove(family);
        }
    }

    private void tell(Service object, BalancedService service, List<ServiceProblem> problems) {
        if (!isNews(service, problems)) {
            return;
        }
        if (problems.isEmpty()) {
            told.remove(service.uid());
            log.info("nothing is wrong any more with the addresses of Service {}", service);
            return;
        }
        told.put(service.uid(), new Told(problems, time.monotonic()));
        problems.forEach(problem -> {
            log.warn("Service {}: {}: {}", service, problem.reason(), problem.message());
            objects.warn(object, problem);
        });
    }

    @Override
    public void close() {
        loop.close();
    }
}

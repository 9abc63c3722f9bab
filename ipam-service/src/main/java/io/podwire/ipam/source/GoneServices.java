package io.podwire.ipam.source;

import io.fabric8.kubernetes.client.KubernetesClientException;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.core.BalancedService;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.ServiceAddressRules;
import io.podwire.ipam.core.ServiceOwner;
import io.podwire.ipam.core.ServiceStep;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.service.ServiceAddressFlow;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives back what Services have that are gone: that were missing at each look for a grace, and are not there when they
 * are asked for by their names right before. One thread looks; it owns what was missed.
 */
final class GoneServices {
    private static final Logger log = LoggerFactory.getLogger(GoneServices.class);

    private final ServiceObjects objects;
    private final ServiceAddressFlow flow;
    private final TimeSource time;
    private final Duration grace;
    private final Runnable relist;
    /** Since when, by namespace/name/uid. */
    private final Map<String, Duration> missing = new HashMap<>();

    /**
     * Has missed nobody yet.
     *
     * @param grace how long a Service must be missing
     * @param relist has all Services listed, where a watch was found to be wrong
     */
    GoneServices(ServiceObjects objects, ServiceAddressFlow flow, TimeSource time, Duration grace, Runnable relist) {
        this.objects = objects;
        this.flow = flow;
        this.time = time;
        this.grace = grace;
        this.relist = relist;
    }

    /**
     * Looks.
     *
     * @param ledger who has addresses
     * @param services all that there are, by namespace/name
     * @throws ServiceException CONTENTION, UNAVAILABLE: some of it may be given back
     */
    void look(Ledger ledger, SortedMap<String, BalancedService> services) {
        Map<String, List<ServiceOwner>> gone = ServiceAddressRules.owners(ledger).keySet().stream()
                .filter(owner -> !isThere(owner, services))
                .collect(Collectors.groupingBy(GoneServices::key));
        missing.keySet().retainAll(gone.keySet());
        Duration now = time.monotonic();
        gone.forEach((key, owners) -> {
            Duration since = missing.putIfAbsent(key, now);
            if (since != null && now.minus(since).compareTo(grace) >= 0) {
                // Whatever comes of it: what is left then has to be missing for another grace.
                missing.remove(key);
                giveBack(owners, ledger);
            }
        });
    }

    private static boolean isThere(ServiceOwner owner, SortedMap<String, BalancedService> services) {
        BalancedService service = services.get(owner.namespace() + "/" + owner.name());
        return service != null && service.uid().equals(owner.uid());
    }

    private static String key(ServiceOwner owner) {
        return owner.namespace() + "/" + owner.name() + "/" + owner.uid();
    }

    /**
     * What one has that is gone.
     *
     * @param owners of each family
     */
    private void giveBack(List<ServiceOwner> owners, Ledger ledger) {
        ServiceOwner first = owners.getFirst();
        try {
            if (objects.read(first.namespace(), first.name())
                    .filter(now -> ServiceMapping.is(now, first.uid()))
                    .isPresent()) {
                log.warn("{} is there, though neither watch nor list told so: listing all again", first);
                relist.run();
                return;
            }
        } catch (KubernetesClientException e) {
            log.warn(
                    "{} seems to be gone, and keeps its addresses until Kubernetes says so: {}", first, e.getMessage());
            return;
        }
        for (ServiceOwner owner : owners) {
            for (SingleAddress address : ledger.addressesOf(owner.id())) {
                flow.release(new ServiceStep.Release(owner, address.address()));
            }
        }
    }
}

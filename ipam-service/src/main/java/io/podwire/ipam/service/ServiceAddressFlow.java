package io.podwire.ipam.service;

import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.ipam.core.AddressDecision;
import io.podwire.ipam.core.BalancedService;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.ServiceAddressRules;
import io.podwire.ipam.core.ServiceOwner;
import io.podwire.ipam.core.ServiceStep;
import io.podwire.ipam.service.CasFlow.Step;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives addresses to the load balancers of Services, by what {@link ServiceAddressRules} decides on the ledger of the
 * write, and takes them back. Stateless, for any number of threads.
 */
public final class ServiceAddressFlow {
    private static final Logger log = LoggerFactory.getLogger(ServiceAddressFlow.class);

    private final CasFlow flow;
    private final AddressFlow addresses;
    private final TimeSource time;
    private final NamespaceUse namespaces;

    /**
     * A flow of Services' addresses.
     *
     * @param addresses takes them back
     * @param time tells since when an address is what it is; nothing is decided by it
     * @param namespaces what the Services' namespaces have and may have
     */
    public ServiceAddressFlow(CasFlow flow, AddressFlow addresses, TimeSource time, NamespaceUse namespaces) {
        this.flow = flow;
        this.addresses = addresses;
        this.time = time;
        this.namespaces = namespaces;
    }

    /**
     * Gives a Service an address of a family that is as it wishes.
     *
     * @param labels of its namespace
     * @return Assign or AlreadyHeld, or why it gets none
     * @throws ServiceException EXHAUSTED (its namespace is at its quota), CONTENTION, UNAVAILABLE
     */
    public AddressDecision take(BalancedService service, IpFamily family, Map<String, String> labels) {
        ServiceOwner owner = service.owner(family);
        String attempted = family.label() + " address for Service " + service;
        return flow.run(attempted, snapshot -> {
            AddressDecision decision = ServiceAddressRules.take(snapshot.ledger(), service, family, labels, now());
            if (!(decision instanceof AddressDecision.Assign(var taken, var blocks))) {
                return new Step.Done<>(decision);
            }
            namespaces.check(attempted, snapshot.ledger(), taken);
            return new Step.Write<>(
                    snapshot.allocate(owner.id(), taken, blocks),
                    decision,
                    () -> log.info(
                            "{} now has {} of pool {}",
                            owner,
                            taken.getFirst().address(),
                            taken.getFirst().pool()));
        });
    }

    /**
     * Takes an address back; one that the Service does not have is left as it is, which is success.
     *
     * @throws ServiceException CONTENTION, UNAVAILABLE
     */
    public void release(ServiceStep.Release step) {
        addresses.release(step.owner().id(), List.of(step.address()));
        log.info("{} does not have {} any more", step.owner(), step.address());
    }

    /**
     * What the store holds now.
     *
     * @throws ServiceException UNAVAILABLE
     */
    public Ledger ledger() {
        return flow.read().ledger();
    }

    /**
     * What the store held some time ago; see {@link CasFlow#recent}.
     *
     * @param age at most
     * @throws ServiceException UNAVAILABLE
     */
    public Ledger recent(Duration age) {
        return flow.recent(age).ledger();
    }

    /** As the store keeps it. */
    public Instant now() {
        return time.wall().truncatedTo(ChronoUnit.MILLIS);
    }
}

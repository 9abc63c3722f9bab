package io.podwire.ipam.core;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Which addresses the load balancers of Services get, of pools of purpose load-balancer. Pure, and decided by what is
 * true now, one step at a time: whoever does the steps may be one of many, and may lose the answer to any of them.
 *
 * <p>An address is first the Service's in the ledger and then in its status, and goes the other way round. So no
 * status tells of an address that the ledger may have given to somebody else.
 *
 * <p>What a Service has it keeps, whatever became of its pool or namespace, until it wishes for another: then that is
 * taken, shown in place of the old one, and the old one given back.
 */
public final class ServiceAddressRules {
    private ServiceAddressRules() {}

    /**
     * What to do about a Service.
     *
     * @param step the next thing
     * @param refused why it has no address of a family, or another one than it wishes for
     */
    public record Next(ServiceStep step, Map<IpFamily, AddressDecision> refused) {
        /** Copies. */
        public Next {
            refused = Map.copyOf(refused);
        }
    }

    /**
     * Decides.
     *
     * @param labels of its namespace; empty while they are not known: a Service that lacks something waits
     * @param mayTake families of which an address may be taken now
     */
    public static Next next(
            Ledger ledger,
            BalancedService service,
            Optional<Map<String, String>> labels,
            Set<IpFamily> mayTake,
            Instant now) {
        if (!service.served()) {
            return new Next(withdraw(ledger, service), Map.of());
        }
        List<IpAddress> wanted = new ArrayList<>();
        Map<IpFamily, AddressDecision> refused = new EnumMap<>(IpFamily.class);
        for (IpFamily family : service.families()) {
            Optional<SingleAddress> granted = granted(ledger, service, family);
            if (granted.isEmpty() && labels.isPresent() && service.invalid().isEmpty()) {
                AddressDecision decision = take(ledger, service, family, labels.get(), now);
                if (!(decision instanceof AddressDecision.Assign)) {
                    refused.put(family, decision);
                } else if (mayTake.contains(family)) {
                    return new Next(new ServiceStep.Take(family), refused);
                }
            }
            if (granted.isEmpty() && labels.isEmpty()) {
                return new Next(new ServiceStep.Settled(), refused);
            }
            granted.or(() -> best(service, held(ledger, service, family)))
                    .map(SingleAddress::address)
                    .ifPresent(wanted::add);
        }
        if (!service.showsJust(wanted) && !(wanted.isEmpty() && isOfOthers(ledger, service))) {
            return new Next(new ServiceStep.Show(wanted), refused);
        }
        return new Next(
                heldOfAny(ledger, service)
                        .filter(has -> !wanted.contains(has.address())
                                && service.invalid().isEmpty())
                        .findFirst()
                        .map(has -> release(service, has))
                        .orElseGet(ServiceStep.Settled::new),
                refused);
    }

    /** What remains to be done for a Service that gets no address of us, or not any more. */
    private static ServiceStep withdraw(Ledger ledger, BalancedService service) {
        List<SingleAddress> held = heldOfAny(ledger, service).toList();
        List<IpAddress> shown =
                held.stream().map(SingleAddress::address).filter(service::shows).toList();
        if (!shown.isEmpty()) {
            return new ServiceStep.Hide(Set.copyOf(shown));
        }
        return held.stream().findFirst().map(has -> release(service, has)).orElseGet(ServiceStep.Settled::new);
    }

    private static ServiceStep release(BalancedService service, SingleAddress has) {
        return new ServiceStep.Release(service.owner(has.address().family()), has.address());
    }

    private static List<SingleAddress> held(Ledger ledger, BalancedService service, IpFamily family) {
        return ledger.addressesOf(service.owner(family).id());
    }

    private static Stream<SingleAddress> heldOfAny(Ledger ledger, BalancedService service) {
        return Stream.of(IpFamily.values()).flatMap(family -> held(ledger, service, family).stream());
    }

    /** What it has of a family that is as it wishes. */
    private static Optional<SingleAddress> granted(Ledger ledger, BalancedService service, IpFamily family) {
        Optional<IpAddress> address = service.wished(family);
        List<Pool> pools = named(ledger, service, family);
        return best(
                service,
                held(ledger, service, family).stream()
                        .filter(has -> address.isEmpty() || address.get().equals(has.address()))
                        .filter(has -> address.isPresent()
                                || pools.isEmpty()
                                || pools.stream().anyMatch(pool -> pool.name().equals(has.pool())))
                        .filter(_ ->
                                address.isPresent() || unknown(ledger, service).isEmpty())
                        .toList());
    }

    /** The one that its status tells of, where it tells of one; else the lowest. */
    private static Optional<SingleAddress> best(BalancedService service, List<SingleAddress> of) {
        return of.stream()
                .filter(has -> service.shows(has.address()))
                .findFirst()
                .or(() -> of.stream().findFirst());
    }

    /** The pools of a family that it names, in its order. */
    private static List<Pool> named(Ledger ledger, BalancedService service, IpFamily family) {
        return service.pools().stream()
                .flatMap(name -> ledger.pool(name).stream())
                .filter(pool -> pool.family() == family)
                .toList();
    }

    /** The first name of a pool that there is none of. */
    private static Optional<String> unknown(Ledger ledger, BalancedService service) {
        return service.pools().stream()
                .filter(name -> ledger.pool(name).isEmpty())
                .findFirst();
    }

    /** True when nothing that its status tells of can be an address of ours. */
    private static boolean isOfOthers(Ledger ledger, BalancedService service) {
        return service.ingress().stream()
                .flatMap(entry -> entry.address().stream())
                .noneMatch(address ->
                        ledger.pools().stream().anyMatch(pool -> pool.cidr().contains(address)));
    }

    /**
     * Gives a Service an address of a family that is as it wishes.
     *
     * @param labels of its namespace
     * @return Assign with one, AlreadyHeld, or why it gets none
     */
    public static AddressDecision take(
            Ledger ledger, BalancedService service, IpFamily family, Map<String, String> labels, Instant now) {
        Optional<SingleAddress> granted = granted(ledger, service, family);
        if (granted.isPresent()) {
            return new AddressDecision.AlreadyHeld(List.of(granted.get()));
        }
        AddressUse use = new AddressUse.InUse(service.owner(family).owner(), Optional.empty());
        Optional<IpAddress> address = service.wished(family);
        if (address.isPresent()) {
            return thisOne(ledger, address.get(), labels, use, now);
        }
        Optional<String> unknown = unknown(ledger, service);
        if (unknown.isPresent()) {
            return new AddressDecision.NoSuchPool(unknown.get());
        }
        List<Pool> named = named(ledger, service, family);
        Optional<AddressDecision> unfit =
                named.stream().flatMap(pool -> unfit(pool, labels).stream()).findFirst();
        return unfit.orElseGet(() ->
                oneOf(ledger, service, family, named.isEmpty() ? forAny(ledger, family, labels) : named, use, now));
    }

    private static AddressDecision thisOne(
            Ledger ledger, IpAddress address, Map<String, String> labels, AddressUse use, Instant now) {
        return ledger.pools().stream()
                .filter(pool -> pool.cidr().contains(address))
                .findFirst()
                .flatMap(pool -> unfit(pool, labels))
                .orElseGet(() -> AddressRules.thisOne(ledger, address, AddressWish.ANY_POOL, use, now));
    }

    /** Why a pool cannot serve a Service that wishes for it. */
    private static Optional<AddressDecision> unfit(Pool pool, Map<String, String> labels) {
        if (pool.purpose() != PoolPurpose.LOAD_BALANCER) {
            return Optional.of(new AddressDecision.NotForServices(pool));
        }
        return pool.namespaces().matches(labels)
                ? Optional.empty()
                : Optional.of(new AddressDecision.NotForNamespace(pool));
    }

    /** As for pods: where pools select the namespace, these alone; else those that select none in particular. */
    private static List<Pool> forAny(Ledger ledger, IpFamily family, Map<String, String> labels) {
        List<Pool> fitting = ledger.pools().stream()
                .filter(pool -> pool.family() == family && unfit(pool, labels).isEmpty())
                .toList();
        List<Pool> selecting = fitting.stream()
                .filter(pool -> !pool.namespaces().isEvery() && pool.state() != PoolState.RETIRED)
                .toList();
        return selecting.isEmpty()
                ? fitting.stream().filter(pool -> pool.namespaces().isEvery()).toList()
                : selecting;
    }

    private static AddressDecision oneOf(
            Ledger ledger, BalancedService service, IpFamily family, List<Pool> pools, AddressUse use, Instant now) {
        if (pools.isEmpty()) {
            return new AddressDecision.NoPoolForService(family);
        }
        List<Pool> active =
                pools.stream().filter(pool -> pool.state() == PoolState.ACTIVE).toList();
        if (active.isEmpty()) {
            return new AddressDecision.Closed(pools.getFirst());
        }
        // What its status tells of already is of a ledger that was lost, or of whoever served it before us.
        Stream<AddressDecision> shown = service.ingress().stream()
                .flatMap(entry -> entry.address().stream())
                .filter(address -> active.stream().anyMatch(pool -> pool.cidr().contains(address)))
                .map(address -> AddressRules.thisOne(ledger, address, AddressWish.ANY_POOL, use, now))
                .filter(AddressDecision.Assign.class::isInstance);
        return Stream.concat(shown, active.stream().flatMap(pool -> AddressRules.free(ledger, pool, use, now).stream()))
                .findFirst()
                .orElseGet(
                        () -> new AddressDecision.NoneFree(new AddressWish.Any(family, AddressWish.ANY_POOL), active));
    }

    /** Who of Services has addresses, and these; takes a time that grows with the number of single addresses. */
    public static Map<ServiceOwner, List<SingleAddress>> owners(Ledger ledger) {
        Map<ServiceOwner, List<SingleAddress>> owners = new HashMap<>();
        for (SingleAddress address : ledger.addresses()) {
            address.use()
                    .user()
                    .flatMap(ServiceOwner::of)
                    .ifPresent(owner -> owners.computeIfAbsent(owner, _ -> new ArrayList<>())
                            .add(address));
        }
        return owners;
    }
}

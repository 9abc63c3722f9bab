package io.podwire.node.service;

import io.podwire.common.net.IpAddress;
import io.podwire.node.netlink.nft.Octets;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.service.ServiceChains.Needed;
import io.podwire.node.service.ServicePort.Target;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The ports that a node serves, and what a change of some of them means for the kernel: as much as differs, however many
 * there are. One thread uses it.
 *
 * <p>Two Services may name one external IP and port, or a node port that was another's. The first that came has it, and
 * the next gets it when that one is gone: nobody takes a living Service's traffic by naming its address
 * (CVE-2020-8554).
 */
public final class ServiceState {
    private final SortedMap<String, ServicePort> ports = new TreeMap<>();
    /** Who names a place, in the order they came; the first has it. */
    private final Map<Front.Place, LinkedHashSet<String>> claims = new HashMap<>();
    /** How many ports have a member of a shared map. */
    private final Map<Member.Place, Integer> shared = new HashMap<>();

    private final LocalAddresses localAddresses = new LocalAddresses();

    /**
     * What came of a change.
     *
     * @param change for the kernel
     * @param called whose flows may be led astray by what conntrack remembers
     * @param clients who come back to their endpoint, and may not find it
     * @param passedOver what a Service names and another has, one sentence each
     */
    public record Outcome(ServiceChange change, List<Called> called, List<Clients> clients, List<String> passedOver) {
        /** Copies. */
        public Outcome {
            called = List.copyOf(called);
            clients = List.copyOf(clients);
            passedOver = List.copyOf(passedOver);
        }
    }

    /** The ports as they are served, by id. */
    public Collection<ServicePort> ports() {
        return List.copyOf(ports.values());
    }

    /**
     * Load balancer and external IPs of Services with externalTrafficPolicy Local that have an endpoint here, sorted: the choice is
     * that of the members, and so is who has an address that two Services name.
     */
    public List<IpAddress> localAddresses() {
        return localAddresses.all();
    }

    /** How many ports there are. */
    public int size() {
        return ports.size();
    }

    /** These are all there are. */
    public Outcome replace(Collection<ServicePort> all) {
        Set<String> ids = new HashSet<>();
        all.forEach(port -> ids.add(port.id()));
        return change(
                all, ports.keySet().stream().filter(id -> !ids.contains(id)).toList());
    }

    /** These are new or otherwise than before, those are gone. */
    public Outcome change(Collection<ServicePort> changed, Collection<String> removed) {
        Map<String, ServicePort> next = new LinkedHashMap<>();
        for (ServicePort port : changed) {
            ServicePort before = ports.get(port.id());
            ServicePort arranged = before == null
                    ? port
                    : port.withSlots(
                            Slots.arrange(before.cluster(), port.cluster()),
                            Slots.arrange(before.local(), port.local()));
            if (!arranged.equals(before)) {
                next.put(port.id(), arranged);
            }
        }
        Set<String> gone = new LinkedHashSet<>(removed);
        gone.retainAll(ports.keySet());
        Set<String> concerned = new LinkedHashSet<>(gone);
        concerned.addAll(next.keySet());
        // Those who wait for a place that becomes free are concerned as well.
        for (String id : List.copyOf(concerned)) {
            Optional.ofNullable(ports.get(id))
                    .ifPresent(port -> port.fronts()
                            .forEach(front ->
                                    concerned.addAll(claims.getOrDefault(front.place(), new LinkedHashSet<>()))));
        }

        Map<Member.Place, Member.Value> before = new LinkedHashMap<>();
        Map<Member.Place, Integer> sharedBefore = new HashMap<>();
        List<ServicePort> old = new ArrayList<>();
        for (String id : concerned) {
            ServicePort port = ports.get(id);
            if (port != null) {
                old.add(port);
                take(members(port).members(), before, sharedBefore);
            }
        }
        Map<Front.Place, Set<Called.Endpoint>> calledBefore = called(old);
        gone.forEach(this::remove);
        next.values().forEach(this::put);
        Map<Member.Place, Member.Value> after = new LinkedHashMap<>();
        Map<Member.Place, Integer> sharedAfter = new HashMap<>();
        Map<String, Needed> chains = new HashMap<>();
        List<ServicePort> now = new ArrayList<>();
        for (String id : concerned) {
            ServicePort port = ports.get(id);
            localAddresses.put(id, port == null ? Set.of() : localAddresses(port));
            if (port != null) {
                now.add(port);
                ServiceMembers members = members(port);
                take(members.members(), after, sharedAfter);
                chains.putAll(members.chains());
            }
        }
        share(sharedBefore, sharedAfter, before, after);
        return new Outcome(
                ServiceChange.between(before, after, chains),
                stale(now, calledBefore),
                clients(old, false),
                passedOver(next.values()));
    }

    /**
     * These are all there are, and the kernel has members of an earlier life.
     *
     * @param kernel what it has
     */
    public Outcome replace(Collection<ServicePort> all, Map<Member.Place, Member.Value> kernel) {
        ports.clear();
        claims.clear();
        shared.clear();
        localAddresses.clear();
        all.forEach(this::put);
        ports.values().forEach(port -> localAddresses.put(port.id(), localAddresses(port)));
        for (ServicePort port : ports()) {
            Optional<Front> front =
                    port.fronts().stream().filter(f -> has(port, f)).findFirst();
            front.ifPresent(f -> ports.put(
                    port.id(),
                    port.withSlots(
                            asInKernel(port, f, false, port.cluster(), kernel),
                            asInKernel(port, f, true, port.local(), kernel))));
        }
        Map<Member.Place, Member.Value> after = new LinkedHashMap<>();
        Map<String, Needed> chains = new HashMap<>();
        List<Called> called = new ArrayList<>();
        for (ServicePort port : ports.values()) {
            ServiceMembers members = members(port);
            take(members.members(), after, shared);
            chains.putAll(members.chains());
        }
        shared.keySet().forEach(place -> after.put(place, Member.NONE));
        called(ports()).forEach((place, allowed) -> called.add(called(place, allowed)));
        kernel.keySet().stream()
                .filter(place -> !after.containsKey(place))
                .flatMap(place -> ServiceMembers.calledAt(place).stream())
                .forEach(called::add);
        return new Outcome(
                ServiceChange.between(kernel, after, chains), called, clients(ports(), true), passedOver(ports()));
    }

    private static List<Target> asInKernel(
            ServicePort port,
            Front front,
            boolean local,
            List<Target> targets,
            Map<Member.Place, Member.Value> kernel) {
        Map<Octets, Target> known = new HashMap<>();
        targets.forEach(target -> known.put(ServiceMembers.octets(target), target));
        List<Object> before = new ArrayList<>();
        for (int i = 0; ; i++) {
            Member.Value value = kernel.get(ServiceMembers.slot(port, front, local, i));
            if (!(value instanceof Member.Data(Octets octets))) {
                break;
            }
            before.add(known.containsKey(octets) ? known.get(octets) : octets);
        }
        List<Object> next = new ArrayList<>(targets);
        return Slots.arrange(before, next).stream().map(Target.class::cast).toList();
    }

    private void put(ServicePort port) {
        ServicePort before = ports.put(port.id(), port);
        if (before != null) {
            forget(before, port.fronts());
        }
        port.fronts()
                .forEach(front -> claims.computeIfAbsent(front.place(), _ -> new LinkedHashSet<>())
                        .add(port.id()));
    }

    private void remove(String id) {
        forget(ports.remove(id), List.of());
    }

    private void forget(ServicePort port, Collection<Front> butThese) {
        Set<Front.Place> kept = new HashSet<>();
        butThese.forEach(front -> kept.add(front.place()));
        for (Front front : port.fronts()) {
            if (kept.contains(front.place())) {
                continue;
            }
            claims.computeIfPresent(front.place(), (_, ids) -> {
                ids.remove(port.id());
                return ids.isEmpty() ? null : ids;
            });
        }
    }

    private boolean has(ServicePort port, Front front) {
        return claims.get(front.place()).getFirst().equals(port.id());
    }

    private Set<IpAddress> localAddresses(ServicePort port) {
        return port.localAddresses(front -> has(port, front));
    }

    private ServiceMembers members(ServicePort port) {
        return ServiceMembers.of(port, front -> has(port, front));
    }

    private static void take(
            Map<Member.Place, Member.Value> members,
            Map<Member.Place, Member.Value> own,
            Map<Member.Place, Integer> shared) {
        members.forEach((place, value) -> {
            if (place.map().isShared()) {
                shared.merge(place, 1, Integer::sum);
            } else {
                own.put(place, value);
            }
        });
    }

    /** What the first of some ports brings and the last of them takes along. */
    private void share(
            Map<Member.Place, Integer> less,
            Map<Member.Place, Integer> more,
            Map<Member.Place, Member.Value> before,
            Map<Member.Place, Member.Value> after) {
        Set<Member.Place> places = new HashSet<>(less.keySet());
        places.addAll(more.keySet());
        for (Member.Place place : places) {
            int had = shared.getOrDefault(place, 0);
            int has = had - less.getOrDefault(place, 0) + more.getOrDefault(place, 0);
            if (had > 0) {
                before.put(place, Member.NONE);
            }
            if (has > 0) {
                after.put(place, Member.NONE);
                shared.put(place, has);
            } else {
                shared.remove(place);
            }
        }
    }

    private List<String> passedOver(Collection<ServicePort> of) {
        List<String> sentences = new ArrayList<>();
        for (ServicePort port : of) {
            for (Front front : port.fronts()) {
                if (!has(port, front)) {
                    sentences.add("service " + port.service() + " does not get "
                            + (front instanceof Front.At at ? at.address() + " port " : "node port ") + front.port()
                            + "/"
                            + front.protocol().keyword() + ": "
                            + claims.get(front.place()).getFirst() + " has it");
                }
            }
        }
        return sentences;
    }

    /** Where flows may go, by what they called. */
    private Map<Front.Place, Set<Called.Endpoint>> called(Collection<ServicePort> of) {
        Map<Front.Place, Set<Called.Endpoint>> called = new LinkedHashMap<>();
        for (ServicePort port : of) {
            Set<Called.Endpoint> allowed = new HashSet<>();
            Stream.concat(port.cluster().stream(), port.local().stream())
                    .forEach(target -> allowed.add(new Called.Endpoint(target.address(), target.port())));
            port.fronts().stream()
                    .filter(front -> has(port, front))
                    .forEach(front -> called.put(front.place(), allowed));
        }
        return called;
    }

    /**
     * Of those that had clients which come back: where these may go now, where an endpoint is gone.
     *
     * @param restarted true: it is not known what is gone
     */
    private List<Clients> clients(Collection<ServicePort> had, boolean restarted) {
        List<Clients> clients = new ArrayList<>();
        for (ServicePort before : had) {
            if (before.remembersClients()) {
                Set<Octets> endpoints = new HashSet<>();
                Optional.ofNullable(ports.get(before.id()))
                        .ifPresent(now -> Stream.concat(now.cluster().stream(), now.local().stream())
                                .map(ServiceMembers::octets)
                                .forEach(endpoints::add));
                boolean nobodyLost = Stream.concat(before.cluster().stream(), before.local().stream())
                        .map(ServiceMembers::octets)
                        .allMatch(endpoints::contains);
                if (nobodyLost && !restarted) {
                    continue;
                }
                before.fronts().forEach(front -> clients.add(ServiceMembers.clients(before, front, endpoints)));
            }
        }
        return clients;
    }

    /** Places that are new or gone, or have lost an endpoint. */
    private List<Called> stale(Collection<ServicePort> now, Map<Front.Place, Set<Called.Endpoint>> before) {
        Map<Front.Place, Set<Called.Endpoint>> after = called(now);
        List<Called> stale = new ArrayList<>();
        before.keySet().stream()
                .filter(place -> place.protocol() != IpProtocol.TCP && !after.containsKey(place))
                .forEach(place -> stale.add(called(place, Set.of())));
        after.forEach((place, allowed) -> {
            Set<Called.Endpoint> had = before.get(place);
            // A place of TCP that is new: what was sent there before went astray. Connections to its endpoints may
            // finish.
            boolean astray = place.protocol() == IpProtocol.TCP
                    ? had == null
                    : had == null || had.isEmpty() || !allowed.containsAll(had);
            if (astray) {
                stale.add(called(place, allowed));
            }
        });
        return stale;
    }

    private static Called called(Front.Place place, Set<Called.Endpoint> allowed) {
        return new Called(place.family(), place.address(), place.protocol(), place.port(), allowed);
    }
}

package io.podwire.route.reflect;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.route.rib.NodeEpoch;
import io.podwire.route.rib.Refusal;
import io.podwire.route.rib.Refusal.Reason;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * Where addresses of Services lie that BGP neighbours may be led to: prefixes that are named, and those of ipam-service's
 * pools where these are asked for. Outside of it no node is believed to serve an address. The reflector's loop owns it.
 */
final class ServiceFence {
    private final List<IpPrefix> named;
    private final boolean withPools;
    /** Empty before ipam-service's first word. */
    private Optional<List<IpPrefix>> pools = Optional.empty();

    private List<IpPrefix> prefixes;
    private boolean doubted;

    /**
     * A fence that knows no pool yet.
     *
     * @param named prefixes, none overlapping another
     * @param withPools whether there are pools beside them
     */
    ServiceFence(List<IpPrefix> named, boolean withPools) {
        this.named = List.copyOf(named);
        this.withPools = withPools;
        this.prefixes = widest(named);
    }

    /** False where BGP neighbours are told nothing of Services: what nodes say of them is of no use. */
    boolean isUsed() {
        return withPools || !named.isEmpty();
    }

    /** True where ipam-service has yet to say which pools there are. */
    private boolean isUnknown() {
        return withPools && pools.isEmpty();
    }

    /** The prefixes, sorted; none lies in another. */
    List<IpPrefix> prefixes() {
        return prefixes;
    }

    /**
     * Takes what ipam-service says of its pools for load balancers. A list that lacks more than half of those that were
     * known is not believed before a second one does.
     *
     * @return false when it is not believed
     */
    boolean take(List<IpPrefix> now) {
        List<IpPrefix> before = pools.orElse(List.of());
        long lost = before.stream().filter(prefix -> !now.contains(prefix)).count();
        boolean believed = doubted || 2 * lost <= before.size();
        doubted = !believed;
        if (believed) {
            pools = Optional.of(List.copyOf(now));
            List<IpPrefix> all = new ArrayList<>(named);
            all.addAll(now);
            prefixes = widest(all);
        }
        return believed;
    }

    /** Why an address that a life says it serves is not taken; empty: it is. */
    Optional<Refusal> refusal(NodeEpoch life, IpAddress address) {
        if (prefixes.stream().anyMatch(prefix -> prefix.contains(address))) {
            return Optional.empty();
        }
        return Optional.of(refusal(
                life,
                address,
                isUnknown() ? Reason.UNKNOWN : Reason.NOT_OF_SERVICES,
                isUnknown()
                        ? "ipam-service has not told yet of its pools for load balancers; it is asked again until it does"
                        : "it lies in none of the prefixes that BGP peers are told of services, "
                                + (withPools ? "of --bgp-services and of pools for load balancers" : "--bgp-services")
                                + ": " + some()));
    }

    /** A refusal of an address of a Service. */
    static Refusal refusal(NodeEpoch life, IpAddress address, Reason reason, String why) {
        return new Refusal(
                IpPrefix.ofHost(address),
                reason,
                "service address " + address + " of node " + life + " refused: " + why);
    }

    /** A message is read by people, and there may be one for each address. */
    private String some() {
        int most = 8;
        return prefixes.size() <= most
                ? prefixes.toString()
                : prefixes.subList(0, most) + " and " + (prefixes.size() - most) + " more";
    }

    /** The wider of two that overlap is told, and holds the other. */
    private static List<IpPrefix> widest(List<IpPrefix> all) {
        List<IpPrefix> kept = new ArrayList<>();
        for (IpPrefix prefix : all.stream()
                .sorted(Comparator.comparingInt(IpPrefix::length).thenComparing(prefix -> prefix))
                .toList()) {
            if (kept.stream().noneMatch(wider -> wider.contains(prefix))) {
                kept.add(prefix);
            }
        }
        return kept.stream().sorted().toList();
    }
}

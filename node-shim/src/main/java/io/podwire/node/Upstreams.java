package io.podwire.node;

import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.PodAddresses;
import io.podwire.common.service.ServiceRunner;
import io.podwire.node.address.AddressBook;
import io.podwire.node.address.BlockUse;
import io.podwire.node.cni.Node;
import io.podwire.node.dataplane.BridgeWiring;
import io.podwire.node.dataplane.CurrentUnderlay;
import io.podwire.node.dataplane.RouteReconciler;
import io.podwire.node.dataplane.RulesetReconciler;
import io.podwire.node.dataplane.VxlanDevice;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.Journal;
import io.podwire.node.plan.BarrierOutcome;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.RemoteNode;
import io.podwire.node.plan.SingleAnswer;
import io.podwire.node.plan.SingleWish;
import io.podwire.node.upstream.BarrierClient;
import io.podwire.node.upstream.BindingClient;
import io.podwire.node.upstream.IpamClient;
import io.podwire.node.upstream.NodeIdentity;
import io.podwire.node.upstream.PolicyClient;
import io.podwire.node.upstream.RouteClient;
import io.podwire.node.upstream.SingleAddresses;
import io.podwire.proto.node.v1.NodeStatus;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The three services as the node uses them: what an endpoint or a block that comes or goes means for
 * each, and whether the node can serve an ADD without them.
 */
final class Upstreams implements Node.Services {
    private static final Logger log = LoggerFactory.getLogger(Upstreams.class);

    /** Owner of the VXLAN device's addresses in the address book. */
    static final EndpointKey TUNNEL = new EndpointKey("podwire-node", "pwvx");

    private final NodeOptions options;
    private final NodeIdentity self;
    private final Journal journal;
    private final AddressBook<EndpointKey> book;
    private final TimeSource time;
    private final CurrentUnderlay underlay;
    private final VxlanDevice.Settings vxlan;
    private final RouteReconciler routes;
    private final RulesetReconciler ruleset;
    private final BridgeWiring wiring;
    private Optional<IpamClient> ipam = Optional.empty();
    private Optional<SingleAddresses> singles = Optional.empty();
    /** Whether the log was told of a warning; of the thread that calls {@link #tellWarnings}. */
    private boolean warned;

    private final BindingClient bindings;
    private final Optional<PolicyClient> policy;
    private final Optional<BarrierClient> barrier;
    private final Optional<RouteClient> route;

    Upstreams(
            NodeOptions options,
            NodeIdentity self,
            Journal journal,
            AddressBook<EndpointKey> book,
            TimeSource time,
            CurrentUnderlay underlay,
            VxlanDevice.Settings vxlan,
            RouteReconciler routes,
            RulesetReconciler ruleset,
            BridgeWiring wiring,
            BindingClient bindings,
            Optional<PolicyClient> policy,
            Optional<BarrierClient> barrier,
            Optional<RouteClient> route) {
        this.options = options;
        this.self = self;
        this.journal = journal;
        this.book = book;
        this.time = time;
        this.underlay = underlay;
        this.vxlan = vxlan;
        this.routes = routes;
        this.ruleset = ruleset;
        this.wiring = wiring;
        this.bindings = bindings;
        this.policy = policy;
        this.barrier = barrier;
        this.route = route;
    }

    /** What asks ipam-service, before any flow runs. */
    void use(IpamClient blocks, SingleAddresses single) {
        ipam = Optional.of(blocks);
        singles = Optional.of(single);
    }

    /** Tells what the journal knows, then connects. */
    void start(List<Attachment> known) {
        for (IpFamily family : IpFamily.values()) {
            journal.fact(tunnelFact(family)).map(IpAddress::parse).ifPresent(address -> book.restore(TUNNEL, address));
        }
        if (!(book.blocks().isEmpty() && book.lent().isEmpty())) {
            var _ = blocksChanged();
        }
        known.forEach(this::up);
        policy.ifPresent(PolicyClient::start);
        ipam.ifPresent(IpamClient::start);
        singles.ifPresent(SingleAddresses::start);
        bindings.start(why -> ipam.ifPresent(client -> client.over(why)));
    }

    private static String tunnelFact(IpFamily family) {
        return switch (family) {
            case V4 -> "tunnel-address";
            case V6 -> "tunnel-address-6";
        };
    }

    /**
     * The node has other blocks than before, or gives addresses of others: its tunnel gets its addresses, and the others
     * learn them, and the single addresses too. From several threads: the last call tells the newest.
     *
     * @return done once no other node takes another block for this one's, and the tunnel has no other address
     */
    synchronized CompletableFuture<Void> blocksChanged() {
        routes.ownBlocks(Set.copyOf(book.blocks()));
        if (route.isEmpty()) {
            return CompletableFuture.completedFuture(null);
        }
        Optional<PodAddresses> tunnel = options.routeMode().tunnels() ? tunnelAddresses() : Optional.empty();
        CompletableFuture<Void> moved =
                tunnel.map(routes::tunnelAddresses).orElseGet(() -> CompletableFuture.completedFuture(null));
        List<IpPrefix> prefixes = announced(
                book.blocks(), book.lent(), ipam.map(IpamClient::fenced).orElse(false));
        CompletableFuture<Void> told = route.get()
                .announce(new RemoteNode(
                        self.name(),
                        underlay.last().ends(),
                        tunnel.flatMap(addresses -> tunnelEnd(addresses, prefixes))
                                .map(address -> new RemoteNode.Vtep(vxlan.mac(), address)),
                        prefixes));
        return CompletableFuture.allOf(moved, told);
    }

    /** The node is elsewhere on the underlay: the others learn it, and its ways to them are other ones. */
    void underlayMoved() {
        var _ = blocksChanged();
        route.ifPresent(RouteClient::moved);
    }

    /**
     * What others reach by this node. Once ipam-service serves this life no more, a single address may be another's: no list
     * says which still is this node's, as one does of blocks.
     */
    static List<IpPrefix> announced(List<IpPrefix> blocks, Collection<IpAddress> singles, boolean fenced) {
        return fenced
                ? blocks
                : Stream.concat(blocks.stream(), singles.stream().map(IpPrefix::ofHost))
                        .toList();
    }

    /**
     * The tunnel's address that others may use: one of what the node announces, IPv4 first. A block that the node has lost may
     * have been the tunnel's; the reflector takes no announcement with it, so none would withdraw the block.
     */
    static Optional<IpAddress> tunnelEnd(PodAddresses tunnel, List<IpPrefix> announced) {
        return tunnel.stream()
                .filter(address -> announced.stream().anyMatch(prefix -> prefix.contains(address)))
                .findFirst();
    }

    /**
     * Unlike a pod's, one of them is better than none: the tunnel carries both families with either. It leaves a block
     * that drains when another has an address, and until then that block is not empty.
     */
    private Optional<PodAddresses> tunnelAddresses() {
        List<IpAddress> taken = new ArrayList<>();
        for (IpFamily family : options.families()) {
            book.renew(TUNNEL, family, time.monotonic()).ifPresent(address -> {
                if (!journal.fact(tunnelFact(family)).equals(Optional.of(address.toString()))) {
                    journal.putFact(tunnelFact(family), address.toString());
                }
                taken.add(address);
            });
        }
        return taken.isEmpty() ? Optional.empty() : Optional.of(new PodAddresses(taken));
    }

    @Override
    public void up(Attachment a) {
        policy.ifPresent(p -> p.announce(a.key(), a.pod(), a.addresses()));
    }

    @Override
    public void upSoon(Attachment a) {
        policy.ifPresent(p -> p.announceSoon(a.key(), a.pod(), a.addresses()));
    }

    @Override
    public CompletableFuture<BarrierOutcome> enforcedElsewhere(Attachment a, Duration longest) {
        return barrier.map(b -> b.await(a.key(), a.addresses(), longest))
                .orElseGet(() -> CompletableFuture.completedFuture(new BarrierOutcome.Complete()));
    }

    @Override
    public void down(EndpointKey key) {
        policy.ifPresent(p -> p.withdraw(key));
    }

    @Override
    public boolean atQuota(String namespace) {
        return bindings.atQuota(namespace);
    }

    @Override
    public void addressesTaken() {
        ipam.ifPresent(IpamClient::used);
    }

    @Override
    public void addressesReleased() {
        bindings.changed();
    }

    @Override
    public boolean supply(Duration longest) {
        return ipam.map(client -> client.supply(longest)).orElse(false);
    }

    @Override
    public String supplyOf(String pool, Duration longest) {
        return ipam.map(client -> client.supplyOf(pool, longest)).orElse("ipam-service was not asked yet");
    }

    @Override
    public SingleAnswer allocate(SingleWish wish, Duration longest) {
        return singles.map(single -> single.allocate(wish, longest))
                .orElseGet(() -> new SingleAnswer.NotNow("ipam-service was not asked yet"));
    }

    @Override
    public void releaseSingles(EndpointKey key) {
        singles.ifPresent(single -> single.release(key));
    }

    @Override
    public CompletableFuture<Void> announceSingles() {
        return blocksChanged();
    }

    @Override
    public void meet(String namespace) {
        if (ipam.isPresent()) {
            ipam.get().meet(namespace);
        }
    }

    @Override
    public String supplyProblem() {
        return ipam.map(IpamClient::problem).orElse("");
    }

    /** True when an address of each family can be taken. */
    boolean hasAddresses() {
        return free() > 0;
    }

    /** How many pods could have addresses now. */
    private int free() {
        return options.families().stream()
                .mapToInt(family -> book.free(family, time.monotonic()))
                .min()
                .orElseThrow();
    }

    /** True when programs arrive, or none are asked for. */
    boolean policyReady() {
        return policy.map(PolicyClient::connected).orElse(true);
    }

    /** Why an ADD would not be served now, one sentence each; empty when it would. */
    List<String> reasons() {
        List<String> reasons = new ArrayList<>();
        journal.problem().ifPresent(reasons::add);
        if (!ruleset.healthy()) {
            reasons.add("the kernel refused the ruleset, see node-shim's log");
        }
        if (!hasAddresses()) {
            String problem = supplyProblem();
            String missing = options.families().stream()
                    .filter(family -> book.free(family, time.monotonic()) == 0)
                    .map(IpFamily::label)
                    .collect(Collectors.joining(" and "));
            reasons.add("no free " + missing + " address in this node's blocks " + book.blocks() + drainingToo()
                    + (problem.isEmpty() ? "" : "; " + problem));
        }
        if (!policyReady()) {
            reasons.add("policy-service at " + options.policyService().orElseThrow()
                    + " is not reached: a pod that it does not cover does not start");
        }
        if (!wiring.bridgeNetfilterOff()) {
            reasons.add("another program set net.bridge.bridge-nf-call-iptables or bridge-nf-call-ip6tables to 1: set"
                    + " both to 0, or pods lose translated packets");
        }
        return reasons;
    }

    private String drainingToo() {
        Set<IpPrefix> draining = draining();
        return draining.isEmpty()
                ? ""
                : ", of which " + new TreeSet<>(draining) + " are of pools that drain and give none to a new pod";
    }

    private Set<IpPrefix> draining() {
        return ipam.map(IpamClient::draining).orElse(Set.of());
    }

    /** What is wrong though ADDs are served, one sentence each. */
    private List<String> warnings(List<BlockUse> uses) {
        List<String> warnings = new ArrayList<>();
        singles.map(SingleAddresses::problem).filter(why -> !why.isEmpty()).ifPresent(warnings::add);
        refused()
                .forEach((prefix, why) -> warnings.add(
                        "other nodes do not reach " + prefix + ", for route-reflector refuses it: " + why));
        String problem = supplyProblem();
        if (problem.isEmpty() || !hasAddresses()) {
            return warnings;
        }
        String left = options.families().stream()
                .map(family -> free(uses, family) + " " + family.label())
                .collect(Collectors.joining(" and "));
        warnings.add(problem + ": pods get the addresses that are left, " + left + ", and running pods keep theirs;"
                + " ipam-service at " + options.ipamService() + " is asked again every few seconds, and once none is"
                + " left an ADD ends with code 11 and STATUS with 50");
        return warnings;
    }

    /** Says in the log that something is wrong though ADDs are served, with the addresses that are left, and when it is over. */
    void tellWarnings() {
        List<String> now = warnings(book.usage(time.monotonic()));
        if (now.isEmpty() == warned) {
            warned = !now.isEmpty();
            if (warned) {
                log.warn("ADDs go on, but: {}", String.join("; ", now));
            } else if (hasAddresses()) {
                log.info("ADDs go on, and nothing is wrong any more");
            }
        }
    }

    /** Why other nodes are not led to prefixes that this one announces. */
    SortedMap<IpPrefix, String> refused() {
        return route.map(RouteClient::refused).orElse(Collections.emptySortedMap());
    }

    private static int free(List<BlockUse> uses, IpFamily family) {
        return uses.stream()
                .filter(use -> use.gives() && use.block().family() == family)
                .mapToInt(BlockUse::free)
                .sum();
    }

    /** All of it for operators. */
    NodeStatus status() {
        List<String> reasons = reasons();
        NodeStatus.Builder status = NodeStatus.newBuilder()
                .setNode(self.toProto())
                .setRelease(ServiceRunner.RELEASE)
                .setReady(reasons.isEmpty())
                .addAllReasons(reasons)
                .setFreeAddresses(free())
                .setPolicyRevision(ruleset.revision())
                .setPolicyEnforced(policy.isPresent());
        List<BlockUse> uses = book.usage(time.monotonic());
        uses.forEach(use -> status.addBlocks(use.block().toString()));
        status.addAllWarnings(warnings(uses));
        route.map(RouteClient::refusedServices)
                .ifPresent(services ->
                        services.forEach((prefix, why) -> status.addWarnings("BGP peers are not led here for "
                                + prefix.address() + ", for route-reflector refuses it: " + why)));
        status.addAllFullNamespaces(bindings.atQuota());
        for (IpFamily family : options.families()) {
            List<BlockUse> of =
                    uses.stream().filter(use -> use.block().family() == family).toList();
            status.addAddressesBuilder()
                    .setFamily(
                            switch (family) {
                                case V4 -> io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV4;
                                case V6 -> io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV6;
                            })
                    .setFree(free(uses, family))
                    .setUsed(of.stream().mapToInt(BlockUse::used).sum())
                    .setCooling(of.stream().mapToInt(BlockUse::cooling).sum())
                    .setLowWater(options.lowWater());
        }
        draining().stream().sorted().forEach(block -> status.addDrainingBlocks(block.toString()));
        ipam.map(IpamClient::returning).orElse(Set.of()).stream()
                .sorted()
                .forEach(block -> status.addReturningBlocks(block.toString()));
        status.addUpstreamsBuilder()
                .setName("ipam")
                .setTarget(options.ipamService())
                .setConnected(ipam.map(IpamClient::connected).orElse(false));
        status.addUpstreamsBuilder()
                .setName("bindings")
                .setTarget(options.ipamReplicas())
                .setConnected(bindings.connected());
        policy.ifPresent(p -> status.addUpstreamsBuilder()
                .setName("policy")
                .setTarget(options.policyService().orElseThrow())
                .setConnected(p.connected()));
        route.ifPresent(r -> status.addUpstreamsBuilder()
                .setName("route")
                .setTarget(options.routeReflector().orElseThrow())
                .setConnected(r.connected()));
        return status.build();
    }
}

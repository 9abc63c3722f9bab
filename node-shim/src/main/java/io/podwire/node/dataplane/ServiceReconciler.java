package io.podwire.node.dataplane;

import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netlink.NftEvent;
import io.podwire.node.netlink.NftRules;
import io.podwire.node.netlink.NftTables;
import io.podwire.node.netlink.nft.KernelSet;
import io.podwire.node.netlink.nft.NftMessage;
import io.podwire.node.netlink.nft.Octets;
import io.podwire.node.netlink.nft.SetElement;
import io.podwire.node.netlink.nft.SetElements;
import io.podwire.node.netlink.nft.SetVerdict;
import io.podwire.node.nft.backend.KernelNft;
import io.podwire.node.nft.backend.NftException;
import io.podwire.node.service.Called;
import io.podwire.node.service.Clients;
import io.podwire.node.service.Member;
import io.podwire.node.service.ServiceChains;
import io.podwire.node.service.ServiceChains.Needed;
import io.podwire.node.service.ServiceMap;
import io.podwire.node.service.ServicePort;
import io.podwire.node.service.ServiceState;
import io.podwire.node.service.ServiceTable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the kernel's table of services equal to what the node is told of them. The kernel's table outlives this process:
 * what it has is read once, when the first whole state comes, and what is right there already stays untouched.
 *
 * <p>The loop given to the constructor owns all state.
 */
public final class ServiceReconciler {
    private static final Logger log = LoggerFactory.getLogger(ServiceReconciler.class);
    private static final Duration RETRY = Duration.ofSeconds(1);
    /** All interfaces by which packets of pods come, in the hooks of routed packets. */
    private static final List<String> POD_SIDES = List.of(PodNames.BRIDGE, "pw1*", "pwm*");

    private static final int INET = NftMessage.INET;

    private final KernelNft nft;
    private final NftRules kernel;
    private final NftTables tables;
    private final EventLoop loop;
    private final Supplier<Collection<IpPrefix>> nodeAddresses;
    private final Consumer<Collection<Called>> flows;

    private final ServiceState state = new ServiceState();
    private final Set<String> chains = new HashSet<>();
    private List<IpPrefix> openAt = List.of();
    /** False before the first whole state, and after a refusal: then the kernel is asked what it has. */
    private boolean known;

    private boolean began;
    /** How many members the last change wrote. */
    private int written;

    private boolean retrying;
    /** See {@link #whenReady}. */
    private Consumer<List<IpAddress>> ready = _ -> {};
    /** Those of {@link ServiceState#localAddresses} that the kernel had the rules of last; empty before the first whole state. */
    private Optional<List<IpAddress>> localInKernel = Optional.empty();

    private Optional<List<IpAddress>> toldReady = Optional.empty();

    private volatile int served;
    private volatile boolean healthy = true;

    /**
     * A reconciler that has not touched the kernel.
     *
     * @param nodeAddresses where node ports are open; asked on the loop
     * @param flows has conntrack forget what is led astray; called on the loop, when the kernel has the change
     */
    public ServiceReconciler(
            KernelNft nft,
            NftRules kernel,
            NftTables tables,
            EventLoop loop,
            Supplier<Collection<IpPrefix>> nodeAddresses,
            Consumer<Collection<Called>> flows) {
        this.nft = nft;
        this.kernel = kernel;
        this.tables = tables;
        this.loop = loop;
        this.nodeAddresses = nodeAddresses;
        this.flows = flows;
    }

    /**
     * Tells of addresses at which clients outside are served here and not on every node. Call it before the first state.
     *
     * @param hears all of them, sorted, once the first whole state is in the kernel, and from then on at each change: of what
     *     comes when the kernel has it, of what goes before it is taken from the kernel. Called on the loop
     */
    public void whenReady(Consumer<List<IpAddress>> hears) {
        ready = hears;
    }

    /** Removes the table, if there is one: another serves Services here. */
    public static void switchOff(KernelNft nft, NftTables tables) throws NftException {
        if (tables.flags(INET, ServiceChains.TABLE).isPresent()) {
            nft.script("delete table inet " + ServiceChains.TABLE + "\n");
            log.info("Services are not translated here any more");
        }
    }

    /** These are all the ports; completes with how many members of the kernel's maps were not right. */
    public CompletableFuture<Integer> replace(Collection<ServicePort> ports) {
        return loop.submit(() -> {
            began = true;
            if (known) {
                apply(state.replace(ports));
            } else {
                readAndReplace(ports);
            }
            return written;
        });
    }

    /** These ports are new or otherwise than before, and those are gone; completes as {@link #replace}. */
    public CompletableFuture<Integer> change(Collection<ServicePort> changed, Collection<String> removed) {
        return loop.submit(() -> {
            apply(state.change(changed, removed));
            return written;
        });
    }

    /** Looks at the table, as after another program's change of it, and puts right what is not. */
    public void told(NftEvent event) {
        switch (event) {
            case NftEvent.TableChanged(String family, String name, boolean own, String process) -> {
                if (!own && family.equals("inet") && name.equals(ServiceChains.TABLE)) {
                    log.warn("{} has changed table {}, it is read again", process, name);
                    readAgain();
                }
            }
            case NftEvent.Lost _ -> readAgain();
        }
    }

    private void readAgain() {
        loop.execute(() -> {
            if (began) {
                known = false;
                again();
            }
        });
    }

    /** The node may have other addresses than before. */
    public void look() {
        loop.execute(() -> {
            if (known && !openAt.equals(List.copyOf(nodeAddresses.get()))) {
                try {
                    writeTable();
                } catch (NftException e) {
                    failed(e);
                }
            }
        });
    }

    /** How many ports of Services the kernel has. */
    public int served() {
        return served;
    }

    /** False while the kernel does not have what it should have. */
    public boolean healthy() {
        return healthy;
    }

    /** The ports as they are served. */
    public Collection<ServicePort> ports() {
        return loop.submit(state::ports).join();
    }

    private void apply(ServiceState.Outcome outcome) {
        outcome.passedOver().forEach(log::warn);
        tellReady();
        if (!known) {
            if (!retrying) {
                readAndReplace(state.ports());
            }
            return;
        }
        try {
            write(outcome);
        } catch (NftException | NetlinkException e) {
            failed(e);
        }
    }

    private void readAndReplace(Collection<ServicePort> ports) {
        try {
            boolean there = tables.flags(INET, ServiceChains.TABLE).isPresent();
            if (!there && ports.isEmpty()) {
                state.replace(ports, Map.of());
                localInKernel = Optional.of(List.of());
                tellReady();
                return;
            }
            writeTable();
            ServiceState.Outcome outcome = state.replace(ports, there ? members() : Map.of());
            outcome.passedOver().forEach(log::warn);
            tellReady();
            chains.clear();
            known = true;
            write(outcome);
            log.info(
                    "{} ports of Services are served; {} members of the kernel's maps were not right",
                    served,
                    outcome.change().size());
        } catch (NftException | NetlinkException e) {
            // The next try is for what is wanted then, and only the state knows that.
            var _ = state.replace(ports);
            failed(e);
        }
    }

    /** Others may have another table of this name, of an older release for one, which cannot become this one in place. */
    private void writeTable() throws NftException {
        List<IpPrefix> addresses = List.copyOf(nodeAddresses.get());
        String script = ServiceTable.script(POD_SIDES, PodNames.VXLAN, addresses);
        try {
            nft.script(script);
        } catch (NftException e) {
            if (tables.flags(INET, ServiceChains.TABLE).isEmpty()) {
                throw e;
            }
            log.warn("table {} cannot become what it must be, it is replaced: {}", ServiceChains.TABLE, e.getMessage());
            known = false;
            nft.script("delete table inet " + ServiceChains.TABLE + "\n" + script);
        }
        openAt = addresses;
    }

    private void write(ServiceState.Outcome outcome) throws NftException {
        written = outcome.change().size();
        Map<String, Needed> missing = new HashMap<>(outcome.change().chains());
        missing.keySet().removeAll(chains);
        if (!missing.isEmpty()) {
            nft.script(ServiceChains.script(missing.values().stream()
                    // What leads to another comes behind it.
                    .sorted(Comparator.comparing((Needed chain) -> !chain.name().startsWith("pick-"))
                            .thenComparing(Needed::name))
                    .toList()));
            for (Needed chain : missing.values()) {
                List<NftMessage> rules = ServiceChains.written(chain);
                if (!rules.isEmpty()) {
                    nft.change(rules);
                }
            }
            chains.addAll(missing.keySet());
        }
        for (List<SetElements> transaction : outcome.change().transactions()) {
            nft.change(transaction);
        }
        forgetClients(outcome.clients());
        served = state.size();
        healthy = true;
        localInKernel = Optional.of(state.localAddresses());
        tellReady();
        if (!outcome.called().isEmpty()) {
            flows.accept(outcome.called());
        }
    }

    /** Those that the kernel serves and shall go on serving. */
    private void tellReady() {
        Set<IpAddress> wanted = Set.copyOf(state.localAddresses());
        Optional<List<IpAddress>> now = localInKernel.map(
                there -> there.stream().filter(wanted::contains).toList());
        if (!now.equals(toldReady)) {
            toldReady = now;
            now.ifPresent(ready);
        }
    }

    /** What is remembered ends by itself as well, at any time: so each is removed alone. */
    private void forgetClients(Collection<Clients> all) {
        Map<String, List<Clients>> byMap = new HashMap<>();
        all.forEach(
                one -> byMap.computeIfAbsent(one.map(), _ -> new ArrayList<>()).add(one));
        byMap.forEach((map, clients) -> {
            for (KernelSet.Member member : kernel.members(INET, ServiceChains.TABLE, map)) {
                if (clients.stream().anyMatch(one -> one.isLost(member.key(), member.data()))) {
                    try {
                        nft.change(List.of(new SetElements(
                                INET,
                                ServiceChains.TABLE,
                                map,
                                true,
                                List.of(new SetElement(member.key(), Optional.empty(), Octets.of())))));
                    } catch (NftException e) {
                        log.debug("a client was forgotten already: {}", e.getMessage());
                    }
                }
            }
        });
    }

    private void failed(Exception e) {
        log.error("the kernel refused a change of Services; its table is read again in {} s", RETRY.toSeconds(), e);
        healthy = false;
        known = false;
        again();
    }

    private void again() {
        if (!retrying) {
            retrying = true;
            loop.schedule(RETRY, () -> {
                retrying = false;
                if (!known) {
                    readAndReplace(state.ports());
                }
            });
        }
    }

    private Map<Member.Place, Member.Value> members() {
        Map<Member.Place, Member.Value> members = new HashMap<>();
        for (ServiceMap map : ServiceMap.values()) {
            for (IpFamily family : IpFamily.values()) {
                for (KernelSet.Member member : kernel.members(INET, ServiceChains.TABLE, map.name(family))) {
                    members.put(new Member.Place(map, family, member.key()), value(member));
                }
            }
        }
        return members;
    }

    private static Member.Value value(KernelSet.Member member) {
        if (member.verdict().isPresent()) {
            SetVerdict verdict = member.verdict().get();
            return new Member.Chain(verdict.chain(), verdict.code() == SetVerdict.JUMP);
        }
        return member.data().length() == 0 ? Member.NONE : new Member.Data(member.data());
    }
}

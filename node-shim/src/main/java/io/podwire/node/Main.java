package io.podwire.node;

import com.google.common.util.concurrent.Striped;
import io.grpc.ManagedChannel;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.LifoThreads;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.service.ServiceContext;
import io.podwire.common.service.ServiceRunner;
import io.podwire.node.address.AddressBook;
import io.podwire.node.api.AuditLoop;
import io.podwire.node.api.NodeGrpcService;
import io.podwire.node.cni.AddFlow;
import io.podwire.node.cni.CheckFlow;
import io.podwire.node.cni.Claims;
import io.podwire.node.cni.CniGrpcService;
import io.podwire.node.cni.DelFlow;
import io.podwire.node.cni.GcFlow;
import io.podwire.node.cni.MtuFollower;
import io.podwire.node.cni.Node;
import io.podwire.node.cni.PodRepair;
import io.podwire.node.cni.Reaper;
import io.podwire.node.cni.Spool;
import io.podwire.node.cni.StatusFlow;
import io.podwire.node.dataplane.BridgeWiring;
import io.podwire.node.dataplane.CurrentUnderlay;
import io.podwire.node.dataplane.DeviceWiring;
import io.podwire.node.dataplane.DriftWatch;
import io.podwire.node.dataplane.DriftWatch.Part;
import io.podwire.node.dataplane.DriftWatch.Result;
import io.podwire.node.dataplane.FailPoints;
import io.podwire.node.dataplane.FastPath;
import io.podwire.node.dataplane.FastPathDevices;
import io.podwire.node.dataplane.PodExtras;
import io.podwire.node.dataplane.PodMtus;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.dataplane.RouteReconciler;
import io.podwire.node.dataplane.RoutedWiring;
import io.podwire.node.dataplane.RulesetReconciler;
import io.podwire.node.dataplane.ServiceReconciler;
import io.podwire.node.dataplane.StaleConnections;
import io.podwire.node.dataplane.StaleServiceFlows;
import io.podwire.node.dataplane.Sysctl;
import io.podwire.node.dataplane.Underlay;
import io.podwire.node.dataplane.VxlanDevice;
import io.podwire.node.dataplane.Wirings;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.AttachmentTable;
import io.podwire.node.journal.IntentFolder;
import io.podwire.node.journal.Journal;
import io.podwire.node.journal.NodeIdentityFile;
import io.podwire.node.journal.SingleHold;
import io.podwire.node.netlink.Conntrack;
import io.podwire.node.netlink.LinkEvents;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netlink.NftLog;
import io.podwire.node.netlink.NftMonitor;
import io.podwire.node.netlink.NftRules;
import io.podwire.node.netlink.NftTables;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.RtnetlinkMonitor;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netns.Netns;
import io.podwire.node.nft.backend.KernelNft;
import io.podwire.node.nft.backend.NftException;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Action;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Rule;
import io.podwire.node.nft.model.TableFamily;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.plan.DenialLog;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.LocalEndpoint;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.upstream.BarrierClient;
import io.podwire.node.upstream.BindingClient;
import io.podwire.node.upstream.Channels;
import io.podwire.node.upstream.EndpointAnnouncer;
import io.podwire.node.upstream.IpamClient;
import io.podwire.node.upstream.KernelAnswers;
import io.podwire.node.upstream.NodeIdentity;
import io.podwire.node.upstream.PolicyClient;
import io.podwire.node.upstream.QuestionClient;
import io.podwire.node.upstream.RouteClient;
import io.podwire.node.upstream.ServiceClient;
import io.podwire.node.upstream.SingleAddresses;
import io.podwire.node.witness.DeniedPackets;
import io.podwire.node.witness.Drops;
import io.podwire.node.witness.KernelWitness;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** node-shim: the daemon of a node. */
public final class Main {
    private static final Logger log = LoggerFactory.getLogger(Main.class);
    /** Of denied packets alone, so that they can be sent elsewhere. */
    private static final Logger denials = LoggerFactory.getLogger("podwire.denied");

    /** A link's removal waits some 20 ms in the kernel: so many can wait at the same time. */
    private static final int KERNEL_THREADS = 24;
    /** That work; those that wait for a service step aside. With a hundred at once 48 were no faster, with 4 MiB more of stacks. */
    private static final int ADD_THREADS = 16;

    private static final int OTHER_THREADS = 24;
    private static final Duration THREAD_IDLE = Duration.ofSeconds(10);
    private static final int STACK_BYTES = 256 * 1024;
    private static final Duration GARBAGE = Duration.ofSeconds(1);
    private static final Duration UPKEEP = Duration.ofSeconds(5);
    private static final Duration FIRST_FAST_PATH = Duration.ofMillis(200);
    private static final Duration FAST_PATH = Duration.ofSeconds(2);
    /** Packets of a pod in {@link #FAST_PATH}, of both directions, from which on it has the fast path. */
    private static final long BUSY = 2_000;

    private static final Duration OWN_AUDIT = Duration.ofSeconds(30);
    /** For ipam-service's answer in an audit; the command that asks waits five. */
    private static final Duration AUDIT = Duration.ofSeconds(3);

    /** From an ADD's answer to its commit in the journal: the answer's processors are its own, and a burst takes one commit. */
    private static final Duration SETTLING = Duration.ofMillis(10);

    private static final Duration SWEEP = Duration.ofMinutes(1);
    /** From a DEL to the look at the kernel's connections that it shares with others, at most. */
    private static final Duration FORGETTING = Duration.ofSeconds(1);

    /** Counters of rules that go meanwhile are lost. */
    private static final Duration DROPS = Duration.ofSeconds(10);

    private static final String BLOCKS =
            "blocks of this node: owned, those of them whose pool drains, and those on their way back";

    private Main() {}

    /** Runs node-shim until SIGTERM; the kernel stays as it is then. */
    public static void main(String[] args) {
        ServiceRunner.run("node-shim", args, new NodeOptions(), Main::wire);
    }

    static void wire(NodeOptions options, ServiceContext context) throws IOException {
        TimeSource time = TimeSource.SYSTEM;
        FailPoints failPoints = FailPoints.of(options.failPoints());
        Files.createDirectories(
                options.stateDir(), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Rtnetlink host = context.own(Rtnetlink.open());
        IntentFolder intents = new IntentFolder(options.stateDir().resolve("intents"));
        Journal journal;
        switch (JournalStart.open(options.stateDir().resolve("journal.mv"), intents, host.links())) {
            case JournalStart.Result.Good(Journal good) -> journal = context.own(good);
            case JournalStart.Result.Damaged(String why) -> {
                DamagedNode.wire(options, context, host, why);
                return;
            }
        }
        String bootId =
                Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
        NodeIdentityFile identity = new NodeIdentityFile(options.stateDir().resolve("node-identity"));
        AttachmentTable.recover(journal, intents);
        Journal.Life life = journal.begin(bootId, identity.read());
        identity.write(life);
        NodeIdentity self = new NodeIdentity(options.nodeName(), life.nodeUid(), bootId, life.counter());
        log.info(
                "node {} is in epoch {}, {}",
                self.name(),
                self.counter(),
                life.sameBoot()
                        ? "the journal is of this boot"
                        : "this is another boot than the journal's: what is attached still is found out by looking");

        // The kernel.
        Netns own = context.own(Netns.own());
        CurrentUnderlay underlay = new CurrentUnderlay(host, options.underlay());
        AtomicInteger podMtu = new AtomicInteger(podMtu(options, underlay.last()));
        EventLoop settling = context.own(new EventLoop("journal"));
        AttachmentTable attachments = new AttachmentTable(
                journal,
                intents,
                task -> settling.schedule(SETTLING, () -> {
                    failPoints.reach("add.settle");
                    task.run();
                }));
        Set<IpFamily> served = served(options, attachments);
        LifoThreads kernelThreads = context.own(threads("kernel-", KERNEL_THREADS));
        Sysctl sysctl = new Sysctl(options.sysctlDir());
        RtnetlinkPool sockets = context.own(new RtnetlinkPool());
        LinkEvents events = context.own(LinkEvents.open());
        BridgeWiring bridge = new BridgeWiring(sockets, events, kernelThreads, sysctl, served, failPoints);
        bridge.prepare(podMtu.get(), Set.of(underlay.last().ifname()));
        DeviceWiring device = new DeviceWiring(sockets, sysctl, served, failPoints);
        device.prepare(attachments.all());
        Wirings wiring = new Wirings(
                bridge, new RoutedWiring(sockets, events, kernelThreads, sysctl, served, failPoints), device);
        PodExtras extras = new PodExtras(sockets, kernelThreads, sysctl, failPoints);
        EventLoop upkeep = new EventLoop("upkeep");
        // What the journal knows.
        AddressBook<EndpointKey> book = restoredBook(options, journal, attachments, time);
        StaleConnections connections = new StaleConnections(
                context.own(Conntrack.open()),
                sockets,
                task -> upkeep.schedule(forgetting(book.shortestCoolDown()), task));
        // A program goes from its stream to the kernel on one thread: waking a second one costs more than the work.
        EventLoop rules = context.own(new EventLoop("rules"));
        FastPath fastPath = context.own(new FastPath());
        KernelNft nft = context.own(KernelNft.open(fastPath));
        Supplier<List<LocalEndpoint>> endpoints =
                () -> attachments.all().stream().map(Node::endpoint).toList();
        RulesetReconciler ruleset = new RulesetReconciler(
                nft,
                rules,
                served,
                options.vxlanPort(),
                options.masquerade(),
                options.establishedFlows(),
                options.services(),
                denialLog(options, context, nft, endpoints, time));
        VxlanDevice.Settings vxlan =
                new VxlanDevice.Settings(options.vxlanVni(), options.vxlanPort(), PodNames.vtepMac(self.name()));
        RouteReconciler routes = new RouteReconciler(
                host, context.own(new EventLoop("routes")), underlay, options.routeMode(), vxlan, served, sysctl);

        if (options.policyService().isEmpty()) {
            log.warn("no --policy-service: no policy is enforced on this node");
        }
        ruleset.start(
                attachments.all().stream().map(Node::endpoint).toList(),
                options.policyService().map(_ -> journal.program().orElse(NodeProgram.EMPTY)));

        // The services.
        Optional<ManagedChannel> policyChannel =
                options.policyService().map(target -> owned(context, Channels.openFirstOf(target)));
        Optional<EndpointAnnouncer> announcer =
                options.policyService().map(target -> context.own(new EndpointAnnouncer(rules, self, target)));
        Optional<PolicyClient> policy = policyChannel.map(
                channel -> new PolicyClient(channel, rules, self, journal, ruleset, announcer.orElseThrow()::tell));
        Optional<BarrierClient> barrier = policyChannel.map(channel -> new BarrierClient(
                rules,
                time,
                self.name(),
                () -> {
                    Map<String, ManagedChannel> several =
                            announcer.orElseThrow().channels();
                    return several.isEmpty() ? Map.of(options.policyService().orElseThrow(), channel) : several;
                },
                context.meters()));
        Optional<RouteClient> route = options.routeReflector()
                .map(targets -> context.own(new RouteClient(
                        targets,
                        context.own(new EventLoop("route")),
                        time,
                        self,
                        new RouteClient.Place(
                                options.routeMode(), () -> underlay.last().ends(), served),
                        options.staleRoutesAfter(),
                        routes)));
        BindingClient bindings = context.own(new BindingClient(
                context.own(new EventLoop("bindings")), time, self, options.ipamReplicas(), book, attachments::get));
        attachments.afterSettling(bindings::changed);
        Upstreams upstreams = new Upstreams(
                options, self, journal, book, time, underlay, vxlan, routes, ruleset, bridge, bindings, policy, barrier,
                route);
        ManagedChannel ipamChannel = channel(context, options.ipamService());
        IpamClient ipam = new IpamClient(
                ipamChannel,
                context.own(new EventLoop("ipam")),
                time,
                self,
                journal,
                book,
                options.pools(),
                options.lowWater(),
                upstreams::blocksChanged);
        SingleAddresses singles = new SingleAddresses(
                ipamChannel,
                context.own(new EventLoop("singles")),
                time,
                self,
                journal,
                book,
                attachments.all(),
                ipam::fenced,
                upstreams::blocksChanged);
        upstreams.use(ipam, singles);
        underlay.whenMoved(upstreams::underlayMoved);

        Optional<ServiceClient> services = services(options, context, nft, policyChannel, self, underlay, sockets);
        route.ifPresent(client -> services.ifPresentOrElse(
                here -> here.whenReady(client::serves),
                // What an earlier life served with rules that are removed is not left unsaid.
                () -> client.serves(List.of())));

        // What people and policy-service ask about the kernel.
        NftRules kernelRules = context.own(NftRules.open());
        Drops drops = new Drops(kernelRules, time, context.meters());
        KernelAnswers kernel = new KernelAnswers(
                new KernelWitness(
                        kernelRules,
                        context.own(NftTables.open()),
                        endpoints,
                        address -> host.addresses().stream()
                                .anyMatch(one -> one.address().equals(address)),
                        PodNames.BRIDGE,
                        ruleset::revision),
                drops,
                context.own(Conntrack.open()),
                endpoints);

        // The flows. Unfinished ADDs are undone and waiting DELs are done before the socket opens.
        Node node = new Node(
                own,
                attachments,
                book,
                options.families(),
                Claims.of(attachments.all()),
                wiring,
                extras,
                connections,
                ruleset,
                upstreams,
                Striped.lazyWeakLock(1 << 14),
                podMtu::get,
                time,
                failPoints);
        attachments.all(Attachment.State.INTENT).forEach(unfinished -> {
            log.info("undoing the unfinished ADD of {}", unfinished.key());
            node.remove(unfinished);
        });
        DelFlow del = new DelFlow(node);
        Spool spool = new Spool(options.spoolDir());
        LifoThreads adds = context.own(threads("add-", ADD_THREADS));
        LifoThreads others = context.own(threads("cni-", OTHER_THREADS));
        CniGrpcService cni = new CniGrpcService(
                new AddFlow(node, options.startBarrier()),
                del,
                new CheckFlow(node),
                new GcFlow(node, del),
                new StatusFlow(upstreams::reasons),
                spool,
                adds,
                others,
                context.meters());
        cni.drainSpool();
        // Ends before what its tasks use.
        context.own(upkeep);
        // An earlier life may have ended before it came to it.
        connections.forget(journal.cooling());
        upkeep.every(UPKEEP, () -> {
            attachments.catchUp();
            cni.drainSpool();
        });
        upkeep.every(SWEEP, spool::sweep);
        // An ADD that comes meanwhile waits: one in some hundred, as so many leave that much.
        OldGarbage.ofThisJvm(() -> adds.busy() + others.busy() == 0)
                .ifPresent(garbage -> upkeep.every(GARBAGE, garbage::look));
        MtuFollower mtu = new MtuFollower(
                node,
                bridge,
                new PodMtus(sockets),
                podMtu,
                NodeOptions.leastMtu(served),
                () -> options.mtu() == 0 ? underlay.look().podMtu(options.routeMode()) : options.mtu(),
                routes::look);
        upkeep.every(UPKEEP, mtu::look);
        routes.whenChanged(fastPath::forget);
        if (options.fastPath()) {
            FastPathDevices devices = context.own(new FastPathDevices(
                    fastPath,
                    sockets,
                    sysctl,
                    options.vxlanPort(),
                    BUSY,
                    () -> new FastPathDevices.Wanted(
                            attachments.all(Attachment.State.ATTACHED),
                            underlay.last().ifindex(),
                            routes.tunnelIndex(),
                            bridge.bridgeIndex(),
                            own.inode())));
            // Not in the way of the start.
            upkeep.schedule(FIRST_FAST_PATH, devices::look);
            upkeep.every(FAST_PATH, devices::look);
            FunctionCounter.builder("podwire.fastpath.packets", devices, FastPathDevices::packets)
                    .description("packets that took the short cut past the rules, which had let their flow pass")
                    .register(context.meters());
        }
        if (options.reapPeriod().isPositive()) {
            Reaper reaper = new Reaper(node, del);
            upkeep.execute(reaper::look);
            upkeep.every(options.reapPeriod(), reaper::look);
        }
        upstreams.start(attachments.all());
        announcer.ifPresent(one -> one.start(policy.orElseThrow()::endpoints));
        services.ifPresent(ServiceClient::start);
        upkeep.every(UPKEEP, upstreams::tellWarnings);
        Supplier<Set<String>> uplinks = () -> Set.of(underlay.last().ifname());
        DriftWatch drift = new DriftWatch(
                context.own(new EventLoop("drift")),
                time,
                () -> new DriftWatch.Wanted(
                        attachments.all(Attachment.State.ATTACHED).stream()
                                .filter(BridgeWiring::isWired)
                                .toList(),
                        bridge.bridgeIndex(),
                        bridge.bridgeMtu(),
                        underlay.last().ifindex(),
                        routes.tunnelIndex(),
                        routes.destinations()),
                ruleset,
                Map.of(
                        Part.SETTINGS, () -> Result.of(bridge.repairSettings(uplinks.get())),
                        Part.BRIDGE, () -> Result.of(bridge.repairBridge(bridge.bridgeMtu(), uplinks.get())),
                        Part.PODS, new PodRepair(node, bridge)::look,
                        Part.ROUTES, () -> Result.of(routes.resync().join())),
                context.meters());
        context.own(RtnetlinkMonitor.open(drift::told));
        context.own(NftMonitor.open(event -> {
            drift.told(event);
            services.ifPresent(client -> client.told(event));
        }));
        drift.start();

        drops.look();
        upkeep.every(DROPS, drops::look);
        policyChannel.ifPresent(
                channel -> new QuestionClient(channel, context.own(new EventLoop("questions")), self, kernel).start());
        AuditLoop audits = new AuditLoop(node::audit, bindings::audited);
        upkeep.every(OWN_AUDIT, audits::look);
        Gauge.builder("podwire.audit.findings", audits, AuditLoop::total)
                .description(
                        "differences between journal and kernel that the last two looks, half a minute apart, found")
                .register(context.meters());

        context.serveInline(cni);
        context.serve(new NodeGrpcService(
                attachments::all,
                upstreams::status,
                () -> Stream.concat(node.audit().stream(), ipam.audit(attachments.all(), AUDIT).stream())
                        .toList(),
                kernel::verdict,
                kernel::drops));
        context.readyWhen("ruleset", ruleset::healthy);
        context.readyWhen("addresses", upstreams::hasAddresses);
        context.readyWhen("policy", upstreams::policyReady);
        context.readyWhen("journal", () -> journal.problem().isEmpty());
        meters(context.meters(), options, journal, attachments, book, ipam, upstreams, ruleset, time);
    }

    /** Services by nf_tables; where they are another's, what an earlier life left of them goes. */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // with and without policy-service, not a missing argument
    private static Optional<ServiceClient> services(
            NodeOptions options,
            ServiceContext context,
            KernelNft nft,
            Optional<ManagedChannel> policyChannel,
            NodeIdentity self,
            CurrentUnderlay underlay,
            RtnetlinkPool sockets) {
        NftTables tables = context.own(NftTables.open());
        if (!options.services()) {
            try {
                ServiceReconciler.switchOff(nft, tables);
            } catch (NftException e) {
                log.error("the table of an earlier life that served Services is still there: {}", e.getMessage());
            }
            return Optional.empty();
        }
        EventLoop loop = context.own(new EventLoop("services"));
        StaleServiceFlows flows = new StaleServiceFlows(context.own(Conntrack.open()), sockets);
        ServiceReconciler reconciler = new ServiceReconciler(
                nft,
                context.own(NftRules.open()),
                tables,
                loop,
                () -> options.nodePortAddresses()
                        .orElseGet(() -> underlay.last().ends().stream()
                                .map(end -> IpPrefix.ofHost(end.address()))
                                .toList()),
                flows::forget);
        loop.every(UPKEEP, reconciler::look);
        context.readyWhen("services", reconciler::healthy);
        Gauge.builder("podwire.services.ports", reconciler, ServiceReconciler::served)
                .description("ports of Services, of each family, that the kernel has")
                .register(context.meters());
        return Optional.of(context.own(new ServiceClient(policyChannel.orElseThrow(), loop, self, reconciler)));
    }

    /**
     * What new pods get an address of, and what a pod of the journal still has one of: a pod keeps its
     * IPv6 when the node is started without it.
     */
    private static Set<IpFamily> served(NodeOptions options, AttachmentTable attachments) {
        Set<IpFamily> served = EnumSet.copyOf(options.families());
        attachments.all().forEach(a -> served.addAll(a.addresses().families()));
        if (!served.equals(options.families())) {
            log.info("pods have addresses of {}, new ones get {}", served, options.families());
        }
        return served;
    }

    /** Before the address is given to another pod, whose connections they would be. */
    static Duration forgetting(Duration coolDown) {
        Duration half = coolDown.dividedBy(2);
        return half.compareTo(FORGETTING) < 0 ? half : FORGETTING;
    }

    /** What the rules shall log, where that is wanted and this kernel can: rules that it refuses would protect nobody. */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // as in RulesetPlanner
    private static Optional<DenialLog> denialLog(
            NodeOptions options,
            ServiceContext context,
            KernelNft nft,
            Supplier<List<LocalEndpoint>> endpoints,
            TimeSource time) {
        Optional<DenialLog> wanted = options.denialLog();
        if (wanted.isEmpty()) {
            return wanted;
        }
        DeniedPackets denied = new DeniedPackets(endpoints, wanted.get().perSecond(), time, denials::info);
        try {
            nft.apply(Transaction.trial(
                    new TableId(TableFamily.INET, "podwire-trial"),
                    new Chain.Regular(
                            "denials",
                            List.of(Rule.of(new Action.Log(
                                    wanted.get().group(), wanted.get().perSecond(), "trial"))))));
            context.own(NftLog.open(wanted.get().group(), denied::denied));
            return wanted;
        } catch (NftException | NetlinkException e) {
            log.error(
                    "--log-denied: no denied packet is logged, they are counted all the same; the kernel needs nft_log,"
                            + " nft_limit and nfnetlink_log, and group {} to itself: {}",
                    wanted.get().group(),
                    e.getMessage());
            return Optional.empty();
        }
    }

    private static int podMtu(NodeOptions options, Underlay underlay) {
        int mtu = options.mtu() == 0 ? underlay.podMtu(options.routeMode()) : options.mtu();
        int least = NodeOptions.leastMtu(options.families());
        if (mtu < least) {
            throw new IllegalArgumentException("the underlay interface " + underlay.ifname() + " has MTU "
                    + underlay.mtu() + ", which leaves pods " + mtu + " and they need " + least
                    + " at least: raise it, or give --mtu where packets between nodes need not fit");
        }
        return mtu;
    }

    /** Platform threads: calls into the kernel would hold a virtual thread's carrier. */
    private static LifoThreads threads(String name, int most) {
        return new LifoThreads(name, most, STACK_BYTES, THREAD_IDLE);
    }

    private static AddressBook<EndpointKey> restoredBook(
            NodeOptions options, Journal journal, AttachmentTable attachments, TimeSource time) {
        AddressBook<EndpointKey> book = new AddressBook<>(options.coolDown());
        journal.blocks().forEach(book::addBlock);
        Map<EndpointKey, SingleHold> singles = SingleHold.used(journal.singles(), attachments.all());
        singles.forEach((key, hold) -> book.lend(key, hold.addresses()));
        attachments.all().forEach(a -> a.addresses().stream().forEach(address -> book.restore(a.key(), address)));
        journal.cooling().forEach(address -> book.restoreCooling(address, time.monotonic()));
        return book;
    }

    private static ManagedChannel channel(ServiceContext context, String target) {
        return owned(context, Channels.open(target));
    }

    private static ManagedChannel owned(ServiceContext context, ManagedChannel channel) {
        context.own(channel::shutdownNow);
        return channel;
    }

    private static void meters(
            MeterRegistry meters,
            NodeOptions options,
            Journal journal,
            AttachmentTable attachments,
            AddressBook<EndpointKey> book,
            IpamClient ipam,
            Upstreams upstreams,
            RulesetReconciler ruleset,
            TimeSource time) {
        Gauge.builder("podwire.endpoints", attachments, a -> a.all().size())
                .description("attachments in the journal")
                .register(meters);
        Gauge.builder("podwire.journal.unwritten", journal, Journal::unwrittenChanges)
                .description("changes that are in memory alone because the journal cannot be written")
                .register(meters);
        for (IpFamily family : options.families()) {
            Gauge.builder("podwire.addresses.free", book, b -> b.free(family, time.monotonic()))
                    .description("addresses of this node's blocks that an ADD could take now, by family")
                    .tag("family", family.label())
                    .register(meters);
        }
        Gauge.builder("podwire.blocks", book, b -> b.blocks().size())
                .tag("state", "owned")
                .description(BLOCKS)
                .register(meters);
        Gauge.builder("podwire.blocks", ipam, client -> client.draining().size())
                .tag("state", "draining")
                .description(BLOCKS)
                .register(meters);
        Gauge.builder("podwire.blocks", ipam, client -> client.returning().size())
                .tag("state", "returning")
                .description(BLOCKS)
                .register(meters);
        FunctionCounter.builder("podwire.blocks.returned", ipam, IpamClient::returned)
                .description("blocks that were given back to ipam-service")
                .register(meters);
        Gauge.builder("podwire.addresses.single", book, b -> b.lent().size())
                .description("addresses that pods of this node have of ipam-service's own blocks")
                .register(meters);
        Gauge.builder("podwire.node.fenced", ipam, client -> client.fenced() ? 1 : 0)
                .description("1 when ipam-service serves this life of the node no more: no address is given, else 0")
                .register(meters);
        Gauge.builder("podwire.route.refused", upstreams, u -> u.refused().size())
                .description("prefixes that this node announces and that route-reflector leads nobody to")
                .register(meters);
        Gauge.builder("podwire.policy.revision", ruleset, RulesetReconciler::revision)
                .description("revision of the program in the kernel, 0 without one")
                .register(meters);
    }
}

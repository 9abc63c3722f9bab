package io.podwire.node;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.common.service.CommonOptions;
import io.podwire.common.service.ListenAddress;
import io.podwire.common.service.ServiceOptions;
import io.podwire.node.plan.DenialLog;
import io.podwire.node.plan.EstablishedFlows;
import io.podwire.node.plan.Masquerade;
import io.podwire.node.plan.RouteMode;
import io.podwire.node.plan.StartBarrier;
import io.podwire.node.plan.UnderlayChoice;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options of node-shim. */
public final class NodeOptions implements ServiceOptions {
    private static final String PRIMARY = "primary";

    @Mixin
    private CommonOptions common = new CommonOptions("unix:/run/podwire/cni.sock", "127.0.0.1:7480");

    @Option(names = "--node-name", paramLabel = "NAME", description = "This node. Default: the host's name")
    private String nodeName = "";

    @Option(names = "--state-dir", paramLabel = "DIR", description = "Where the journal is. Default: ${DEFAULT-VALUE}")
    private Path stateDir = Path.of("/var/lib/podwire");

    @Option(
            names = "--spool-dir",
            paramLabel = "DIR",
            description = "Where cni-shim leaves DELs while node-shim is away. Default: ${DEFAULT-VALUE}")
    private Path spoolDir = Path.of("/var/lib/podwire/spool");

    @Option(names = "--ipam-service", required = true, paramLabel = "HOST:PORT", description = "Where blocks come from")
    private String ipamService;

    @Option(
            names = "--ipam-replicas",
            paramLabel = "HOST:PORT",
            description = "Where each replica of ipam-service is told who has which address: of a name with several"
                    + " addresses each is one, looked up every 30 s. Default: what --ipam-service says")
    private String ipamReplicas = "";

    @Option(
            names = "--policy-service",
            paramLabel = "HOST:PORT[,...]",
            description = "Where programs come from: the first that answers of these, and of a name with several"
                    + " addresses. Without it no policy is enforced")
    private String policyService = "";

    @Option(
            names = "--start-barrier",
            paramLabel = "node|cluster",
            description = "Who enforces a new pod before its ADD is answered: its node, or every node whose rules name"
                    + " it, too. The key startBarrier of a network configuration, and a pod's annotation"
                    + " podwire.io/start-barrier, go before it. Default: ${DEFAULT-VALUE}")
    private String startBarrier = "node";

    @Option(
            names = "--start-barrier-timeout",
            paramLabel = "DURATION",
            description = "How long an ADD waits for other nodes, after which the pod starts and the laggards are named"
                    + " in log and metrics, ISO-8601, PT0.1S to PT7S. Default: ${DEFAULT-VALUE}")
    private Duration startBarrierTimeout = StartBarrier.USUAL.longest();

    @Option(
            names = "--established-flows",
            paramLabel = "judge|finish",
            description = "What becomes of open flows when policy changes: they are judged anew and cut where they are"
                    + " not allowed any more, or they go on to their end. Default: ${DEFAULT-VALUE}")
    private String establishedFlows = "judge";

    @Option(
            names = "--route-reflector",
            paramLabel = "HOST:PORT[,...]",
            description =
                    "Where routes come from, each replica: of a name with several addresses each is one. Without it"
                            + " other nodes' pods are not reached")
    private String routeReflector = "";

    @Option(
            names = "--stale-routes-after",
            paramLabel = "DURATION",
            description = "How long routes stay that a replica of route-reflector does not name after its return,"
                    + " ISO-8601, PT1S to PT1H. Default: ${DEFAULT-VALUE}")
    private Duration staleRoutesAfter = Duration.ofMinutes(2);

    @Option(
            names = "--route-mode",
            paramLabel = "MODE",
            description = "How packets go to other nodes: direct (as they are; the network's routers know the blocks of"
                    + " other subnets), vxlan (always in VXLAN) or cross-subnet (as they are on one subnet, else in"
                    + " VXLAN); the same on all nodes. Default: ${DEFAULT-VALUE}")
    private String routeMode = RouteMode.CROSS_SUBNET.label();

    @Option(
            names = "--underlay-interface",
            paramLabel = "NAME",
            split = ",",
            description = "Interface to the other nodes; of several the first that there is with a global address."
                    + " Default: that of the default route")
    private List<String> underlayInterfaces = List.of();

    @Option(
            names = "--underlay-cidr",
            paramLabel = "CIDR",
            split = ",",
            description = "Networks of the addresses that other nodes are told, the first that this node is in decides."
                    + " Default: any")
    private List<String> underlayCidrs = List.of();

    @Option(
            names = "--underlay-address",
            paramLabel = "ADDRESS",
            split = ",",
            description = "This node's addresses that other nodes are told, one or one of each family, in place of"
                    + " --underlay-cidr")
    private List<String> underlayAddresses = List.of();

    @Option(
            names = "--services",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description =
                    "Serve Kubernetes Services as kube-proxy does, where policy-service is given. --no-services: leave"
                            + " them to another, and remove what was there for them. Default: true")
    private boolean services;

    @Option(
            names = "--fast-path",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description =
                    "Have packets of TCP and UDP flows that the rules let pass take a short cut by BPF, past the rules"
                            + " until these change and for a second at most, where the kernel can (Linux 6.6). --no-fast-path: every"
                            + " packet passes the rules. Default: true")
    private boolean fastPath;

    @Option(
            names = "--node-port-addresses",
            paramLabel = "CIDR",
            split = ",",
            description =
                    "Where node ports are open: this node's addresses in these networks; 'primary': those that other"
                            + " nodes are told. Default: primary")
    private List<String> nodePortAddresses = List.of(PRIMARY);

    @Option(
            names = "--masquerade",
            paramLabel = "CIDR",
            split = ",",
            description = "Pools whose pods leave the cluster by their node's address. Default: none")
    private List<String> masquerade = List.of();

    @Option(
            names = "--masquerade-except",
            paramLabel = "CIDR",
            split = ",",
            description = "Where these pods have their own address beside those pools: other pools, the nodes' network,"
                    + " networks that know the way back. Default: none")
    private List<String> masqueradeExcept = List.of();

    @Option(
            names = "--mtu",
            paramLabel = "BYTES",
            description =
                    "MTU of pods, 0 or 576 to 65535, with IPv6 from 1280. 0: the underlay's less VXLAN's headers,"
                            + " 50 over IPv4 and 70 over IPv6, or the underlay's own with --route-mode direct. Default: ${DEFAULT-VALUE}")
    private int mtu;

    @Option(
            names = "--vxlan-vni",
            paramLabel = "NUMBER",
            description = "VXLAN network identifier, 1 to 16777215, the same on all nodes. Default: ${DEFAULT-VALUE}")
    private int vxlanVni = 7470;

    @Option(
            names = "--vxlan-port",
            paramLabel = "PORT",
            description = "UDP port of VXLAN, 1 to 65535, the same on all nodes. Default: ${DEFAULT-VALUE}")
    private int vxlanPort = 4789;

    @Option(
            names = "--ip-families",
            paramLabel = "FAMILIES",
            description = "What each pod gets an address of: ipv4, ipv6 or ipv4,ipv6. Default: ${DEFAULT-VALUE}")
    private String ipFamilies = "ipv4";

    @Option(
            names = "--pool",
            paramLabel = "NAME",
            split = ",",
            description = "Pool to claim blocks from; with two families give it twice, IPv4's pool first. Default: any")
    private List<String> pools = List.of();

    @Option(
            names = "--low-water",
            paramLabel = "COUNT",
            description = "Claim a further block when fewer addresses of a family are free, 1 to 1024. Default:"
                    + " ${DEFAULT-VALUE}")
    private int lowWater = 8;

    @Option(
            names = "--cool-down",
            paramLabel = "DURATION",
            description = "How long a released address is given to nobody, ISO-8601. Default: ${DEFAULT-VALUE}")
    private Duration coolDown = Duration.ofSeconds(60);

    @Option(
            names = "--reap-period",
            paramLabel = "DURATION",
            description = "How often to look for attachments whose container is gone without a DEL; one that is found"
                    + " twice in a row is removed. ISO-8601, PT0S: never. Default: ${DEFAULT-VALUE}")
    private Duration reapPeriod = Duration.ofSeconds(30);

    @Option(
            names = "--log-denied",
            description = "Write a line for packets that policies deny: who, whom, which port, and by which policy.")
    private boolean logDenied;

    @Option(
            names = "--log-denied-rate",
            paramLabel = "COUNT",
            description = "Lines a second at most, 1 to 100000, of this node and of each chain of rules. Default:"
                    + " ${DEFAULT-VALUE}")
    private int logDeniedRate = 10;

    @Option(
            names = "--log-denied-group",
            paramLabel = "NUMBER",
            description = "Group of nfnetlink_log that denied packets come by, 0 to 65535; no other program may listen"
                    + " to it. Default: ${DEFAULT-VALUE}")
    private int logDeniedGroup = 7471;

    @Option(
            names = "--sysctl-dir",
            paramLabel = "DIR",
            description = "Where kernel settings are files; in a container, where the host's /proc/sys/net is mounted"
                    + " below net. Default: ${DEFAULT-VALUE}")
    private Path sysctlDir = Path.of("/proc/sys");

    @Option(names = "--fail-point", hidden = true, description = "For tests: NAME=kill|error|hang")
    private Map<String, String> failPoints = new HashMap<>();

    @Override
    public CommonOptions common() {
        return common;
    }

    @Override
    public void check() {
        var _ = nodeName();
        Set<IpFamily> families = families();
        var _ = routeMode();
        var _ = underlay();
        if (masquerade().pools().isEmpty() && !masquerade().except().isEmpty()) {
            throw new IllegalArgumentException("--masquerade-except needs --masquerade");
        }
        if (staleRoutesAfter.compareTo(Duration.ofSeconds(1)) < 0
                || staleRoutesAfter.compareTo(Duration.ofHours(1)) > 0) {
            throw new IllegalArgumentException("--stale-routes-after must be PT1S to PT1H, got " + staleRoutesAfter);
        }
        range("--mtu", mtu, mtu == 0 ? 0 : leastMtu(families), 65_535);
        if (!pools.isEmpty() && pools.size() != families.size()) {
            throw new IllegalArgumentException("--pool must be given once for each family of --ip-families "
                    + ipFamilies + ", or never, got " + pools);
        }
        if (!(ListenAddress.parse("--ipam-replicas", ipamReplicas()) instanceof ListenAddress.Tcp)) {
            throw new IllegalArgumentException("--ipam-replicas needs HOST:PORT, got '" + ipamReplicas() + "'");
        }
        var _ = startBarrier();
        var _ = establishedFlows();
        var _ = nodePortAddresses();
        range("--vxlan-vni", vxlanVni, 1, (1 << 24) - 1);
        range("--vxlan-port", vxlanPort, 1, 65_535);
        range("--low-water", lowWater, 1, 1024);
        range("--log-denied-rate", logDeniedRate, 1, 100_000);
        range("--log-denied-group", logDeniedGroup, 0, 65_535);
        if (coolDown.isNegative()) {
            throw new IllegalArgumentException("--cool-down must be 0 or more, got " + coolDown);
        }
        if (reapPeriod.isNegative()) {
            throw new IllegalArgumentException("--reap-period must be 0 or more, got " + reapPeriod);
        }
        if (!stateDir.isAbsolute() || !spoolDir.isAbsolute()) {
            throw new IllegalArgumentException(
                    "--state-dir and --spool-dir must be absolute paths, got " + stateDir + " and " + spoolDir);
        }
    }

    /** The least MTU of a pod with these families, in bytes (RFC 8200 §5). */
    static int leastMtu(Set<IpFamily> families) {
        return families.contains(IpFamily.V6) ? 1280 : 576;
    }

    private static void range(String option, int value, int from, int to) {
        if (value < from || value > to) {
            throw new IllegalArgumentException(option + " must be " + from + " to " + to + ", got " + value);
        }
    }

    /** This node. */
    public NodeName nodeName() {
        try {
            return new NodeName(
                    nodeName.isEmpty()
                            ? InetAddress.getLocalHost().getHostName().toLowerCase(Locale.ROOT)
                            : nodeName);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("this host has no name: give --node-name", e);
        }
    }

    /** Folder of the journal. */
    public Path stateDir() {
        return stateDir;
    }

    /** Folder of spooled DELs. */
    public Path spoolDir() {
        return spoolDir;
    }

    /** Folder of kernel settings. */
    public Path sysctlDir() {
        return sysctlDir;
    }

    /** HOST:PORT of ipam-service. */
    public String ipamService() {
        return ipamService;
    }

    /** HOST:PORT of ipam-service's replicas. */
    public String ipamReplicas() {
        return ipamReplicas.isEmpty() ? ipamService : ipamReplicas;
    }

    /** True when Services are served. */
    public boolean services() {
        return services && policyService().isPresent();
    }

    /** True when packets may take a short cut past rules that let their flow pass. */
    public boolean fastPath() {
        return fastPath;
    }

    /** Where node ports are open; empty: at the node's addresses on the underlay. */
    public Optional<List<IpPrefix>> nodePortAddresses() {
        return nodePortAddresses.equals(List.of(PRIMARY))
                ? Optional.empty()
                : Optional.of(prefixes("--node-port-addresses", nodePortAddresses));
    }

    /** HOST:PORT of policy-service, several with commas between, where one is. */
    public Optional<String> policyService() {
        return policyService.isEmpty() ? Optional.empty() : Optional.of(policyService);
    }

    /**
     * Who must know a new pod before its ADD is answered.
     *
     * @throws IllegalArgumentException naming the option that is wrong
     */
    public StartBarrier startBarrier() {
        StartBarrier.Scope scope = StartBarrier.Scope.of(startBarrier)
                .orElseThrow(() -> new IllegalArgumentException(
                        "--start-barrier must be node or cluster, got '" + startBarrier + "'"));
        try {
            return new StartBarrier(scope, startBarrierTimeout);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("--start-barrier-timeout: " + e.getMessage(), e);
        }
    }

    /**
     * What becomes of open flows when policy changes.
     *
     * @throws IllegalArgumentException when it is neither
     */
    public EstablishedFlows establishedFlows() {
        return EstablishedFlows.of(establishedFlows)
                .orElseThrow(() -> new IllegalArgumentException(
                        "--established-flows must be judge or finish, got '" + establishedFlows + "'"));
    }

    /** HOST:PORT of route-reflector, several with commas between, where one is. */
    public Optional<String> routeReflector() {
        return routeReflector.isEmpty() ? Optional.empty() : Optional.of(routeReflector);
    }

    /** How long routes stay that a reflector does not name after its return. */
    public Duration staleRoutesAfter() {
        return staleRoutesAfter;
    }

    /** How packets go to other nodes. */
    public RouteMode routeMode() {
        return RouteMode.parse(routeMode);
    }

    /** Which interface and which addresses of it are this node's place among the others. */
    public UnderlayChoice underlay() {
        if (!underlayCidrs.isEmpty() && !underlayAddresses.isEmpty()) {
            throw new IllegalArgumentException("give --underlay-cidr or --underlay-address, not both");
        }
        List<IpPrefix> networks = underlayAddresses.isEmpty()
                ? prefixes("--underlay-cidr", underlayCidrs)
                : prefixes(
                        "--underlay-address",
                        underlayAddresses.stream()
                                .map(address -> address + (address.contains(":") ? "/128" : "/32"))
                                .toList());
        return new UnderlayChoice(underlayInterfaces, networks);
    }

    /** Whose packets leave the cluster by the node's address. */
    public Masquerade masquerade() {
        return new Masquerade(prefixes("--masquerade", masquerade), prefixes("--masquerade-except", masqueradeExcept));
    }

    private static List<IpPrefix> prefixes(String option, List<String> texts) {
        try {
            return texts.stream().map(IpPrefix::parse).toList();
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(option + ": " + e.getMessage(), e);
        }
    }

    /** MTU of pods; 0: as the underlay has it. */
    public int mtu() {
        return mtu;
    }

    /** VXLAN network identifier. */
    public int vxlanVni() {
        return vxlanVni;
    }

    /** UDP port of VXLAN. */
    public int vxlanPort() {
        return vxlanPort;
    }

    /** What each pod gets an address of. */
    public Set<IpFamily> families() {
        return switch (ipFamilies) {
            case "ipv4" -> EnumSet.of(IpFamily.V4);
            case "ipv6" -> EnumSet.of(IpFamily.V6);
            case "ipv4,ipv6" -> EnumSet.allOf(IpFamily.class);
            default ->
                throw new IllegalArgumentException(
                        "--ip-families must be ipv4, ipv6 or ipv4,ipv6, got '" + ipFamilies + "'");
        };
    }

    /** The families, each with the pool to claim from; empty for any. */
    public Map<IpFamily, String> pools() {
        Map<IpFamily, String> byFamily = new EnumMap<>(IpFamily.class);
        int i = 0;
        for (IpFamily family : families()) {
            byFamily.put(family, pools.isEmpty() ? "" : pools.get(i++));
        }
        return byFamily;
    }

    /** Free addresses of a family below which a block is claimed. */
    public int lowWater() {
        return lowWater;
    }

    /** How long a released address is given to nobody. */
    public Duration coolDown() {
        return coolDown;
    }

    /** How often to look for attachments whose container is gone; zero: never. */
    public Duration reapPeriod() {
        return reapPeriod;
    }

    /** How denied packets are logged; empty: they are not. */
    public Optional<DenialLog> denialLog() {
        return logDenied ? Optional.of(new DenialLog(logDeniedGroup, logDeniedRate)) : Optional.empty();
    }

    /** Armed fail points, for tests. */
    public Map<String, String> failPoints() {
        return Map.copyOf(failPoints);
    }
}

package io.podwire.node;

import io.podwire.common.net.NodeName;
import io.podwire.common.service.CommonOptions;
import io.podwire.common.service.ServiceOptions;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options of node-shim. */
public final class NodeOptions implements ServiceOptions {
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
            names = "--policy-service",
            paramLabel = "HOST:PORT",
            description = "Where programs come from. Without it no policy is enforced")
    private String policyService = "";

    @Option(
            names = "--route-reflector",
            paramLabel = "HOST:PORT",
            description = "Where routes come from. Without it other nodes' pods are not reached")
    private String routeReflector = "";

    @Option(
            names = "--underlay-interface",
            paramLabel = "NAME",
            description = "Interface to the other nodes. Default: that of the default route")
    private String underlayInterface = "";

    @Option(
            names = "--mtu",
            paramLabel = "BYTES",
            description = "MTU of pods, 0 or 576 to 65535. 0: the underlay's less 50 for VXLAN. Default:"
                    + " ${DEFAULT-VALUE}")
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

    @Option(names = "--pool", paramLabel = "NAME", description = "Pool to claim blocks from. Default: any")
    private String pool = "";

    @Option(
            names = "--low-water",
            paramLabel = "COUNT",
            description = "Claim a further block when fewer addresses are free, 1 to 1024. Default: ${DEFAULT-VALUE}")
    private int lowWater = 8;

    @Option(
            names = "--cool-down",
            paramLabel = "DURATION",
            description = "How long a released address is given to nobody, ISO-8601. Default: ${DEFAULT-VALUE}")
    private Duration coolDown = Duration.ofSeconds(60);

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
        range("--mtu", mtu, mtu == 0 ? 0 : 576, 65_535);
        range("--vxlan-vni", vxlanVni, 1, (1 << 24) - 1);
        range("--vxlan-port", vxlanPort, 1, 65_535);
        range("--low-water", lowWater, 1, 1024);
        if (coolDown.isNegative()) {
            throw new IllegalArgumentException("--cool-down must be 0 or more, got " + coolDown);
        }
        if (!stateDir.isAbsolute() || !spoolDir.isAbsolute()) {
            throw new IllegalArgumentException(
                    "--state-dir and --spool-dir must be absolute paths, got " + stateDir + " and " + spoolDir);
        }
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

    /** HOST:PORT of policy-service, where one is. */
    public Optional<String> policyService() {
        return policyService.isEmpty() ? Optional.empty() : Optional.of(policyService);
    }

    /** HOST:PORT of route-reflector, where one is. */
    public Optional<String> routeReflector() {
        return routeReflector.isEmpty() ? Optional.empty() : Optional.of(routeReflector);
    }

    /** Name of the underlay interface, where given. */
    public Optional<String> underlayInterface() {
        return underlayInterface.isEmpty() ? Optional.empty() : Optional.of(underlayInterface);
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

    /** Pool to claim from; empty for any. */
    public String pool() {
        return pool;
    }

    /** Free addresses below which a block is claimed. */
    public int lowWater() {
        return lowWater;
    }

    /** How long a released address is given to nobody. */
    public Duration coolDown() {
        return coolDown;
    }

    /** Armed fail points, for tests. */
    public Map<String, String> failPoints() {
        return Map.copyOf(failPoints);
    }
}

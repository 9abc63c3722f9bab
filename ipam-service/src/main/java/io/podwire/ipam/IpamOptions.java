package io.podwire.ipam;

import io.podwire.common.net.IpPrefix;
import io.podwire.common.service.CommonOptions;
import io.podwire.common.service.ServiceOptions;
import io.podwire.ipam.core.NamespaceQuotas;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.ReclaimRules.Patience;
import io.podwire.ipam.service.UsageSeries;
import io.podwire.ipam.source.ServiceClasses;
import io.podwire.ipam.store.EtcdAccess;
import io.podwire.ipam.store.EtcdAccessFiles;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options of ipam-service. */
public final class IpamOptions implements ServiceOptions {
    /** RFC 1123 label. */
    private static final Pattern NAMESPACE = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");

    private static final Pattern QUOTA = Pattern.compile("[0-9]{1,9}|unlimited");

    @Mixin
    private CommonOptions common = new CommonOptions("127.0.0.1:7471", "127.0.0.1:7481");

    @Option(
            names = "--store",
            paramLabel = "KIND",
            description = "mvstore: a file of this machine, one replica; etcd: any number of replicas."
                    + " Default: ${DEFAULT-VALUE}")
    private StoreKind store = StoreKind.MVSTORE;

    @Option(
            names = "--mvstore-file",
            paramLabel = "FILE",
            description = "The file of --store mvstore, made where it is missing. Default: ${DEFAULT-VALUE}")
    private Path mvstoreFile = Path.of("/var/lib/podwire/ipam.mv");

    @Option(
            names = "--etcd-endpoints",
            paramLabel = "URL",
            split = ",",
            description = "Members of the cluster of --store etcd, http://HOST:PORT or https://HOST:PORT, separated by"
                    + " ','. Default: ${DEFAULT-VALUE}")
    private List<URI> etcdEndpoints = List.of(URI.create("http://127.0.0.1:2379"));

    @Option(
            names = "--etcd-ca-file",
            paramLabel = "FILE",
            description = "Certificates, in PEM, of who signed those of https:// endpoints. Without it: who the JDK"
                    + " trusts")
    private Path etcdCaFile = EtcdAccessFiles.NO_FILE;

    @Option(
            names = "--etcd-cert-file",
            paramLabel = "FILE",
            description = "The client certificate shown to etcd, in PEM, with the chain to its authority")
    private Path etcdCertFile = EtcdAccessFiles.NO_FILE;

    @Option(
            names = "--etcd-key-file",
            paramLabel = "FILE",
            description = "The key of --etcd-cert-file, in PEM, PKCS #8 without a passphrase")
    private Path etcdKeyFile = EtcdAccessFiles.NO_FILE;

    @Option(
            names = "--etcd-user",
            paramLabel = "NAME",
            description = "User of etcd's own authentication; not needed where etcd takes the client certificate's"
                    + " common name")
    private String etcdUser = "";

    @Option(
            names = "--etcd-password-file",
            paramLabel = "FILE",
            description = "The password of --etcd-user, in one line")
    private Path etcdPasswordFile = EtcdAccessFiles.NO_FILE;

    @Option(
            names = "--etcd-prefix",
            paramLabel = "KEY",
            description = "Prefix of all keys in etcd, from '/' to '/'. Default: ${DEFAULT-VALUE}")
    private String etcdPrefix = "/podwire/ipam/";

    @Option(
            names = "--store-timeout",
            paramLabel = "DURATION",
            description = "How long one call to etcd may take, ISO-8601; a request is given up after three"
                    + " times as long. Default: ${DEFAULT-VALUE}")
    private Duration storeTimeout = Duration.ofSeconds(2);

    @Option(
            names = "--cool-down",
            paramLabel = "DURATION",
            description = "How long a released single address is given to nobody, ISO-8601, where its pool has no"
                    + " cool-down of its own. Default: ${DEFAULT-VALUE}")
    private Duration coolDown = Duration.ofSeconds(60);

    @Option(
            names = "--pool",
            paramLabel = "NAME=CIDR[/BLOCK-LENGTH]",
            split = ",",
            description = "A pool to create at start where it is missing, for example default=10.1.0.0/16/26 or"
                    + " default6=fd00:10:1::/48/122; repeat it for more. Block length: 26 (IPv6: 122) or the pool's"
                    + " own, whichever is longer")
    private List<String> pools = List.of();

    @Option(
            names = "--pool-dir",
            paramLabel = "DIR",
            description = "A folder of manifests of kind IPPool, podwire.io/v1, read live: pools are created, changed"
                    + " and, once no block of theirs is owned, deleted as they say. Its objects of kind Namespace are what"
                    + " namespace selectors choose from, without --kubernetes-pools and --kubernetes-services. Every"
                    + " replica must be given the same")
    private Path poolDir;

    @Option(
            names = "--kubernetes-pools",
            description =
                    "Read IPPools, podwire.io/v1, from the Kubernetes API as --pool-dir reads manifests, and write"
                            + " their status; read Namespaces for namespace selectors, and evict pods of pools that drain"
                            + " with a pace: in-cluster service account, or KUBECONFIG")
    private boolean kubernetesPools;

    @Option(
            names = "--audit-period",
            paramLabel = "DURATION",
            description = "How often addresses are audited, ISO-8601, and how far apart two looks have to be before a"
                    + " finding is counted, or repaired when podwire audit --cluster --fix asks for it."
                    + " Default: ${DEFAULT-VALUE}")
    private Duration auditPeriod = Duration.ofMinutes(5);

    @Option(
            names = "--namespace-quota",
            paramLabel = "NAMESPACE=N",
            split = ",",
            description = "How many addresses a namespace may have in the cluster, or 'unlimited'; repeat it for more."
                    + " Every replica must be given the same")
    private List<String> namespaceQuotas = List.of();

    @Option(
            names = "--default-namespace-quota",
            paramLabel = "N",
            description = "The same for each namespace without one of its own. Without it: any number")
    private Integer defaultNamespaceQuota;

    @Option(
            names = "--forecast-window",
            paramLabel = "DURATION",
            description = "Over how long the growth of a pool is measured to tell when it is used up, ISO-8601."
                    + " Default: ${DEFAULT-VALUE}")
    private Duration forecastWindow = Duration.ofHours(1);

    @Option(
            names = "--exhaustion-warning",
            paramLabel = "DURATION",
            description = "Warn in the log of a pool that is used up sooner than this, ISO-8601; PT0S: of none."
                    + " Default: ${DEFAULT-VALUE}")
    private Duration exhaustionWarning = Duration.ofHours(24);

    @Option(
            names = "--usage-series",
            paramLabel = "KIND",
            split = ",",
            description = "What has series of its own at /metrics besides pools: node, namespace, or none of them."
                    + " Default: node,namespace")
    private List<SeriesKind> usageSeries = List.of(SeriesKind.NODE, SeriesKind.NAMESPACE);

    /** What may have series of its own. */
    enum SeriesKind {
        /** Each node. */
        NODE,
        /** Each namespace. */
        NAMESPACE,
        /** Pools alone. */
        NONE
    }

    @Option(
            names = "--kubernetes-nodes",
            description = "Take the blocks back of nodes that are missing in the Kubernetes API: in-cluster service"
                    + " account, or KUBECONFIG. Every node that owns blocks must be a Node there, by its own name")
    private boolean kubernetesNodes;

    @Option(
            names = "--reclaim-look-interval",
            paramLabel = "DURATION",
            description = "Time between two looks of --kubernetes-nodes, ISO-8601. Default: ${DEFAULT-VALUE}")
    private Duration reclaimLookInterval = Duration.ofMinutes(1);

    @Option(
            names = "--reclaim-grace",
            paramLabel = "DURATION",
            description = "How long a node must be missing at each look of --kubernetes-nodes, two at least, before its"
                    + " blocks are taken back, ISO-8601. Default: ${DEFAULT-VALUE}")
    private Duration reclaimGrace = Duration.ofMinutes(10);

    @Option(
            names = "--kubernetes-services",
            description =
                    "Give Services of type LoadBalancer addresses of pools of purpose load_balancer, and write them"
                            + " to their status: in-cluster service account, or KUBECONFIG. Namespace selectors choose from the"
                            + " Namespaces there. Every replica must be given the same")
    private boolean kubernetesServices;

    @Option(
            names = "--load-balancer-class",
            paramLabel = "KIND",
            description = "Which Services --kubernetes-services serves. unset: those of spec.loadBalancerClass "
                    + ServiceClasses.NAME
                    + ", and those without one; own: the former alone, where another controller has"
                    + " the latter. Every replica must be given the same. Default: ${DEFAULT-VALUE}")
    private ServiceClasses loadBalancerClass = ServiceClasses.UNSET;

    /** Where the ledger is kept. */
    enum StoreKind {
        /** A file of this machine. */
        MVSTORE,
        /** An etcd cluster. */
        ETCD
    }

    @Override
    public CommonOptions common() {
        return common;
    }

    @Override
    public void check() {
        var _ = pools();
        if (storeTimeout.compareTo(Duration.ofMillis(100)) < 0 || storeTimeout.compareTo(Duration.ofMinutes(1)) > 0) {
            throw new IllegalArgumentException("--store-timeout must be PT0.1S to PT1M, got " + storeTimeout);
        }
        if (coolDown.isNegative() || coolDown.compareTo(Duration.ofHours(24)) > 0) {
            throw new IllegalArgumentException("--cool-down must be PT0S to PT24H, got " + coolDown);
        }
        // A node is believed for 20 s, and an ADD may take 8: between two looks both are over.
        if (auditPeriod.compareTo(Duration.ofSeconds(30)) < 0 || auditPeriod.compareTo(Duration.ofHours(24)) > 0) {
            throw new IllegalArgumentException("--audit-period must be PT30S to PT24H, got " + auditPeriod);
        }
        var _ = namespaceQuotas();
        if (forecastWindow.compareTo(Duration.ofMinutes(10)) < 0 || forecastWindow.compareTo(Duration.ofDays(7)) > 0) {
            throw new IllegalArgumentException("--forecast-window must be PT10M to PT168H, got " + forecastWindow);
        }
        if (exhaustionWarning.isNegative() || exhaustionWarning.compareTo(Duration.ofDays(365)) > 0) {
            throw new IllegalArgumentException(
                    "--exhaustion-warning must be PT0S to PT8760H, got " + exhaustionWarning);
        }
        if (usageSeries.contains(SeriesKind.NONE) && usageSeries.size() > 1) {
            throw new IllegalArgumentException("--usage-series none stands alone, got " + usageSeries);
        }
        if (reclaimLookInterval.compareTo(Duration.ofSeconds(1)) < 0
                || reclaimLookInterval.compareTo(Duration.ofHours(1)) > 0) {
            throw new IllegalArgumentException(
                    "--reclaim-look-interval must be PT1S to PT1H, got " + reclaimLookInterval);
        }
        if (reclaimGrace.compareTo(Duration.ofMinutes(1)) < 0 || reclaimGrace.compareTo(Duration.ofDays(7)) > 0) {
            throw new IllegalArgumentException("--reclaim-grace must be PT1M to PT168H, got " + reclaimGrace);
        }
        if (!etcdPrefix.startsWith("/") || !etcdPrefix.endsWith("/")) {
            throw new IllegalArgumentException("--etcd-prefix must start and end with '/', got '" + etcdPrefix + "'");
        }
        var _ = etcdAccess();
    }

    StoreKind store() {
        return store;
    }

    Path mvstoreFile() {
        return mvstoreFile;
    }

    /** How etcd is reached; reads the files. */
    EtcdAccess etcdAccess() {
        return new EtcdAccessFiles(etcdEndpoints, etcdCaFile, etcdCertFile, etcdKeyFile, etcdUser, etcdPasswordFile)
                .read();
    }

    String etcdPrefix() {
        return etcdPrefix;
    }

    Duration storeTimeout() {
        return storeTimeout;
    }

    Duration coolDown() {
        return coolDown;
    }

    Duration auditPeriod() {
        return auditPeriod;
    }

    /** Pools to create at start. */
    List<Pool> pools() {
        return pools.stream().map(IpamOptions::parsePool).toList();
    }

    /** The folder of pools' manifests, where there is one. */
    Optional<Path> poolDir() {
        return Optional.ofNullable(poolDir);
    }

    /** Whether pools come from the Kubernetes API. */
    boolean kubernetesPools() {
        return kubernetesPools;
    }

    /** How many addresses namespaces may have. */
    NamespaceQuotas namespaceQuotas() {
        Map<String, OptionalInt> named = new HashMap<>();
        for (String text : namespaceQuotas) {
            String[] parts = text.split("=", -1);
            if (parts.length != 2
                    || !NAMESPACE.matcher(parts[0]).matches()
                    || !QUOTA.matcher(parts[1]).matches()) {
                throw new IllegalArgumentException("--namespace-quota takes NAMESPACE=N with N from 0 to 999999999, or"
                        + " NAMESPACE=unlimited, got '" + text + "'");
            }
            OptionalInt quota =
                    parts[1].equals("unlimited") ? OptionalInt.empty() : OptionalInt.of(Integer.parseInt(parts[1]));
            if (named.put(parts[0], quota) != null) {
                throw new IllegalArgumentException("--namespace-quota names " + parts[0] + " twice");
            }
        }
        if (defaultNamespaceQuota == null) {
            return new NamespaceQuotas(named, OptionalInt.empty());
        }
        if (defaultNamespaceQuota < 0) {
            throw new IllegalArgumentException(
                    "--default-namespace-quota must be 0 or more addresses, got " + defaultNamespaceQuota);
        }
        return new NamespaceQuotas(named, OptionalInt.of(defaultNamespaceQuota));
    }

    Duration forecastWindow() {
        return forecastWindow;
    }

    Duration exhaustionWarning() {
        return exhaustionWarning;
    }

    /** What has series of its own. */
    Set<UsageSeries.Per> usageSeries() {
        return usageSeries.stream()
                .flatMap(kind -> switch (kind) {
                    case NODE -> Stream.of(UsageSeries.Per.NODE);
                    case NAMESPACE -> Stream.of(UsageSeries.Per.NAMESPACE);
                    case NONE -> Stream.empty();
                })
                .collect(Collectors.toSet());
    }

    /** Whether blocks of nodes are taken back that the Kubernetes API does not name any more. */
    boolean kubernetesNodes() {
        return kubernetesNodes;
    }

    /** When they are. */
    Patience patience() {
        return new Patience(reclaimLookInterval, reclaimGrace);
    }

    /** Whether Services of the Kubernetes API get addresses. */
    boolean kubernetesServices() {
        return kubernetesServices;
    }

    /** Which of them. */
    ServiceClasses loadBalancerClass() {
        return loadBalancerClass;
    }

    private static Pool parsePool(String text) {
        String[] nameAndRange = text.split("=", -1);
        String[] parts = nameAndRange.length == 2 ? nameAndRange[1].split("/", -1) : new String[0];
        if (parts.length != 2 && parts.length != 3) {
            throw new IllegalArgumentException("--pool takes NAME=CIDR[/BLOCK-LENGTH] such as default=10.1.0.0/16/26 or"
                    + " default6=fd00:10:1::/48/122, got '" + text + "'");
        }
        try {
            IpPrefix cidr = IpPrefix.parse(parts[0] + "/" + parts[1]);
            int blockLength = parts.length == 3 ? Integer.parseInt(parts[2]) : Pool.defaultBlockLength(cidr);
            return new Pool(nameAndRange[0], cidr, blockLength);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("--pool " + text + ": " + e.getMessage(), e);
        }
    }
}

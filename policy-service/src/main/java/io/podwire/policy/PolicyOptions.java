package io.podwire.policy;

import io.podwire.common.service.CommonOptions;
import io.podwire.common.service.ServiceOptions;
import io.podwire.policy.compile.UndeclaredPods;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options of policy-service. */
@Command(description = "Compiles NetworkPolicies into what each node must enforce.")
public final class PolicyOptions implements ServiceOptions {
    private static final int MOST_REVISIONS = 100_000;

    @Mixin
    private final CommonOptions common;

    @Option(
            names = "--manifests",
            paramLabel = "DIR",
            description = "Read objects from the manifests in this folder, live. Either this or --kubernetes.")
    private Path manifests;

    @Option(
            names = "--kubernetes",
            description = "Read objects from the Kubernetes API: in-cluster service account, or KUBECONFIG.")
    private boolean kubernetes;

    @Option(
            names = "--undeclared-pods",
            paramLabel = "wait|default",
            description = "What becomes of an endpoint whose pod no object declares: it waits for one, or is judged"
                    + " as a pod without labels. Default: wait with --kubernetes, default with --manifests.")
    private UndeclaredPods undeclaredPods;

    @Option(
            names = "--keep-revisions",
            paramLabel = "COUNT",
            description = "Earlier revisions to answer questions about, 0 to 100000; up to twice as many are kept, and"
                    + " fewer where they have more than 50000 changes together. Default: ${DEFAULT-VALUE}")
    private int keepRevisions = 1000;

    @Option(
            names = "--witness-period",
            paramLabel = "DURATION",
            description = "How often to compare, for one connection drawn at random, what was compiled with what the"
                    + " kernels of its nodes say. ISO-8601, PT0S: never. Default: ${DEFAULT-VALUE}")
    private Duration witnessPeriod = Duration.ofSeconds(10);

    /** Options with their defaults. */
    public PolicyOptions() {
        this(new CommonOptions("127.0.0.1:7472", "127.0.0.1:7482"));
    }

    PolicyOptions(CommonOptions common) {
        this.common = common;
    }

    /** Options for objects from a folder, for tests and for one process that runs several services. */
    public static PolicyOptions ofManifests(CommonOptions common, Path folder) {
        PolicyOptions options = new PolicyOptions(common);
        options.manifests = folder;
        return options;
    }

    @Override
    public CommonOptions common() {
        return common;
    }

    /**
     * The folder of manifests; empty: the Kubernetes API.
     *
     * @throws IllegalArgumentException when both or neither are given
     */
    Optional<Path> manifests() {
        if (kubernetes == (manifests != null)) {
            throw new IllegalArgumentException("give exactly one of --manifests DIR and --kubernetes");
        }
        return Optional.ofNullable(manifests);
    }

    @Override
    public void check() {
        if (keepRevisions < 0 || keepRevisions > MOST_REVISIONS) {
            throw new IllegalArgumentException(
                    "--keep-revisions must be 0 to " + MOST_REVISIONS + ", got " + keepRevisions);
        }
        if (witnessPeriod.isNegative()) {
            throw new IllegalArgumentException("--witness-period must be 0 or more, got " + witnessPeriod);
        }
    }

    /** Earlier revisions to keep. */
    int keepRevisions() {
        return keepRevisions;
    }

    /** From one comparison with kernels to the next; zero: there are none. */
    Duration witnessPeriod() {
        return witnessPeriod;
    }

    UndeclaredPods undeclaredPods() {
        if (undeclaredPods != null) {
            return undeclaredPods;
        }
        return kubernetes ? UndeclaredPods.WAIT : UndeclaredPods.DEFAULT;
    }
}

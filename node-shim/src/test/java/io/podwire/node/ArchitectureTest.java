package io.podwire.node;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.util.Arrays;

/** The direction of imports. Each rule names all that a package may see of node-shim; the rest is an error. */
@AnalyzeClasses(packages = "io.podwire.node", importOptions = ImportOption.DoNotIncludeTests.class)
final class ArchitectureTest {
    private static final String NODE = "io.podwire.node";

    @ArchTest
    static final ArchRule FFM_SEES_NOTHING = only("ffm");

    @ArchTest
    static final ArchRule NETNS_SEES_FFM = only("netns", "ffm");

    @ArchTest
    static final ArchRule SCHED_SEES_FFM = only("sched", "ffm");

    @ArchTest
    static final ArchRule BPF_SEES_FFM = only("bpf", "ffm");

    @ArchTest
    static final ArchRule WIRE_SEES_FFM = only("netlink.wire", "ffm");

    @ArchTest
    static final ArchRule RT_SEES_WIRE = only("netlink.rt", "netlink.wire", "ffm");

    @ArchTest
    static final ArchRule CT_SEES_WIRE = only("netlink.ct", "netlink.wire", "ffm");

    @ArchTest
    static final ArchRule NETLINK_NFT_SEES_WIRE = only("netlink.nft", "netlink.wire", "ffm");

    @ArchTest
    static final ArchRule NETLINK_SEES_RT =
            only("netlink", "netlink.rt", "netlink.ct", "netlink.nft", "netlink.wire", "netns", "ffm");

    @ArchTest
    static final ArchRule NFT_MODEL_SEES_NOTHING = only("nft.model");

    @ArchTest
    static final ArchRule NFT_TEXT_SEES_THE_MODEL = only("nft.text", "nft.model");

    @ArchTest
    static final ArchRule NFT_DIFF_SEES_MODEL_AND_TEXT = only("nft.diff", "nft.model", "nft.text");

    @ArchTest
    static final ArchRule NFT_BACKEND_SEES_THE_REST_OF_NFT =
            only("nft.backend", "nft.diff", "nft.text", "nft.model", "netlink", "netlink.nft", "netns", "ffm");

    /** Pure: it names kernel objects as values, and reaches none. */
    @ArchTest
    static final ArchRule PLAN_SEES_VALUES = only("plan", "nft.model", "nft.text");

    /** Pure: members of the kernel's maps as values. */
    @ArchTest
    static final ArchRule SERVICE_SEES_VALUES = only("service", "plan", "netlink.nft");

    @ArchTest
    static final ArchRule ADDRESS_SEES_NOTHING = only("address");

    @ArchTest
    static final ArchRule JOURNAL_SEES_PLAN = only("journal", "plan");

    @ArchTest
    static final ArchRule DATAPLANE_SEES_NO_EDGE = only(
            "dataplane",
            "journal",
            "plan",
            "bpf",
            "netns",
            "sched",
            "netlink",
            "netlink.rt",
            "netlink.ct",
            "netlink.nft",
            "service",
            "nft.backend",
            "nft.diff",
            "nft.model");

    /** A second opinion: it must not see what the rules were made with. */
    @ArchTest
    static final ArchRule WITNESS_SEES_THE_KERNEL =
            only("witness", "plan", "netlink", "netlink.nft", "netlink.wire", "nft.model");

    /** Pure: from JSON to values. */
    @ArchTest
    static final ArchRule REQUEST_SEES_PLAN = only("cni.request", "plan");

    @ArchTest
    static final ArchRule CNI_SEES_DATAPLANE =
            only("cni", "cni.request", "dataplane", "journal", "address", "plan", "netns", "netlink");

    @ArchTest
    static final ArchRule UPSTREAM_SEES_DATAPLANE =
            only("upstream", "dataplane", "service", "witness", "journal", "address", "plan", "netlink", "netlink.ct");

    @ArchTest
    static final ArchRule API_SEES_JOURNAL = only("api", "dataplane", "journal", "plan");

    @ArchTest
    static final ArchRule NO_CYCLES = slices().matching(NODE + ".(**)").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule FOREIGN_MEMORY_IN_FFM_ALONE = noClasses()
            .that(not(resideInAPackage(NODE + ".ffm")))
            .should()
            .dependOnClassesThat()
            .resideInAPackage("java.lang.foreign..")
            .because("every call into native code is in one place");

    @ArchTest
    static final ArchRule GENERATED_TYPES_STOP_AT_THE_EDGES = noClasses()
            .that(not(resideInAnyPackage(NODE + ".cni", NODE + ".api", NODE + ".upstream", NODE)))
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("io.podwire.proto..", "io.grpc..", "com.google.protobuf..")
            .because("generated API types stop at the edge");

    @ArchTest
    static final ArchRule NO_PROCESS_IS_EVER_STARTED = noClasses()
            .should()
            .dependOnClassesThat()
            .haveFullyQualifiedName(ProcessBuilder.class.getName())
            .orShould()
            .callMethodWhere(new DescribedPredicate<>("Runtime.exec") {
                @Override
                public boolean test(com.tngtech.archunit.core.domain.JavaMethodCall call) {
                    return call.getTargetOwner().isEquivalentTo(Runtime.class)
                            && call.getTarget().getName().equals("exec");
                }
            })
            .because("ADD has no time for ip, nft or iptables");

    @ArchTest
    static final ArchRule THE_CLOCK_ARRIVES_THROUGH_CONSTRUCTORS = noClasses()
            .should()
            .callMethod(System.class, "nanoTime")
            .orShould()
            .callMethod(System.class, "currentTimeMillis")
            .orShould()
            .callMethod(java.time.Instant.class, "now");

    /** The package itself, not those below it. */
    private static ArchRule only(String name, String... mayUse) {
        String[] allowed = Arrays.stream(mayUse).map(p -> NODE + "." + p).toArray(String[]::new);
        DescribedPredicate<JavaClass> ours = resideInAPackage(NODE + "..");
        return classes()
                .that(resideInAPackage(NODE + "." + name))
                .should()
                .onlyDependOnClassesThat(
                        not(ours).or(resideInAPackage(NODE + "." + name)).or(resideInAnyPackage(allowed)));
    }
}

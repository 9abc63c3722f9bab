package io.podwire.route;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

@AnalyzeClasses(packages = "io.podwire.route", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    @ArchTest
    static final ArchRule ARROWS = layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .layer("message")
            .definedBy("io.podwire.route.bgp.message..")
            .layer("codec")
            .definedBy("io.podwire.route.bgp.codec..")
            .layer("fsm")
            .definedBy("io.podwire.route.bgp.fsm..")
            .layer("rib")
            .definedBy("io.podwire.route.rib..")
            .layer("reflect")
            .definedBy("io.podwire.route.reflect..")
            .layer("session")
            .definedBy("io.podwire.route.session..")
            .layer("peers")
            .definedBy("io.podwire.route.peers..")
            .layer("service")
            .definedBy("io.podwire.route.service..")
            .layer("main")
            .definedBy("io.podwire.route")
            .whereLayer("codec")
            .mayOnlyBeAccessedByLayers("session")
            .whereLayer("fsm")
            .mayOnlyBeAccessedByLayers("session")
            .whereLayer("reflect")
            .mayOnlyBeAccessedByLayers("session", "peers", "service", "main")
            .whereLayer("session")
            .mayOnlyBeAccessedByLayers("peers", "service", "main")
            .whereLayer("peers")
            .mayOnlyBeAccessedByLayers("service", "main")
            .whereLayer("service")
            .mayOnlyBeAccessedByLayers("main")
            .whereLayer("main")
            .mayNotBeAccessedByAnyLayer();

    @ArchTest
    static final ArchRule RIB_IS_PURE = classes()
            .that()
            .resideInAPackage("io.podwire.route.rib..")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage(
                    "java.lang..",
                    "java.util..",
                    "java.time..",
                    "java.net..",
                    "io.podwire.common.net..",
                    "io.podwire.route.bgp.message..",
                    "io.podwire.route.rib..");

    @ArchTest
    static final ArchRule BGP_IS_PURE = classes()
            .that()
            .resideInAnyPackage("io.podwire.route.bgp..", "io.podwire.route.reflect.bgp..")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage(
                    "java.lang..",
                    "java.util..",
                    "java.time..",
                    "java.io..",
                    "java.net..",
                    "java.nio",
                    "io.podwire.common.net..",
                    "io.podwire.route.bgp..",
                    "io.podwire.route.rib..",
                    "io.podwire.route.reflect.bgp..");

    @ArchTest
    static final ArchRule ONLY_THE_SESSION_KNOWS_SOCKETS = noClasses()
            .that()
            .resideOutsideOfPackage("io.podwire.route.session..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("io.vertx..", "io.netty..");

    @ArchTest
    static final ArchRule API_TYPES_STOP_AT_THE_EDGE = noClasses()
            .that()
            .resideOutsideOfPackage("io.podwire.route.service..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("io.podwire.proto..", "io.grpc..");
}

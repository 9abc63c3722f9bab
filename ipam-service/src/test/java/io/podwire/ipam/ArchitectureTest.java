package io.podwire.ipam;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

@AnalyzeClasses(packages = "io.podwire.ipam", importOptions = DoNotIncludeTests.class)
class ArchitectureTest {
    @ArchTest
    static final ArchRule importsPointToTheCore = layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .layer("core")
            .definedBy("io.podwire.ipam.core")
            .layer("binding")
            .definedBy("io.podwire.ipam.binding")
            .layer("audit")
            .definedBy("io.podwire.ipam.audit")
            .layer("store")
            .definedBy("io.podwire.ipam.store")
            .layer("service")
            .definedBy("io.podwire.ipam.service")
            .layer("source")
            .definedBy("io.podwire.ipam.source")
            .layer("main")
            .definedBy("io.podwire.ipam")
            .whereLayer("main")
            .mayNotBeAccessedByAnyLayer()
            .whereLayer("source")
            .mayOnlyBeAccessedByLayers("main")
            .whereLayer("source")
            .mayOnlyAccessLayers("core", "service")
            .whereLayer("service")
            .mayOnlyBeAccessedByLayers("source", "main")
            .whereLayer("store")
            .mayOnlyBeAccessedByLayers("service", "main")
            .whereLayer("audit")
            .mayOnlyBeAccessedByLayers("service")
            .whereLayer("audit")
            .mayOnlyAccessLayers("core", "binding")
            .whereLayer("binding")
            .mayOnlyBeAccessedByLayers("audit", "service", "main");

    @ArchTest
    static final ArchRule coreKnowsValuesOnly = noClasses()
            .that()
            .resideInAPackage("io.podwire.ipam.core")
            .should()
            .dependOnClassesThat()
            .resideOutsideOfPackages("io.podwire.ipam.core", "io.podwire.common.net", "org.pcollections", "java..");

    @ArchTest
    static final ArchRule onlyTheStoreKnowsEtcdAndMvStore = noClasses()
            .that()
            .resideOutsideOfPackage("io.podwire.ipam.store")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("io.etcd..", "org.h2..");

    @ArchTest
    static final ArchRule onlyTheSourceKnowsKubernetes = noClasses()
            .that()
            .resideOutsideOfPackage("io.podwire.ipam.source")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("io.fabric8..");

    @ArchTest
    static final ArchRule onlyTheStoreAndTheSourceKnowJson = noClasses()
            .that()
            .resideOutsideOfPackages("io.podwire.ipam.store", "io.podwire.ipam.source")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("com.fasterxml..");

    @ArchTest
    static final ArchRule onlyTheServiceKnowsGeneratedTypes = noClasses()
            .that()
            .resideOutsideOfPackage("io.podwire.ipam.service")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("io.podwire.proto..");
}

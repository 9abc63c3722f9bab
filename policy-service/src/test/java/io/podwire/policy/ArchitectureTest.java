package io.podwire.policy;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

@AnalyzeClasses(packages = "io.podwire.policy", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    @ArchTest
    static final ArchRule arrows = layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .layer("model")
            .definedBy("..policy.model..")
            .layer("snapshot")
            .definedBy("..policy.snapshot..")
            .layer("compile")
            .definedBy("..policy.compile..")
            .layer("answer")
            .definedBy("..policy.answer..")
            .layer("service")
            .definedBy("..policy.service..")
            .layer("watch")
            .definedBy("..policy.watch..")
            .layer("publish")
            .definedBy("..policy.publish..")
            .layer("main")
            .definedBy("io.podwire.policy")
            .whereLayer("model")
            .mayNotAccessAnyLayer()
            .whereLayer("snapshot")
            .mayOnlyAccessLayers("model")
            .whereLayer("compile")
            .mayOnlyAccessLayers("model", "snapshot")
            .whereLayer("answer")
            .mayOnlyAccessLayers("model", "snapshot", "compile")
            .whereLayer("service")
            .mayOnlyAccessLayers("model", "snapshot")
            .whereLayer("watch")
            .mayOnlyAccessLayers("model", "snapshot")
            .whereLayer("publish")
            .mayOnlyAccessLayers("model", "snapshot", "compile", "answer", "service");

    @ArchTest
    static final ArchRule fabric8StaysInWatch = noClasses()
            .that()
            .resideOutsideOfPackage("..policy.watch..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("io.fabric8..");

    @ArchTest
    static final ArchRule generatedTypesStayInPublish = noClasses()
            .that()
            .resideOutsideOfPackage("..policy.publish..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("io.podwire.proto..");
}

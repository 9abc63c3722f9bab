package io.podwire.deploy;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.databind.type.LogicalType;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.api.model.rbac.ClusterRole;
import io.fabric8.kubernetes.api.model.rbac.ClusterRoleBinding;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Objects of a cluster, read as strictly as by the API server with fieldValidation=Strict: unknown and double fields fail. */
record Manifests(List<HasMetadata> objects) {
    /** The overlays and what they are over. */
    static final Path KUSTOMIZE = Deployed.DEPLOY.resolve("kustomize");

    private static final Path BASE = KUSTOMIZE.resolve("base");

    private static final Map<String, Class<? extends HasMetadata>> KINDS = Map.of(
            "v1 Namespace", Namespace.class,
            "v1 ServiceAccount", ServiceAccount.class,
            "v1 ConfigMap", ConfigMap.class,
            "v1 Service", Service.class,
            "apps/v1 Deployment", Deployment.class,
            "apps/v1 DaemonSet", DaemonSet.class,
            "policy/v1 PodDisruptionBudget", PodDisruptionBudget.class,
            "apiextensions.k8s.io/v1 CustomResourceDefinition", CustomResourceDefinition.class,
            "rbac.authorization.k8s.io/v1 ClusterRole", ClusterRole.class,
            "rbac.authorization.k8s.io/v1 ClusterRoleBinding", ClusterRoleBinding.class);

    private static final YAMLMapper STRICT = YAMLMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
            // A number or a boolean without quotes is no string.
            .withCoercionConfig(
                    LogicalType.Textual,
                    config -> config.setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail)
                            .setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
                            .setCoercion(CoercionInputShape.Float, CoercionAction.Fail))
            .annotationIntrospector(new JacksonAnnotationIntrospector() {
                private static final long serialVersionUID = 1L;

                // The model keeps unknown fields in additionalProperties: not here.
                @Override
                public Boolean hasAnySetter(Annotated annotated) {
                    return false;
                }
            })
            .build();

    Manifests {
        objects = List.copyOf(objects);
    }

    static List<HasMetadata> parse(String yaml) throws IOException {
        List<HasMetadata> objects = new ArrayList<>();
        try (MappingIterator<JsonNode> documents =
                STRICT.readerFor(JsonNode.class).readValues(yaml)) {
            while (documents.hasNextValue()) {
                JsonNode tree = documents.nextValue();
                String kind = tree.path("apiVersion").asText() + " "
                        + tree.path("kind").asText();
                Class<? extends HasMetadata> type = KINDS.get(kind);
                if (type == null) {
                    throw new IOException("the test does not know '" + kind + "'");
                }
                objects.add(STRICT.treeToValue(tree, type));
            }
        }
        return objects;
    }

    /** The manifests' files, without the kustomization. */
    static List<Path> files() throws IOException {
        try (Stream<Path> files = Files.list(BASE)) {
            return files.filter(file -> !file.endsWith("kustomization.yaml"))
                    .sorted()
                    .toList();
        }
    }

    /** Those of {@link #files}. */
    static Manifests base() {
        try {
            List<HasMetadata> objects = new ArrayList<>();
            for (Path file : files()) {
                objects.addAll(parse(Files.readString(file)));
            }
            return new Manifests(objects);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    <T extends HasMetadata> List<T> all(Class<T> type) {
        return objects.stream().filter(type::isInstance).map(type::cast).toList();
    }

    <T extends HasMetadata> T one(Class<T> type, String name) {
        return all(type).stream()
                .filter(object -> object.getMetadata().getName().equals(name))
                .findFirst()
                .orElseThrow(() -> new AssertionError("there is no " + type.getSimpleName() + " " + name));
    }

    List<Workload> workloads() {
        return Stream.concat(
                        all(Deployment.class).stream()
                                .map(d -> new Workload(
                                        this,
                                        d,
                                        d.getSpec().getSelector(),
                                        d.getSpec().getTemplate())),
                        all(DaemonSet.class).stream()
                                .map(d -> new Workload(
                                        this,
                                        d,
                                        d.getSpec().getSelector(),
                                        d.getSpec().getTemplate())))
                .toList();
    }

    Workload workload(Deployed service) {
        return workloads().stream()
                .filter(workload -> workload.deployed() == service)
                .findFirst()
                .orElseThrow();
    }

    static JsonNode kustomization() throws IOException {
        return STRICT.readTree(Files.readString(BASE.resolve("kustomization.yaml")));
    }
}

package io.podwire.deploy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.LabelSelector;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.Service;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** A Deployment or a DaemonSet among the objects of its cluster. */
record Workload(Manifests cluster, HasMetadata object, LabelSelector selector, PodTemplateSpec template) {
    /** Stands for every address of a Service. */
    static final String CLUSTER_IP = "10.96.0.10";

    private static final Pattern REFERENCE = Pattern.compile("\\$\\(([A-Z_]+)\\)");

    String name() {
        return object.getMetadata().getName();
    }

    Deployed deployed() {
        return Deployed.of(name());
    }

    /** The container that runs the service. */
    Container main() {
        return template.getSpec().getContainers().stream()
                .filter(c -> c.getName().equals(name()))
                .findFirst()
                .orElseThrow();
    }

    List<Container> containers() {
        List<Container> all = new ArrayList<>(template.getSpec().getInitContainers());
        all.addAll(template.getSpec().getContainers());
        return all;
    }

    /** The environment that kubelet makes of ConfigMaps, variables and references among them. */
    Map<String, String> environment() {
        Map<String, String> known = new LinkedHashMap<>();
        if (template.getSpec().getEnableServiceLinks()) {
            // kubelet sets none for a headless one.
            cluster.all(Service.class).stream()
                    .filter(service -> !"None".equals(service.getSpec().getClusterIP()))
                    .forEach(service -> known.put(
                            service.getMetadata()
                                            .getName()
                                            .toUpperCase(java.util.Locale.ROOT)
                                            .replace('-', '_') + "_SERVICE_HOST",
                            CLUSTER_IP));
        }
        Map<String, String> environment = new LinkedHashMap<>();
        main().getEnvFrom()
                .forEach(from -> environment.putAll(
                        cluster.one(ConfigMap.class, from.getConfigMapRef().getName())
                                .getData()));
        known.putAll(environment);
        for (EnvVar variable : main().getEnv()) {
            String value = variable.getValueFrom() == null
                    ? REFERENCE.matcher(variable.getValue()).replaceAll(match -> {
                        if (!known.containsKey(match.group(1))) {
                            throw new AssertionError(name() + ": " + variable.getName() + " refers to " + match.group(1)
                                    + ", which is set nowhere before it");
                        }
                        return known.get(match.group(1));
                    })
                    : field(variable.getValueFrom().getFieldRef().getFieldPath());
            known.put(variable.getName(), value);
            environment.put(variable.getName(), value);
        }
        return environment;
    }

    private static String field(String path) {
        return switch (path) {
            case "status.hostIP" -> "192.0.2.10";
            case "spec.nodeName" -> "node-1";
            default -> throw new AssertionError("the test does not know the field " + path);
        };
    }

    @Override
    public String toString() {
        return name();
    }
}

package io.podwire.policy.watch;

import io.podwire.policy.model.Candidates;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Manifests that are asked about and not applied: read as those of a folder are. */
public final class CandidateManifests {
    private CandidateManifests() {}

    /**
     * Reads YAML of any number of documents, or JSON.
     *
     * @throws IllegalArgumentException when it cannot be read as a whole
     */
    public static Candidates parse(String text) {
        Manifest manifest = Manifest.parse(text.getBytes(StandardCharsets.UTF_8));
        List<String> ignored = new ArrayList<>();
        manifest.namespaces().forEach(namespace -> ignored.add("Namespace " + namespace.name()));
        manifest.pods().forEach(pod -> ignored.add("Pod " + pod.key()));
        manifest.nodes().forEach(node -> ignored.add("Node " + node.name()));
        ignored.addAll(manifest.ignored());
        return new Candidates(manifest.policies(), manifest.clusterPolicies(), ignored);
    }
}

package io.podwire.e2e.bench;

import java.nio.file.Path;
import java.util.Map;

/** The variables of a CNI call about eth0 of a pod. */
final class CniEnvironment {
    private CniEnvironment() {}

    static Map<String, String> of(String verb, String id, String netns, Path plugins) {
        return Map.of(
                "CNI_COMMAND",
                verb,
                "CNI_CONTAINERID",
                id,
                "CNI_NETNS",
                "/run/netns/" + netns,
                "CNI_IFNAME",
                "eth0",
                "CNI_PATH",
                plugins.toString(),
                "PATH",
                "/usr/sbin:/usr/bin:/sbin:/bin",
                "CNI_ARGS",
                "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=" + id);
    }
}

package io.podwire.cli.lab;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * One interface of one container, as a runtime names it to a plugin.
 *
 * @param containerId CNI_CONTAINERID
 * @param netns CNI_NETNS, a path; empty when the namespace is gone
 * @param ifname CNI_IFNAME
 * @param args pairs of CNI_ARGS, in their order
 * @param capabilities values for runtimeConfig by capability name
 */
public record CniAttachment(
        String containerId, String netns, String ifname, Map<String, String> args, JsonNode capabilities) {
    /** Copies what could change. */
    public CniAttachment {
        args = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(args));
        capabilities = capabilities.deepCopy();
    }

    /** A pod's eth0 with the CNI_ARGS that containerd and CRI-O send. */
    public static CniAttachment pod(String namespace, String name, String uid, String containerId, String netns) {
        Map<String, String> args = new LinkedHashMap<>();
        args.put("IgnoreUnknown", "1");
        args.put("K8S_POD_NAMESPACE", namespace);
        args.put("K8S_POD_NAME", name);
        args.put("K8S_POD_INFRA_CONTAINER_ID", containerId);
        args.put("K8S_POD_UID", uid);
        return new CniAttachment(containerId, netns, "eth0", args, JsonNodeFactory.instance.objectNode());
    }

    /** The same attachment without its network namespace: the second DEL of containerd. */
    public CniAttachment withoutNetns() {
        return new CniAttachment(containerId, "", ifname, args, capabilities);
    }

    /** CNI_ARGS. */
    String argsText() {
        return args.entrySet().stream()
                .map(pair -> pair.getKey() + "=" + pair.getValue())
                .collect(Collectors.joining(";"));
    }
}

package io.podwire.cli.lab;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.UUID;

/**
 * A pod of the lab, not attached by itself.
 *
 * @param namespace Kubernetes namespace
 * @param app value of its only label, "app"
 * @param node name of its node
 * @param uid metadata.uid
 */
public record Pod(String namespace, String name, String app, String node, String uid) {
    /** A pod with a new uid. */
    public static Pod of(String namespace, String name, String app, String node) {
        return new Pod(namespace, name, app, node, UUID.randomUUID().toString());
    }

    /** Name of its network namespace. */
    public String netns() {
        return "pod-" + namespace + "-" + name;
    }

    /** Sandbox id: 64 hexadecimal digits, as containerd's. */
    public String containerId() {
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(uid.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /** How a runtime names its eth0. */
    public CniAttachment attachment() {
        return CniAttachment.pod(namespace, name, uid, containerId(), "/run/netns/" + netns());
    }

    /** Its Kubernetes object. */
    String manifest() {
        return """
                apiVersion: v1
                kind: Pod
                metadata:
                  namespace: %s
                  name: %s
                  uid: %s
                  labels:
                    app: %s
                spec:
                  nodeName: %s
                  containers:
                    - name: main
                      image: busybox
                """.formatted(namespace, name, uid, app, node);
    }
}

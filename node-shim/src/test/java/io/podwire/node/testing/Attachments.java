package io.podwire.node.testing;

import io.podwire.common.net.PodAddresses;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.Attachment.PodIdentity;
import io.podwire.node.plan.EndpointKey;
import java.time.Instant;
import java.util.List;

/** Attachments as AddFlow makes them. */
public final class Attachments {
    private Attachments() {}

    /** One without a namespace, for tests that touch no kernel. */
    public static Attachment of(String containerId, String address) {
        return of(containerId, address, "/run/netns/" + containerId, 0);
    }

    /** One in a namespace. */
    public static Attachment in(NetnsSandbox.Space pod, String containerId, String address) {
        return of(containerId, address, pod.path().toString(), pod.netns().inode());
    }

    private static Attachment of(String containerId, String address, String path, long inode) {
        EndpointKey key = new EndpointKey(containerId, "eth0");
        PodAddresses addresses = PodAddresses.parse(List.of(address.split(",")));
        return new Attachment(
                key,
                "podwire",
                new PodIdentity("default", "pod-" + containerId, "", false),
                path,
                inode,
                PodNames.hostIfname(key),
                PodNames.podMac(addresses),
                addresses,
                1450,
                Attachment.State.INTENT,
                0,
                Instant.ofEpochSecond(1_700_000_000));
    }
}

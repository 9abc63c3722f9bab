package io.podwire.node.cni;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.common.net.IpAddress;
import io.podwire.node.cni.CniException.Code;
import io.podwire.node.dataplane.Finding;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.Lock;
import java.util.stream.Collectors;

/** CHECK: compares an attachment with its previous result and with the kernel, on both sides. */
public final class CheckFlow {
    private final Node node;

    /** The flow of one node. */
    public CheckFlow(Node node) {
        this.node = node;
    }

    /**
     * Verifies an attachment.
     *
     * @throws CniException code 1 for versions before 0.4.0, 103 naming every difference
     */
    public void check(CniCall call) throws CniException {
        if (!call.config().version().atLeast(CniVersion.V0_4_0)) {
            throw new CniException(
                    Code.INCOMPATIBLE_VERSION,
                    "incompatible CNI versions",
                    "CHECK needs cniVersion 0.4.0 or later, the configuration has "
                            + call.config().version().text());
        }
        ObjectNode prevResult = call.config()
                .prevResult()
                .orElseThrow(() -> new CniException(
                        Code.INVALID_CONFIG,
                        "CHECK without prevResult",
                        "the runtime must send the result of the ADD"));
        Lock lock = node.locks().get(call.key());
        lock.lock();
        try {
            List<Finding> findings = findings(call, prevResult);
            if (!findings.isEmpty()) {
                throw new CniException(
                        Code.CHECK_FAILED,
                        "the attachment of " + call.key().ifname() + " is damaged",
                        findings.stream()
                                .map(f -> f.object() + " " + f.name() + " " + f.problem())
                                .collect(Collectors.joining("; ")));
            }
        } finally {
            lock.unlock();
        }
    }

    private List<Finding> findings(CniCall call, ObjectNode prevResult) {
        Optional<Attachment> known = node.attachments().get(call.key());
        if (known.isEmpty() || !known.get().network().equals(call.config().name())) {
            return List.of(new Finding(
                    "journal",
                    call.key().toString(),
                    "is not attached to network " + call.config().name()));
        }
        Attachment attachment = known.get();
        List<Finding> findings = new ArrayList<>();
        for (IpAddress address : attachment.addresses().list()) {
            if (!names(prevResult, address)) {
                findings.add(new Finding(
                        "address", address.toString(), "is the container's, but prevResult does not name it"));
            }
        }
        findings.addAll(node.ruleset().check(attachment.key()));
        try (Netns pod = Netns.open(call.netns().orElseThrow())) {
            if (pod.inode() == attachment.netnsInode()) {
                findings.addAll(node.wiring().check(attachment, pod, CniResult.routed(prevResult, PodNames::gateway)));
                findings.addAll(node.extras().check(attachment, pod));
            } else {
                findings.add(new Finding(
                        "netns",
                        call.netns().get().toString(),
                        "is another network namespace than the one the container was attached in"));
            }
        } catch (NetnsException e) {
            findings.add(new Finding("netns", call.netns().orElseThrow().toString(), String.valueOf(e.getMessage())));
        }
        return findings;
    }

    private static boolean names(ObjectNode prevResult, IpAddress address) {
        for (JsonNode ip : prevResult.path("ips")) {
            if (addressOf(ip.path("address").asText("")).equals(Optional.of(address))) {
                return true;
            }
        }
        return false;
    }

    /** Of CIDR text with or without host bits; an IPv6 address has several spellings. */
    private static Optional<IpAddress> addressOf(String cidr) {
        try {
            return Optional.of(IpAddress.parse(cidr.substring(0, Math.max(0, cidr.indexOf('/')))));
        } catch (IllegalArgumentException _) {
            return Optional.empty();
        }
    }
}

package io.podwire.node.upstream;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.dataplane.Finding;
import io.podwire.node.journal.Attachment;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Whose addresses are, by this node and by ipam-service. Pure. */
final class OwnershipAudit {
    private OwnershipAudit() {}

    /**
     * Every difference.
     *
     * @param given the blocks that this node gives addresses of
     * @param owned those that ipam-service says it owns
     * @param singles addresses that pods have of ipam-service's own blocks
     * @param attachments that are in the journal
     */
    static List<Finding> compare(
            Collection<IpPrefix> given,
            Collection<IpPrefix> owned,
            Collection<IpAddress> singles,
            Collection<Attachment> attachments) {
        List<Finding> findings = new ArrayList<>();
        given.stream()
                .filter(block -> !owned.contains(block))
                .forEach(block -> findings.add(new Finding(
                        "block",
                        block.toString(),
                        "gives addresses to pods, and ipam-service does not say that this node owns it")));
        owned.stream()
                .filter(block -> !given.contains(block))
                .forEach(block -> findings.add(new Finding(
                        "block", block.toString(), "is this node's by ipam-service, and node-shim does not know it")));
        Map<IpAddress, Attachment> owners = new HashMap<>();
        for (Attachment attachment : attachments) {
            for (IpAddress address : attachment.addresses().list()) {
                if (!singles.contains(address) && given.stream().noneMatch(block -> block.contains(address))) {
                    findings.add(new Finding(
                            "address", address.toString(), "of " + attachment.key() + " is in no block of this node"));
                }
                Attachment other = owners.putIfAbsent(address, attachment);
                if (other != null) {
                    findings.add(new Finding(
                            "address",
                            address.toString(),
                            "has two owners, " + other.key() + " and " + attachment.key()));
                }
            }
        }
        return findings;
    }
}

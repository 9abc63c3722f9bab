package io.podwire.node.cni;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.node.cni.CniException.Code;
import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.EndpointKey;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * GC: removes every attachment of the network that the runtime does not name as valid.
 *
 * <p>Three inputs are told apart: a list names what is valid; JSON null, which CRI-O sends for a node
 * without pods, means that nothing is; a missing key is refused, because deleting everything must be
 * said. An ADD under way is no candidate.
 */
public final class GcFlow {
    private static final Logger log = LoggerFactory.getLogger(GcFlow.class);
    private static final String VALID = "cni.dev/valid-attachments";
    private static final String ALIAS = "cni.dev/attachments";

    private final Node node;
    private final DelFlow del;

    /** The flow of one node. */
    public GcFlow(Node node, DelFlow del) {
        this.node = node;
        this.del = del;
    }

    /**
     * Collects what is stale.
     *
     * @throws CniException code 1 for versions before 1.1.0, 7 when the valid attachments are missing
     *     or malformed, 104 naming what could not be removed after all the rest was
     */
    public void collect(NetworkConfig config) throws CniException {
        if (!config.version().atLeast(CniVersion.V1_1_0)) {
            throw new CniException(
                    Code.INCOMPATIBLE_VERSION,
                    "incompatible CNI versions",
                    "GC needs cniVersion 1.1.0 or later, the configuration has "
                            + config.version().text());
        }
        Set<EndpointKey> valid = valid(config);
        List<String> failures = new ArrayList<>();
        for (Attachment attachment : node.attachments().all(Attachment.State.ATTACHED)) {
            if (attachment.network().equals(config.name()) && !valid.contains(attachment.key())) {
                log.info("GC removes {} with {}", attachment.key(), attachment.addresses());
                try {
                    del.del(attachment.key(), config.name());
                } catch (RuntimeException e) {
                    log.error("GC cannot remove {}, going on with the rest", attachment.key(), e);
                    failures.add(attachment.key() + ": " + e.getMessage());
                }
            }
        }
        if (!failures.isEmpty()) {
            throw new CniException(Code.INTERNAL, "some attachments could not be removed", String.join("; ", failures));
        }
    }

    private static Set<EndpointKey> valid(NetworkConfig config) throws CniException {
        JsonNode list =
                config.raw().has(VALID) ? config.raw().get(VALID) : config.raw().get(ALIAS);
        if (list == null) {
            throw invalid("the key is missing: Podwire does not take that for 'none is valid'; send [] for it");
        }
        Set<EndpointKey> valid = new HashSet<>();
        if (list.isNull()) {
            return valid;
        }
        if (!list.isArray()) {
            throw invalid("it must be a list or null, got " + list.getNodeType());
        }
        for (JsonNode entry : list) {
            String containerId = entry.path("containerID").asText("");
            String ifname = entry.path("ifname").asText("");
            if (containerId.isEmpty() || ifname.isEmpty()) {
                throw invalid("each entry needs containerID and ifname");
            }
            valid.add(new EndpointKey(containerId, ifname));
        }
        return valid;
    }

    private static CniException invalid(String details) {
        return new CniException(Code.INVALID_CONFIG, "invalid " + VALID, details);
    }
}

package io.podwire.ipam.core;

import io.podwire.common.net.IpFamily;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A node's wish for one more block.
 *
 * @param caller the node
 * @param nodeLabels the node's labels, for the pools' node selectors; at most 1000
 * @param pool name of the pool to take from, or {@link #ANY_POOL}
 * @param family of the block's addresses
 * @param requestId unique to this wish and repeated on a retry, 1 to 64 characters of [A-Za-z0-9-]
 */
public record ClaimRequest(
        NodeEpoch caller, Map<String, String> nodeLabels, String pool, IpFamily family, String requestId) {
    /** The first pool by name, of the family and for pods of any namespace on the node, that has a free block. */
    public static final String ANY_POOL = "";

    private static final Pattern REQUEST_ID = Pattern.compile("[A-Za-z0-9-]{1,64}");
    private static final int MOST_LABELS = 1000;

    /** Checks pool name, request id and the number of labels. */
    public ClaimRequest {
        if (!pool.equals(ANY_POOL)) {
            Pool.checkName(pool);
        }
        if (!REQUEST_ID.matcher(requestId).matches()) {
            throw new IllegalArgumentException(
                    "'" + requestId + "' is not a request id: 1 to 64 characters of [A-Za-z0-9-]");
        }
        if (nodeLabels.size() > MOST_LABELS) {
            throw new IllegalArgumentException(
                    "a claim tells at most " + MOST_LABELS + " node labels, got " + nodeLabels.size());
        }
        nodeLabels = Map.copyOf(nodeLabels);
    }

    /** True when a pool of this name may serve this wish. */
    public boolean names(String poolName) {
        return pool.equals(ANY_POOL) || pool.equals(poolName);
    }

    /** True when the block would serve this wish. */
    public boolean accepts(Block block) {
        return names(block.pool()) && block.cidr().family() == family;
    }
}

package io.podwire.ipam.core;

import java.util.regex.Pattern;

/**
 * A node's wish for one more block.
 *
 * @param caller the node
 * @param pool name of the pool to take from, or {@link #ANY_POOL}
 * @param requestId unique to this wish and repeated on a retry, 1 to 64 characters of [A-Za-z0-9-]
 */
public record ClaimRequest(NodeEpoch caller, String pool, String requestId) {
    /** The first pool by name that has a free block. */
    public static final String ANY_POOL = "";

    private static final Pattern REQUEST_ID = Pattern.compile("[A-Za-z0-9-]{1,64}");

    /** Checks pool name and request id. */
    public ClaimRequest {
        if (!pool.equals(ANY_POOL)) {
            Pool.checkName(pool);
        }
        if (!REQUEST_ID.matcher(requestId).matches()) {
            throw new IllegalArgumentException(
                    "'" + requestId + "' is not a request id: 1 to 64 characters of [A-Za-z0-9-]");
        }
    }

    /** True when the pool may serve this wish. */
    public boolean accepts(String poolName) {
        return pool.equals(ANY_POOL) || pool.equals(poolName);
    }
}

package io.podwire.node.cni;

import com.google.protobuf.ByteString;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Network configurations that came of late: a runtime sends the same bytes with every pod that asks for nothing of its
 * own, and reading them takes longer than looking them up. Those with a result of before are of one pod, and are not
 * kept. Safe for several threads.
 */
final class RecentConfigs {
    static final int KEPT = 4;
    /** Longer ones are read each time. */
    static final int LONGEST = 16 * 1024;

    private final Map<ByteString, NetworkConfig> kept = new LinkedHashMap<>(KEPT, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<ByteString, NetworkConfig> eldest) {
            return size() > KEPT;
        }
    };

    /**
     * Reads and checks a configuration, or finds the one that was read of the same bytes.
     *
     * @throws CniException as {@link NetworkConfig#parse}; what is wrong is read again each time
     */
    NetworkConfig parse(ByteString stdin) throws CniException {
        synchronized (kept) {
            NetworkConfig known = kept.get(stdin);
            if (known != null) {
                return known;
            }
        }
        NetworkConfig config = NetworkConfig.parse(stdin.toByteArray());
        if (stdin.size() <= LONGEST && config.prevResult().isEmpty()) {
            synchronized (kept) {
                kept.put(stdin, config);
            }
        }
        return config;
    }
}

package io.podwire.node.cni;

import io.podwire.node.cni.CniException.Code;
import java.util.List;
import java.util.function.Supplier;

/** STATUS: success only when an ADD would be served now; else the reasons, in words. */
public final class StatusFlow {
    private final Supplier<List<String>> reasons;

    /**
     * The flow of one node.
     *
     * @param reasons why an ADD would not be served now, one sentence each
     */
    public StatusFlow(Supplier<List<String>> reasons) {
        this.reasons = reasons;
    }

    /**
     * Tells the status.
     *
     * @throws CniException code 1 for versions before 1.1.0, 50 with the reasons
     */
    public void status(NetworkConfig config) throws CniException {
        if (!config.version().atLeast(CniVersion.V1_1_0)) {
            throw new CniException(
                    Code.INCOMPATIBLE_VERSION,
                    "incompatible CNI versions",
                    "STATUS needs cniVersion 1.1.0 or later, the configuration has "
                            + config.version().text());
        }
        List<String> now = reasons.get();
        if (!now.isEmpty()) {
            throw new CniException(Code.NOT_AVAILABLE, "an ADD would not be served now", String.join("; ", now));
        }
    }
}

package io.podwire.ipam.audit;

import io.podwire.ipam.binding.NodeReport;
import io.podwire.ipam.core.Ledger;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/**
 * What is compared. The reports are older than the ledger: a block is in the ledger before its node gives an address of it.
 *
 * @param ledger what the store holds
 * @param requestIds of claims that the store knows, whatever became of their blocks
 * @param reports of nodes, one each
 * @param now a monotonic time, of the reports' clock
 */
public record World(Ledger ledger, Set<String> requestIds, List<NodeReport> reports, Duration now) {
    /** Copies. */
    public World {
        requestIds = Set.copyOf(requestIds);
        reports = List.copyOf(reports);
    }
}

package io.podwire.ipam.service;

import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.core.NodeEpoch;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Forgets what nodes reported that are gone for good: away for an hour, and found without a block at two looks in a
 * row. Its loop owns what was found at the last look.
 */
public final class AwayNodes implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(AwayNodes.class);
    private static final Duration LEAST = Duration.ofHours(1);

    private final BlockFlow blocks;
    private final BindingTable table;
    private final TimeSource time;
    private final EventLoop loop = new EventLoop("away-nodes");
    private Set<NodeEpoch> landless = Set.of();

    /**
     * Starts looking.
     *
     * @param period time between two looks
     */
    public AwayNodes(BlockFlow blocks, BindingTable table, TimeSource time, Duration period) {
        this.blocks = blocks;
        this.table = table;
        this.time = time;
        loop.every(period, this::look);
    }

    private void look() {
        Set<String> owners;
        try {
            owners = blocks.ledger().blocks().stream()
                    .map(block -> owner(block.owner()))
                    .collect(Collectors.toSet());
        } catch (ServiceException e) {
            log.debug("nodes that are away are kept: {}", e.getMessage());
            landless = Set.of();
            return;
        }
        Set<NodeEpoch> before = landless;
        Set<NodeName> forgotten = table.forget(
                time.monotonic(),
                LEAST,
                report -> before.contains(report.epoch()) && !owners.contains(owner(report.epoch())));
        if (!forgotten.isEmpty()) {
            log.info("nodes without a block that are away for {} are forgotten: {}", LEAST, forgotten);
        }
        landless = new HashSet<>(table.snapshot().stream()
                .filter(report -> !report.connected())
                .map(report -> report.epoch())
                .filter(epoch -> !owners.contains(owner(epoch)))
                .toList());
    }

    private static String owner(NodeEpoch epoch) {
        return epoch.node() + " " + epoch.uid();
    }

    @Override
    public void close() {
        loop.close();
    }
}

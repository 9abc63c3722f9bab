package io.podwire.ipam.service;

import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Audits every so often, so that findings are counted, and confirmed before somebody asks, on a loop of its own. */
public final class Audits implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Audits.class);

    private final AuditFlow flow;
    private final EventLoop loop = new EventLoop("audits");

    /**
     * Starts looking.
     *
     * @param period time between two looks
     */
    public Audits(AuditFlow flow, Duration period) {
        this.flow = flow;
        loop.every(period, this::look);
    }

    private void look() {
        try {
            var _ = flow.look(false);
        } catch (ServiceException e) {
            log.warn("no audit of addresses: {}", e.getMessage());
        }
    }

    @Override
    public void close() {
        loop.close();
    }
}

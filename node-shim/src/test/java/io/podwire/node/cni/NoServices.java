package io.podwire.node.cni;

import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.EndpointKey;
import java.time.Duration;

/** No service is there. */
class NoServices implements Node.Services {
    @Override
    public void up(Attachment attachment) {}

    @Override
    public void upSoon(Attachment attachment) {
        up(attachment);
    }

    @Override
    public void down(EndpointKey key) {}

    @Override
    public void addressesTaken() {}

    @Override
    public void addressesReleased() {}

    @Override
    public boolean supply(Duration longest) {
        return false;
    }

    @Override
    public String supplyOf(String pool, Duration longest) {
        return "ipam-service knows no pool " + pool;
    }

    @Override
    public String supplyProblem() {
        return "ipam-service is away";
    }
}

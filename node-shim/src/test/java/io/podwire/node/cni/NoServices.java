package io.podwire.node.cni;

import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.BarrierOutcome;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.SingleAnswer;
import io.podwire.node.plan.SingleWish;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** No service is there. */
class NoServices implements Node.Services {
    /** A namespace that was told to be at its quota, before. */
    static final String FULL = "full";

    @Override
    public void up(Attachment attachment) {}

    @Override
    public void upSoon(Attachment attachment) {
        up(attachment);
    }

    @Override
    public CompletableFuture<BarrierOutcome> enforcedElsewhere(Attachment attachment, Duration longest) {
        return CompletableFuture.completedFuture(new BarrierOutcome.Complete());
    }

    @Override
    public void down(EndpointKey key) {}

    @Override
    public boolean atQuota(String namespace) {
        return namespace.equals(FULL);
    }

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
    public SingleAnswer allocate(SingleWish wish, Duration longest) {
        return new SingleAnswer.NotNow("ipam-service is away");
    }

    @Override
    public void releaseSingles(EndpointKey key) {}

    @Override
    public CompletableFuture<Void> announceSingles() {
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public void meet(String namespace) {}

    @Override
    public String supplyProblem() {
        return "ipam-service is away";
    }
}

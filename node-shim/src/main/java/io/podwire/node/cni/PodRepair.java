package io.podwire.node.cni;

import io.podwire.node.dataplane.BridgeWiring;
import io.podwire.node.dataplane.DriftWatch;
import io.podwire.node.dataplane.Finding;
import io.podwire.node.dataplane.Repair;
import io.podwire.node.journal.Attachment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.Lock;

/**
 * Repairs the node's side of attachments that others have damaged. One that an ADD or a DEL is working on is left to
 * that, and looked at again. One thread calls it.
 */
public final class PodRepair {
    private final Node node;

    /** The repair of one node's attachments. */
    public PodRepair(Node node) {
        this.node = node;
    }

    /** Looks at every attachment that is done. */
    public DriftWatch.Result look() {
        List<Repair> repairs = new ArrayList<>();
        List<Finding> beyondRepair = new ArrayList<>();
        boolean again = false;
        for (BridgeWiring.Damage damage :
                node.wiring().damaged(node.attachments().all(Attachment.State.ATTACHED))) {
            Lock lock = node.locks().get(damage.attachment().key());
            if (!lock.tryLock()) {
                again = true;
                continue;
            }
            try {
                if (isStill(damage.attachment())) {
                    repairs.addAll(node.wiring().mend(damage));
                    beyondRepair.addAll(damage.beyondRepair());
                }
            } finally {
                lock.unlock();
            }
        }
        return new DriftWatch.Result(repairs, beyondRepair, again);
    }

    private boolean isStill(Attachment attachment) {
        return node.attachments().get(attachment.key()).equals(Optional.of(attachment));
    }
}

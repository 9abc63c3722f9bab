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
    private final BridgeWiring bridge;

    /** The repair of one node's attachments on its bridge. */
    public PodRepair(Node node, BridgeWiring bridge) {
        this.node = node;
        this.bridge = bridge;
    }

    /** Looks at every one that is done. */
    public DriftWatch.Result look() {
        List<Repair> repairs = new ArrayList<>();
        List<Finding> beyondRepair = new ArrayList<>();
        boolean again = false;
        List<Attachment> onBridge = node.attachments().all(Attachment.State.ATTACHED).stream()
                .filter(BridgeWiring::isWired)
                .toList();
        for (BridgeWiring.Damage damage : bridge.damaged(onBridge)) {
            Lock lock = node.locks().get(damage.attachment().key());
            if (!lock.tryLock()) {
                again = true;
                continue;
            }
            try {
                if (isStill(damage.attachment())) {
                    repairs.addAll(bridge.mend(damage));
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

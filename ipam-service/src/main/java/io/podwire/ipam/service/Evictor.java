package io.podwire.ipam.service;

import io.podwire.ipam.core.HoldingPod;

/** Makes pods leave. */
@FunctionalInterface
public interface Evictor {
    /** What became of a pod. */
    enum Outcome {
        /** It is leaving, by this call. */
        EVICTED,
        /** It may not leave now, or nobody knows: later perhaps. */
        LATER,
        /** There is nothing to evict: it is gone, leaves already, or is its node's own. */
        NOT_THERE
    }

    /** Asks a pod to leave; does not wait until it has. */
    Outcome evict(HoldingPod pod);
}

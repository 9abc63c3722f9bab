package io.podwire.node.dataplane;

/**
 * Runs every step of a removal, whatever becomes of the ones before, and fails at the end if one did:
 * a DEL leaves as little as it can, and the runtime's next DEL finds only that. Used by one thread.
 */
public final class EveryStep {
    private RuntimeException failure;

    /** Runs a step; its failure is kept for {@link #finish}. */
    public void run(Runnable step) {
        try {
            step.run();
        } catch (RuntimeException e) {
            if (failure == null) {
                failure = e;
            } else {
                failure.addSuppressed(e);
            }
        }
    }

    /** Throws the first failure, the others suppressed in it. */
    public void finish() {
        if (failure != null) {
            throw failure;
        }
    }
}

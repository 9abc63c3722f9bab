package io.podwire.node.sched;

import io.podwire.node.ffm.Libc;
import java.util.BitSet;

/**
 * Has a thread begin its next piece of work beside the thread that gives it, and not in its place.
 *
 * <p>The kernel wakes a thread on the processor of the one that woke it, without a look for an idle one, where all of them
 * were busy in the last milliseconds (SIS_UTIL, kernel/sched/fair.c), and runs it first: an ADD's thread then stood still
 * for as long as its rules took, 0.35 ms, with another processor idle. For the moment of its waking the thread may
 * not be on the caller's processor; from then on it may be on any, as before.
 *
 * <p>It changes nothing where there is one processor alone. Safe for any threads.
 */
public final class BesideCaller {
    private volatile Worker worker = new Worker(0, new BitSet());

    /**
     * The thread that works.
     *
     * @param number the kernel's; 0: there is nothing to choose
     * @param allowed processors that it may be on
     */
    private record Worker(int number, BitSet allowed) {}

    /** The calling thread is the one that works, from now on. */
    public void here() {
        BitSet allowed = Libc.affinity(0);
        worker = new Worker(allowed.cardinality() > 1 ? Libc.gettid() : 0, allowed);
    }

    /** The thread that works is not to be woken on the calling one's processor. Call it right before that. */
    public void elsewhere() {
        Worker now = worker;
        int processor = Libc.processor();
        if (now.number != 0 && processor >= 0) {
            BitSet others = (BitSet) now.allowed.clone();
            others.clear(processor);
            // Where a cpuset has taken the others away meanwhile it fails, and nothing is lost.
            var _ = Libc.setAffinity(now.number, others);
        }
    }

    /** By the thread that works, once it does: the kernel moves it as any other again. */
    public void anywhere() {
        Worker now = worker;
        if (now.number != 0) {
            var _ = Libc.setAffinity(0, now.allowed);
        }
    }
}

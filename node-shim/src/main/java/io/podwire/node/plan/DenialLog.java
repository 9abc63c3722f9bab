package io.podwire.node.plan;

/**
 * Where packets that policies deny are told.
 *
 * @param group of nfnetlink_log, 0 to 65535
 * @param perSecond packets of one chain at most, 1 to 100000
 */
public record DenialLog(int group, int perSecond) {
    /** Checks the ranges. */
    public DenialLog {
        if (group < 0 || group > 65535) {
            throw new IllegalArgumentException("log group must be 0 to 65535, got " + group);
        }
        if (perSecond < 1 || perSecond > 100_000) {
            throw new IllegalArgumentException("log rate must be 1 to 100000 a second, got " + perSecond);
        }
    }
}

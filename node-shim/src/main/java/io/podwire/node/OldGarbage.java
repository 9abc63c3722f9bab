package io.podwire.node;

import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

/**
 * Has the old generation collected while nobody waits for it. The serial collector does so only when the heap has
 * reached its limit: until then what short-lived objects a burst of ADDs leaves there would be memory of every node.
 * Safe for one thread.
 */
final class OldGarbage {
    /** So much may lie there, in bytes: some two bursts of a hundred ADDs. */
    static final long ALLOWED = 3L << 20;

    private final LongSupplier used;
    private final LongSupplier live;
    private final BooleanSupplier quiet;
    private final Runnable collect;

    /**
     * Looks at nothing yet.
     *
     * @param used bytes in the old generation now
     * @param live bytes in it after it was collected last, 0 when it never was
     * @param quiet whether nobody waits for anything now
     * @param collect collects it: a pause of some 30 ms
     */
    OldGarbage(LongSupplier used, LongSupplier live, BooleanSupplier quiet, Runnable collect) {
        this.used = used;
        this.live = live;
        this.quiet = quiet;
        this.collect = collect;
    }

    /** Of this JVM; empty where its collector is another one, which has rules of its own. */
    static Optional<OldGarbage> ofThisJvm(BooleanSupplier quiet) {
        return ManagementFactory.getMemoryPoolMXBeans().stream()
                .filter(pool -> pool.getName().equals("Tenured Gen"))
                .findFirst()
                .map(pool -> new OldGarbage(() -> pool.getUsage().getUsed(), () -> liveBytes(pool), quiet, System::gc));
    }

    private static long liveBytes(MemoryPoolMXBean pool) {
        return pool.getCollectionUsage().getUsed();
    }

    /** Collects if there is reason to. */
    void look() {
        if (used.getAsLong() - live.getAsLong() > ALLOWED && quiet.getAsBoolean()) {
            collect.run();
        }
    }
}

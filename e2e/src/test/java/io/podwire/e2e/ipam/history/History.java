package io.podwire.e2e.ipam.history;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;

/** Records operations on blocks as they happen. For any number of threads. */
public final class History {
    private final AtomicLong clock = new AtomicLong();
    private final Map<String, ConcurrentLinkedQueue<Operation>> byBlock = new TreeMap<>();

    /**
     * An empty history.
     *
     * @param blocks all that there are
     */
    public History(List<String> blocks) {
        blocks.forEach(block -> byBlock.put(block, new ConcurrentLinkedQueue<>()));
    }

    /** A moment that is later than all before it: take one right before a call and one right after its answer. */
    public long moment() {
        return clock.incrementAndGet();
    }

    /**
     * Records an operation.
     *
     * @param answered after the answer, or {@link Operation#NEVER}
     * @throws IllegalArgumentException when the block is none of the history's
     */
    public void add(String block, Deed deed, long invoked, long answered) {
        ConcurrentLinkedQueue<Operation> operations = byBlock.get(block);
        if (operations == null) {
            throw new IllegalArgumentException(
                    deed + " is about block " + block + ", which is not one of " + byBlock.keySet());
        }
        operations.add(new Operation(deed, invoked, answered));
    }

    /** All blocks. */
    public List<String> blocks() {
        return List.copyOf(byBlock.keySet());
    }

    /** What was recorded until now, by block. */
    public Map<String, List<Operation>> operations() {
        Map<String, List<Operation>> copy = new TreeMap<>();
        byBlock.forEach((block, operations) -> copy.put(block, new ArrayList<>(operations)));
        return copy;
    }
}

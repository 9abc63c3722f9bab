package io.podwire.ipam.service;

import io.podwire.common.loop.EventLoop;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which namespaces are at their quota, for nodes, which give out addresses by themselves. Its loop looks and wakes those
 * that are to tell; a reader asks for the newest state, so that a slow one has no queue.
 */
public final class FullNamespaces implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(FullNamespaces.class);

    private final NamespaceUse use;
    private final Set<Runnable> readers = ConcurrentHashMap.newKeySet();
    private final EventLoop loop = new EventLoop("namespaces");
    private volatile List<String> newest = List.of();
    /** What the log was told; of the loop. */
    private List<String> told = List.of();

    /**
     * Starts looking, where there is any quota.
     *
     * @param period time between two looks: so long nodes do not know what other nodes' reports came to
     */
    public FullNamespaces(NamespaceUse use, Duration period) {
        this.use = use;
        if (use.limited()) {
            loop.every(period, this::look);
        }
    }

    /** Those that may have no more, in order. */
    List<String> now() {
        return newest;
    }

    /** Looks at some at once, which a report may have filled; the rest waits for the next look. */
    synchronized void used(Collection<String> namespaces) {
        SortedSet<String> filled = new TreeSet<>(namespaces);
        filled.removeIf(namespace -> !use.full(namespace));
        if (!newest.containsAll(filled)) {
            filled.addAll(newest);
            newest = List.copyOf(filled);
        }
    }

    private synchronized List<String> lookAtAll() {
        List<String> now = use.full();
        if (!now.equals(newest)) {
            newest = now;
        }
        return newest;
    }

    /** Runs this after each look, until {@link #remove}; it must not wait. */
    void add(Runnable reader) {
        readers.add(reader);
    }

    /** Runs it no more. */
    void remove(Runnable reader) {
        readers.remove(reader);
    }

    private void look() {
        List<String> now = lookAtAll();
        List<String> filled = without(now, told);
        List<String> open = without(told, now);
        told = now;
        filled.forEach(name -> log.info("namespace {} is at its quota: nodes give no address to its new pods", name));
        open.forEach(name -> log.info("namespace {} is below its quota again", name));
        readers.forEach(Runnable::run);
    }

    private static List<String> without(List<String> all, List<String> some) {
        List<String> left = new ArrayList<>(all);
        left.removeAll(Set.copyOf(some));
        return left;
    }

    @Override
    public void close() {
        loop.close();
    }
}

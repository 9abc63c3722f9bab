package io.podwire.ipam.source;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.KubernetesResourceList;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.client.dsl.AnyNamespaceOperation;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.podwire.common.loop.EventLoop;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.function.Consumer;
import java.util.function.Function;
import org.pcollections.TreePMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All objects of one kind of a Kubernetes cluster, told anew after each change. The loop of whoever is told owns all
 * state: the informer only posts to it.
 *
 * <p>Nothing is told before the first list. Watches are known to stop without a word, and a first list after an
 * outage is known to come back empty: so everything is listed and compared now and then, a deletion that the watch
 * did not see itself is taken only from such a list, and a list that lost more than half is believed when the next
 * one agrees.
 *
 * @param <T> the objects as Kubernetes has them
 * @param <V> what is kept of each
 */
final class WatchedKind<T extends HasMetadata, V> implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(WatchedKind.class);
    private static final Duration SYNC_POLL = Duration.ofMillis(50);
    private static final int POLLS_BEFORE_WARNING = 200;

    private final Words words;
    private final AnyNamespaceOperation<T, ? extends KubernetesResourceList<T>, ?> objects;
    private final Function<T, V> mapping;
    private final EventLoop loop;
    private final Pace pace;
    private final Consumer<SortedMap<String, V>> told;
    private final SharedIndexInformer<T> informer;
    private final Set<String> touchedWhileListing = new HashSet<>();
    private TreePMap<String, V> known = TreePMap.empty();
    private int polls;
    private boolean listing;
    private boolean listAgain;
    private boolean doubted;
    private boolean synced;
    private volatile boolean closed;

    /**
     * What log lines say.
     *
     * @param plural of the kind
     * @param unlisted what to look at where it is not listed, and what holds meanwhile
     */
    record Words(String plural, String unlisted) {}

    /**
     * How often and how soon.
     *
     * @param compare between two full lists
     * @param confirm until a doubtful or failed list is asked for again
     */
    record Pace(Duration compare, Duration confirm) {}

    /**
     * Starts.
     *
     * @param mapping of an object; it does not throw
     * @param told is given all of them, by name or by namespace/name, on the loop; a copy that does not change
     */
    WatchedKind(
            Words words,
            AnyNamespaceOperation<T, ? extends KubernetesResourceList<T>, ?> objects,
            Function<T, V> mapping,
            EventLoop loop,
            Pace pace,
            Consumer<SortedMap<String, V>> told) {
        this.words = words;
        this.objects = objects;
        this.mapping = mapping;
        this.loop = loop;
        this.pace = pace;
        this.told = told;
        this.informer = objects.runnableInformer(0);
        // fabric8 logs the failure itself; it must try again until we close.
        informer.exceptionHandler((_, _) -> !closed);
        informer.addEventHandler(new ResourceEventHandler<>() {
            @Override
            public void onAdd(T object) {
                loop.execute(() -> watched(name(object), Optional.of(object)));
            }

            @Override
            public void onUpdate(T before, T object) {
                onAdd(object);
            }

            @Override
            public void onDelete(T object, boolean deletedFinalStateUnknown) {
                loop.execute(() -> {
                    if (deletedFinalStateUnknown) {
                        compare();
                    } else {
                        watched(name(object), Optional.empty());
                    }
                });
            }
        });
        var _ = informer.start();
        loop.schedule(SYNC_POLL, this::awaitFirstList);
        loop.every(pace.compare(), this::compare);
    }

    private static String name(HasMetadata object) {
        ObjectMeta meta = object.getMetadata();
        return meta.getNamespace() == null ? meta.getName() : meta.getNamespace() + "/" + meta.getName();
    }

    private void awaitFirstList() {
        if (!informer.hasSynced()) {
            polls++;
            if (polls == POLLS_BEFORE_WARNING) {
                log.warn("Kubernetes has not listed its {} yet: {}", words.plural(), words.unlisted());
            }
            loop.schedule(SYNC_POLL, this::awaitFirstList);
            return;
        }
        known = byName(informer.getStore().list());
        synced = true;
        log.info("Kubernetes has {} {}", known.size(), words.plural());
        told.accept(known);
    }

    private TreePMap<String, V> byName(List<T> listed) {
        TreePMap<String, V> byName = TreePMap.empty();
        for (T object : listed) {
            byName = byName.plus(name(object), mapping.apply(object));
        }
        return byName;
    }

    private void watched(String name, Optional<T> object) {
        if (listing) {
            touchedWhileListing.add(name);
        }
        if (synced) {
            known = object.isPresent() ? known.plus(name, mapping.apply(object.get())) : known.minus(name);
            told.accept(known);
        }
    }

    /** Lists everything beside the loop, then compares on it. To be called there. */
    void compare() {
        if (!synced) {
            return;
        }
        if (listing) {
            listAgain = true;
            return;
        }
        listing = true;
        listAgain = false;
        touchedWhileListing.clear();
        Thread.ofVirtual().name("list-" + words.plural()).start(() -> {
            try {
                List<T> listed = objects.list().getItems();
                loop.execute(() -> compareWith(byName(listed)));
            } catch (RuntimeException e) {
                loop.execute(() -> {
                    listing = false;
                    log.warn("listing {} failed, trying again in {}: {}", words.plural(), pace.confirm(), e.toString());
                    loop.schedule(pace.confirm(), this::compare);
                });
            }
        });
    }

    private void compareWith(TreePMap<String, V> listed) {
        listing = false;
        if (isDoubtful(known.size(), listed.size()) && !doubted) {
            log.warn("a list of {} lost more than half of them, asking again in {}", words.plural(), pace.confirm());
            doubted = true;
            loop.schedule(pace.confirm(), this::compare);
            return;
        }
        doubted = false;
        // What the watch reported since the list began may be newer than the list.
        TreePMap<String, V> next = listed;
        for (String name : touchedWhileListing) {
            V newer = known.get(name);
            next = newer == null ? next.minus(name) : next.plus(name, newer);
        }
        known = next;
        told.accept(known);
        if (listAgain) {
            compare();
        }
    }

    /** True when a list lost so much that it may be an API server's that has not found itself yet. */
    static boolean isDoubtful(int before, int after) {
        return after * 2 < before;
    }

    /** Stops watching; nothing is told any more once the loop is closed. */
    @Override
    public void close() {
        closed = true;
        informer.stop();
    }
}

package io.podwire.policy.watch;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.client.informers.cache.Cache;
import io.fabric8.kubernetes.client.informers.cache.ItemStore;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * What an informer keeps of each object: name, namespace, uid and version. With them it tells a change from a repetition
 * and names what is gone; our own records have the rest. A pod of the API has some 10 KB, this some hundred bytes.
 */
final class KeyStore<T extends HasMetadata> implements ItemStore<T> {
    private final Supplier<T> bare;
    private final Map<String, T> kept = new ConcurrentHashMap<>();

    /**
     * An empty store.
     *
     * @param bare makes an object without content
     */
    KeyStore(Supplier<T> bare) {
        this.bare = bare;
    }

    @Override
    public String getKey(T object) {
        return Cache.metaNamespaceKeyFunc(object);
    }

    @Override
    public T put(String key, T object) {
        ObjectMeta all = object.getMetadata();
        ObjectMeta few = new ObjectMeta();
        few.setNamespace(all.getNamespace());
        few.setName(all.getName());
        few.setUid(all.getUid());
        few.setResourceVersion(all.getResourceVersion());
        T keep = bare.get();
        keep.setMetadata(few);
        return kept.put(key, keep);
    }

    @Override
    public T remove(String key) {
        return kept.remove(key);
    }

    @Override
    public Stream<String> keySet() {
        return kept.keySet().stream();
    }

    @Override
    public Stream<T> values() {
        return kept.values().stream();
    }

    @Override
    public int size() {
        return kept.size();
    }

    @Override
    public T get(String key) {
        return kept.get(key);
    }

    /** False: handlers get an object as it arrives, never out of this store. */
    @Override
    public boolean isFullState() {
        return false;
    }
}

package io.podwire.node.journal;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.zip.CRC32C;
import org.h2.mvstore.MVMap;

/**
 * A map of the journal's file whose entries carry a checksum over key and value: MVStore checks where a
 * page lies, not what is on it. Not safe for several threads.
 */
final class SealedMap<K> {
    private static final int SEAL = 8;

    private final MVMap<K, String> map;

    SealedMap(MVMap<K, String> map) {
        this.map = map;
    }

    void put(K key, String value) {
        map.put(key, seal(key, value) + value);
    }

    void remove(K key) {
        map.remove(key);
    }

    void clear() {
        map.clear();
    }

    /**
     * One value.
     *
     * @throws IllegalStateException naming the entry when it is not as it was written
     */
    Optional<String> get(K key) {
        return Optional.ofNullable(map.get(key)).map(text -> open(key, text));
    }

    /**
     * All entries, in key order.
     *
     * @throws IllegalStateException naming the first entry that is not as it was written
     */
    Map<K, String> all() {
        Map<K, String> all = new LinkedHashMap<>();
        map.forEach((key, text) -> all.put(key, open(key, text)));
        return all;
    }

    /** Seals the entries of a file that was written without checksums. */
    void sealAll() {
        Map<K, String> bare = new LinkedHashMap<>(map);
        bare.forEach(this::put);
    }

    private String open(K key, String text) {
        String value = text.length() < SEAL ? "" : text.substring(SEAL);
        if (!text.startsWith(seal(key, value))) {
            throw new IllegalStateException("entry " + key + " of " + map.getName() + " has another checksum");
        }
        return value;
    }

    private static String seal(Object key, String value) {
        CRC32C checksum = new CRC32C();
        checksum.update(key.toString().getBytes(StandardCharsets.UTF_8));
        checksum.update(0);
        checksum.update(value.getBytes(StandardCharsets.UTF_8));
        return HexFormat.of().toHexDigits((int) checksum.getValue());
    }
}

package io.podwire.ipam.service;

import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.SelectedNamespaces;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The labels of namespaces, as their source says, and what pools' namespace selectors come to. Guarded by its own
 * monitor.
 *
 * <p>A list that lost more than half of the namespaces may be of a source that has not found itself yet: what is missing
 * stays until it has been missing for half a minute. What is there counts at once.
 */
public final class NamespaceCatalog {
    private static final Logger log = LoggerFactory.getLogger(NamespaceCatalog.class);
    static final Duration CONFIRM = Duration.ofSeconds(30);
    private static final String UNREAD = "";
    private static final int VERSION_BYTES = 16;

    private final TimeSource time;
    private final boolean sourced;
    private Optional<TreeMap<String, Map<String, String>>> believed = Optional.empty();
    /** The newest list, where it is doubted, and since when one is. */
    private Optional<TreeMap<String, Map<String, String>>> doubted = Optional.empty();

    private Duration doubtedSince = Duration.ZERO;
    private Optional<Resolved> resolved = Optional.empty();

    /**
     * What selectors come to.
     *
     * @param version the same where {@code pools} is; empty while no list of namespaces was read
     * @param pools those that have a namespace selector, by name
     */
    public record Selections(String version, List<SelectedNamespaces> pools) {
        /** Copies. */
        public Selections {
            pools = List.copyOf(pools);
        }
    }

    /** What was resolved last, and of what. */
    private record Resolved(List<Pool> pools, Optional<TreeMap<String, Map<String, String>>> of, Selections to) {}

    /**
     * A catalog that was told nothing yet.
     *
     * @param sourced whether it will be: false where no source is configured
     */
    public NamespaceCatalog(TimeSource time, boolean sourced) {
        this.time = time;
        this.sourced = sourced;
    }

    /**
     * Takes a list of namespaces.
     *
     * @param labels of each
     * @param whole whether those that it lacks are gone; false where some could not be read
     */
    public synchronized void offer(Map<String, Map<String, String>> labels, boolean whole) {
        TreeMap<String, Map<String, String>> now = new TreeMap<>(labels);
        if (!whole) {
            believed.ifPresent(before -> before.forEach(now::putIfAbsent));
        }
        confirm();
        int before = believed.map(Map::size).orElse(0);
        if (now.size() * 2 < before) {
            if (doubted.isEmpty()) {
                log.warn(
                        "{} of {} namespaces are gone at once: pools serve them on, until that has been so for {} s",
                        before - now.size(),
                        before,
                        CONFIRM.toSeconds());
                doubtedSince = time.monotonic();
            }
            doubted = Optional.of(now);
            TreeMap<String, Map<String, String>> meanwhile = new TreeMap<>(believed.orElseThrow());
            meanwhile.putAll(now);
            believed = Optional.of(meanwhile);
        } else {
            doubted = Optional.empty();
            believed = Optional.of(now);
        }
    }

    private void confirm() {
        if (doubted.isPresent() && time.monotonic().minus(doubtedSince).compareTo(CONFIRM) >= 0) {
            believed = doubted;
            doubted = Optional.empty();
        }
    }

    /** What the namespace selectors of these pools come to now. */
    public synchronized Selections select(List<Pool> pools) {
        confirm();
        List<Pool> selecting =
                pools.stream().filter(SelectedNamespaces::selects).toList();
        if (resolved.filter(last -> last.of().equals(believed) && last.pools().equals(selecting))
                .isEmpty()) {
            List<SelectedNamespaces> selected = SelectedNamespaces.resolve(selecting, believed);
            String version = sourced && believed.isEmpty() ? UNREAD : digest(selected);
            resolved = Optional.of(new Resolved(selecting, believed, new Selections(version, selected)));
        }
        return resolved.get().to();
    }

    /** A namespace's labels; empty while nothing is known of it, or of any. */
    public synchronized Optional<Map<String, String>> labels(String namespace) {
        confirm();
        return believed.map(of -> of.get(namespace));
    }

    private static String digest(List<SelectedNamespaces> selected) {
        try {
            byte[] sum = MessageDigest.getInstance("SHA-256")
                    .digest(selected.toString().getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(sum, 0, VERSION_BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }
}

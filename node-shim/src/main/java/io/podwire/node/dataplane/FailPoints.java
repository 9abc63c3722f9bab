package io.podwire.node.dataplane;

import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Named places in ADD and DEL where a test can make the process die, fail or hang, set by the hidden
 * option {@code --fail-point NAME=kill|error|hang}; with {@code @N} behind the action, it happens when
 * the place is reached the N-th time. With none set, reaching one costs a look into an empty map.
 */
public final class FailPoints {
    /**
     * The places, in the order an ADD, a DEL and the drain of the spool reach them; add.ipv6 where a pod gets an IPv6
     * address, add.settle after the answer.
     */
    public static final List<String> NAMES = List.of(
            "add.address",
            "add.intent",
            "add.announce",
            "add.link",
            "add.host",
            "add.ipv6",
            "add.pod-up",
            "add.pod",
            "add.sysctls",
            "add.shaping",
            "add.rules",
            "add.commit",
            "add.settle",
            "del.begin",
            "del.rules",
            "del.route",
            "del.host",
            "del.link",
            "del.conntrack",
            "del.release",
            "del.commit",
            "spool.done");

    /** How long a hang lasts. */
    public static final Duration HANG = Duration.ofSeconds(5);

    private static final Logger log = LoggerFactory.getLogger(FailPoints.class);

    /** What happens at a place. */
    public enum Action {
        /** The process ends at once, as by SIGKILL. */
        KILL,
        /** The step fails. */
        ERROR,
        /** The step takes {@link FailPoints#HANG} longer. */
        HANG
    }

    /** An action, and how often its place is passed before. */
    private record Armed(Action action, int passes) {}

    private final Map<String, Armed> armed;

    private FailPoints(Map<String, Armed> armed) {
        this.armed = new ConcurrentHashMap<>(armed);
    }

    /** No failures. */
    public static FailPoints none() {
        return new FailPoints(Map.of());
    }

    /**
     * Failures by name; each happens once.
     *
     * @throws IllegalArgumentException naming the unknown place or action and those there are
     */
    public static FailPoints of(Map<String, String> actions) {
        Map<String, Armed> parsed = new ConcurrentHashMap<>();
        actions.forEach((name, action) -> {
            if (!NAMES.contains(name)) {
                throw new IllegalArgumentException("--fail-point names " + NAMES + ", got '" + name + "'");
            }
            try {
                int at = action.indexOf('@');
                String word = at < 0 ? action : action.substring(0, at);
                int times = at < 0 ? 1 : Integer.parseInt(action.substring(at + 1));
                parsed.put(name, new Armed(Action.valueOf(word.toUpperCase(Locale.ROOT)), times - 1));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException(
                        "--fail-point " + name + " needs kill, error or hang, perhaps with @N, got '" + action + "'",
                        e);
            }
        });
        return new FailPoints(parsed);
    }

    /** Reaches a place: returns, or dies, fails, hangs when a test armed it. */
    public void reach(String name) {
        Armed point = armed.get(name);
        while (point != null && point.passes() > 0) {
            if (armed.replace(name, point, new Armed(point.action(), point.passes() - 1))) {
                return;
            }
            point = armed.get(name);
        }
        if (point == null || !armed.remove(name, point)) {
            return;
        }
        switch (point.action()) {
            case KILL -> Runtime.getRuntime().halt(137);
            case ERROR -> throw new IllegalStateException("fail point " + name);
            case HANG -> {
                log.warn("fail point {} hangs", name);
                try {
                    Thread.sleep(HANG);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new IllegalStateException("fail point " + name + " was interrupted", e);
                }
            }
        }
    }
}

package io.podwire.node.dataplane;

import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;

/**
 * Named places in ADD and DEL where a test can make the process die, fail or hang, set by the hidden
 * option {@code --fail-point NAME=kill|error|hang}; with {@code @N} behind the action, it happens when
 * the place is reached the N-th time. With none set, reaching one costs a look into an empty map.
 */
public final class FailPoints {
    /** The places, in the order an ADD and a DEL reach them. */
    public static final Set<String> NAMES = Set.of(
            "add.address",
            "add.intent",
            "add.link",
            "add.host",
            "add.pod",
            "add.rules",
            "add.commit",
            "del.rules",
            "del.host",
            "del.link",
            "del.commit");

    /** What happens at a place. */
    public enum Action {
        /** The process ends at once, as by SIGKILL. */
        KILL,
        /** The step fails. */
        ERROR,
        /** The step never ends. */
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
                throw new IllegalArgumentException(
                        "--fail-point names " + NAMES.stream().sorted().toList() + ", got '" + name + "'");
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
                try {
                    new CountDownLatch(1).await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new IllegalStateException("fail point " + name + " was interrupted", e);
                }
            }
        }
    }
}

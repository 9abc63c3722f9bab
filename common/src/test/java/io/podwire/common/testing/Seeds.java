package io.podwire.common.testing;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * Seeded randomness for property tests: a failing seed is named in the failure and, added to
 * {@code seeds/<Test>.txt} on the test class path, is run first from then on.
 */
public final class Seeds {
    private Seeds() {}

    /** One run of a property. */
    @FunctionalInterface
    public interface Property {
        /** Checks the property with this randomness. */
        void check(RandomGenerator random) throws Exception;
    }

    /**
     * Runs a property with the recorded seeds of {@code test}, then with {@code count} new ones, or
     * with {@code -Dseed=N} alone.
     */
    public static void forEach(Class<?> test, int count, Property property) {
        String only = System.getProperty("seed");
        if (only != null) {
            run(Long.parseLong(only), property);
            return;
        }
        recorded(test).forEach(seed -> run(seed, property));
        long base = System.nanoTime();
        for (int i = 0; i < count; i++) {
            run(base + i, property);
        }
    }

    private static void run(long seed, Property property) {
        try {
            property.check(new SplittableRandom(seed));
        } catch (Exception | AssertionError e) {
            throw new AssertionError("property failed with -Dseed=" + seed + ": " + e.getMessage(), e);
        }
    }

    private static List<Long> recorded(Class<?> test) {
        try (InputStream in = test.getResourceAsStream("/seeds/" + test.getSimpleName() + ".txt")) {
            return in == null
                    ? List.of()
                    : new String(in.readAllBytes(), StandardCharsets.UTF_8)
                            .lines()
                            .map(line -> line.replaceFirst("#.*", "").strip())
                            .filter(line -> !line.isEmpty())
                            .map(Long::parseLong)
                            .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

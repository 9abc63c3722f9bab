package io.podwire.e2e.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Callers that each call again as soon as they are answered: how many answers a second, and how late they come. */
final class Load {
    private Load() {}

    /** One caller's way to call. */
    @FunctionalInterface
    interface Caller {
        /**
         * Calls, and returns when it is answered.
         *
         * @param number the caller's, from 0
         */
        void call(int number) throws Exception;
    }

    /**
     * What was measured.
     *
     * @param perSecond answers, of all callers
     * @param p99 ms from a call to its answer
     */
    record Result(double perSecond, double p99) {
        /**
         * Of these calls.
         *
         * @param nanos of each
         * @param all ns from the first call to the last answer
         */
        static Result of(List<Long> nanos, long all) {
            long[] sorted = nanos.stream().mapToLong(Long::longValue).sorted().toArray();
            return new Result(sorted.length * 1e9 / all, sorted[(int) Math.ceil(sorted.length * 0.99) - 1] / 1e6);
        }
    }

    /**
     * Calls for a time.
     *
     * @param seconds after which no caller calls again
     */
    static Result during(double seconds, int callers, Caller caller) throws IOException, InterruptedException {
        long end = System.nanoTime() + (long) (seconds * 1e9);
        return run(callers, caller, () -> System.nanoTime() < end);
    }

    /** Each caller calls once, all of them at once. */
    static Result atOnce(int callers, Caller caller) throws IOException, InterruptedException {
        return run(callers, caller, () -> false);
    }

    /** Whether a caller calls again. */
    @FunctionalInterface
    private interface Again {
        boolean again();
    }

    private static Result run(int callers, Caller caller, Again again) throws IOException, InterruptedException {
        List<Future<List<Long>>> running = new ArrayList<>();
        long start = System.nanoTime();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < callers; i++) {
                int number = i;
                running.add(threads.submit(() -> {
                    List<Long> nanos = new ArrayList<>();
                    do {
                        long from = System.nanoTime();
                        caller.call(number);
                        nanos.add(System.nanoTime() - from);
                    } while (again.again());
                    return nanos;
                }));
            }
        }
        long all = System.nanoTime() - start;
        List<Long> nanos = new ArrayList<>();
        for (Future<List<Long>> calls : running) {
            try {
                nanos.addAll(calls.get());
            } catch (ExecutionException e) {
                throw new IOException("a call failed: " + e.getCause(), e.getCause());
            }
        }
        return Result.of(nanos, all);
    }
}

package io.podwire.cli.lab;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;

/** Prints the demo's steps: one line each with a tick and the time it took, or all there is on a failure. */
final class Story {
    private static final int LOG_LINES = 20;

    private final PrintWriter out;
    private final long start = System.nanoTime();

    /** A step's deed, which says in some words what came of it. */
    @FunctionalInterface
    interface Deed {
        String perform() throws Exception;
    }

    Story(PrintWriter out) {
        this.out = out;
    }

    /**
     * Performs one step.
     *
     * @throws StoryEnded when it failed, after printing why
     */
    void step(String title, Deed deed) {
        long begin = System.nanoTime();
        try {
            String result = deed.perform();
            out.println("✔ " + title + " [" + ms(Duration.ofNanos(System.nanoTime() - begin)) + "]");
            result.lines().forEach(line -> out.println("    " + line));
            out.flush();
        } catch (StepFailure e) {
            out.println("✘ " + title);
            out.println("    expected: " + e.expected());
            out.println("    seen:     " + e.seen());
            for (ServiceProcess process : e.concerned()) {
                out.println("    end of the log of " + process.name() + ":");
                process.logTail(LOG_LINES).forEach(line -> out.println("      " + line));
            }
            out.flush();
            throw new StoryEnded(e);
        } catch (Exception e) {
            out.println("✘ " + title);
            out.println("    expected: the lab's own tools work");
            out.println("    seen:     " + e);
            out.flush();
            throw new StoryEnded(e);
        }
    }

    /** A line between steps. */
    void say(String line) {
        out.println(line);
        out.flush();
    }

    /** Time since the story began. */
    Duration told() {
        return Duration.ofNanos(System.nanoTime() - start);
    }

    /** Milliseconds, or seconds from ten of them on. */
    static String ms(Duration time) {
        return time.toSeconds() >= 10
                ? String.format(Locale.ROOT, "%.1f s", time.toMillis() / 1000.0)
                : time.toNanos() < 10_000_000
                        ? String.format(Locale.ROOT, "%.1f ms", time.toNanos() / 1e6)
                        : time.toMillis() + " ms";
    }

    /** The story ends early: its failure is printed already. */
    static final class StoryEnded extends RuntimeException {
        @java.io.Serial
        private static final long serialVersionUID = 1L;

        StoryEnded(Exception cause) {
            super(cause);
        }
    }
}

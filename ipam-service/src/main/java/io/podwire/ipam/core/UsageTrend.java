package io.podwire.ipam.core;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * How fast something fills up, from what was seen of it in a sliding window. Times are arguments; one thread uses it.
 *
 * <p>The speed is the median of those between every two samples (Theil and Sen): a rollout that takes many at once, or
 * a few samples that are off, do not move it, where a mean or a fitted line would follow them. At most {@link #MOST}
 * samples are kept, so it costs some thousand divisions.
 */
public final class UsageTrend {
    /** So many samples, evenly over the window. */
    static final int MOST = 60;
    /** With fewer samples, or over less than a quarter of the window, nothing is foretold. */
    static final int LEAST = 10;

    private static final int LEAST_PART_OF_WINDOW = 4;
    private static final double LONGEST_SECONDS = Duration.ofDays(36_500).toSeconds();

    private final Duration window;
    private final Deque<Sample> samples = new ArrayDeque<>();

    private record Sample(Duration at, double used) {}

    /**
     * Has seen nothing.
     *
     * @param window what is older does not count, one minute at least
     */
    public UsageTrend(Duration window) {
        if (window.compareTo(Duration.ofMinutes(1)) < 0) {
            throw new IllegalArgumentException("the window of a trend must be a minute at least, got " + window);
        }
        this.window = window;
    }

    /**
     * Sees how much is used. One that comes sooner after the last that was kept than an even spread has it is not kept.
     *
     * @param now a monotonic time
     */
    public void see(Duration now, double used) {
        samples.removeIf(sample -> now.minus(sample.at()).compareTo(window) > 0);
        if (samples.isEmpty() || now.minus(samples.getLast().at()).compareTo(window.dividedBy(MOST)) >= 0) {
            samples.addLast(new Sample(now, used));
        }
    }

    /**
     * When it will be full if it goes on like that.
     *
     * @param now a monotonic time
     * @param used now
     * @param capacity what is full
     * @return 0 where it is full; empty while it does not grow, for more than a century, and while too little was seen
     */
    public Optional<Duration> untilFull(Duration now, double used, double capacity) {
        if (used >= capacity) {
            return Optional.of(Duration.ZERO);
        }
        List<Sample> in = new ArrayList<>(samples);
        in.removeIf(sample -> now.minus(sample.at()).compareTo(window) > 0);
        if (in.size() < LEAST
                || in.getLast().at().minus(in.getFirst().at()).compareTo(window.dividedBy(LEAST_PART_OF_WINDOW)) < 0) {
            return Optional.empty();
        }
        double perSecond = medianSpeed(in);
        double seconds = (capacity - used) / perSecond;
        // A growth that was taken back since is none.
        return perSecond > 0 && used > in.getFirst().used() && seconds <= LONGEST_SECONDS
                ? Optional.of(Duration.ofMillis(Math.round(seconds * 1000)))
                : Optional.empty();
    }

    private static double medianSpeed(List<Sample> in) {
        double[] speeds = new double[in.size() * (in.size() - 1) / 2];
        int next = 0;
        for (int i = 0; i < in.size(); i++) {
            for (int j = i + 1; j < in.size(); j++) {
                double seconds = in.get(j).at().minus(in.get(i).at()).toNanos() / 1e9;
                speeds[next++] = (in.get(j).used() - in.get(i).used()) / seconds;
            }
        }
        Arrays.sort(speeds);
        int middle = speeds.length / 2;
        return speeds.length % 2 == 1 ? speeds[middle] : (speeds[middle - 1] + speeds[middle]) / 2;
    }
}

package io.podwire.e2e.mesh;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/** ping(8) of iputils at a steady pace from inside a pod, and which of its packets were never answered. */
public final class PingRun implements AutoCloseable {
    private static final Pattern REPLY = Pattern.compile("bytes from .*icmp_seq=(\\d+) ");
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private final Process process;
    private final Path output;

    private PingRun(Process process, Path output) {
        this.process = process;
        this.output = output;
    }

    /** Starts pinging an address every so often. */
    public static PingRun start(TestPod from, String to, Duration interval) throws IOException {
        return start(from.netns().toString(), to, interval);
    }

    /** The same from a network namespace, the path of its file. */
    public static PingRun start(String netns, String to, Duration interval) throws IOException {
        Path output = Files.createTempFile(Path.of("/run"), "ping", ".txt");
        // stdbuf: into a file, ping would keep its lines until it ends.
        Process process = new ProcessBuilder(
                        "nsenter",
                        "--net=" + netns,
                        "--",
                        "setpriv",
                        "--pdeathsig",
                        "KILL",
                        "stdbuf",
                        "-oL",
                        "ping",
                        "-n",
                        "-i",
                        String.format(Locale.ROOT, "%.3f", interval.toMillis() / 1000.0),
                        to)
                .redirectErrorStream(true)
                .redirectOutput(Redirect.to(output.toFile()))
                .start();
        return new PingRun(process, output);
    }

    /** How many packets were answered until now. */
    public int replies() throws IOException {
        return answered().cardinality();
    }

    /** Waits until so many packets were answered. */
    public void awaitReplies(int count) {
        await(count + " replies")
                .atMost(LIMIT)
                .pollInterval(Duration.ofMillis(20))
                .until(() -> replies() >= count);
    }

    /**
     * Stops pinging.
     *
     * @return sequence numbers without a reply, below the last one with a reply: what was on its way at the
     *     stop is not lost
     */
    public List<Integer> end() throws IOException, InterruptedException {
        process.destroy();
        if (!process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
            throw new IllegalStateException("ping did not end");
        }
        BitSet answered = answered();
        return IntStream.range(1, Math.max(1, answered.length()))
                .filter(sequence -> !answered.get(sequence))
                .boxed()
                .toList();
    }

    private BitSet answered() throws IOException {
        BitSet answered = new BitSet();
        Matcher reply = REPLY.matcher(Files.readString(output));
        while (reply.find()) {
            // The sequence number begins at 1 and has 16 bits: more than any run here.
            answered.set(Integer.parseInt(reply.group(1)));
        }
        return answered;
    }

    @Override
    public void close() throws IOException {
        process.destroyForcibly().onExit().join();
        Files.delete(output);
    }
}

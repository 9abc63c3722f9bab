package io.podwire.e2e.bench;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** The program {@code timed} ({@code src/bench/timed.c}) in one network namespace. One thread uses it. */
final class Timed implements AutoCloseable {
    private final Process process;
    private final BufferedWriter in;
    private final BufferedReader out;

    /**
     * A program to run.
     *
     * @param stdin file that is its standard input
     * @param stdout file that takes its standard output
     */
    record Job(Path stdin, Path stdout, Map<String, String> env, List<String> argv) {
        String line() {
            return stdin + "\t" + stdout + "\t"
                    + env.entrySet().stream()
                            .map(e -> e.getKey() + "=" + e.getValue())
                            .collect(Collectors.joining(" "))
                    + "\t" + String.join(" ", argv);
        }
    }

    /** How a program ended. */
    record End(long nanos, int exitCode, long maxRssKib) {}

    /** How a batch ended: from the first fork to the last exit, and each program. */
    record Batch(long nanos, List<End> ends) {}

    private Timed(Process process) {
        this.process = process;
        this.in = new BufferedWriter(new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8));
        this.out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    }

    /** Compiles timed.c. */
    static Path compile(Path source, Path folder) throws IOException, InterruptedException {
        Path binary = folder.resolve("timed");
        Process gcc = new ProcessBuilder("gcc", "-O2", "-pthread", "-o", binary.toString(), source.toString())
                .inheritIO()
                .start();
        if (gcc.waitFor() != 0) {
            throw new IOException("gcc cannot compile " + source);
        }
        return binary;
    }

    /** Starts it in a network namespace. */
    static Timed in(Path binary, String netns) throws IOException {
        return new Timed(new ProcessBuilder("nsenter", "--net=/run/netns/" + netns, binary.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start());
    }

    /** Time of a fixed computation on two threads, in ns: how disturbed the machine is. */
    long spin() throws IOException {
        send("spin");
        return Long.parseLong(receive());
    }

    /** Runs one program. */
    End run(Job job) throws IOException {
        return batch(List.of(job)).ends().getFirst();
    }

    /**
     * Runs programs at once.
     *
     * @throws IOException naming the first that failed, and what it printed
     */
    Batch batch(List<Job> jobs) throws IOException {
        StringBuilder text = new StringBuilder("batch " + jobs.size());
        jobs.forEach(job -> text.append('\n').append(job.line()));
        send(text.toString());
        long all = Long.parseLong(receive());
        List<End> ends = new ArrayList<>();
        for (Job job : jobs) {
            String[] fields = receive().split(" ", -1);
            End end = new End(Long.parseLong(fields[0]), Integer.parseInt(fields[1]), Long.parseLong(fields[2]));
            ends.add(end);
            if (end.exitCode() != 0) {
                throw new IOException(job.argv() + " " + job.env() + " ended with exit code " + end.exitCode() + ": "
                        + Files.readString(job.stdout()));
            }
        }
        return new Batch(all, ends);
    }

    private void send(String text) throws IOException {
        in.write(text);
        in.newLine();
        in.flush();
    }

    private String receive() throws IOException {
        String line = out.readLine();
        if (line == null) {
            throw new IOException(
                    "timed ended with exit code " + process.onExit().join().exitValue());
        }
        return line;
    }

    @Override
    public void close() throws IOException {
        in.close();
        process.onExit().join();
    }
}

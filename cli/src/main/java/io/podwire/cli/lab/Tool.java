package io.podwire.cli.lab;

import io.podwire.cli.CommandFailure;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/** Runs a program to its end. */
public final class Tool {
    private static final Executor READERS = task -> Thread.ofVirtual().start(task);
    private static final Duration TIMEOUT = Duration.ofSeconds(20);

    private Tool() {}

    /** A program that has ended, and what it printed. */
    public record Finished(int exitCode, String stdout, String stderr, Duration took) {
        /** True for exit code 0. */
        public boolean ok() {
            return exitCode == 0;
        }
    }

    /** Runs a program that has to succeed, and gives what it printed on standard output. */
    public static String output(String stdin, List<String> command) {
        Finished end = run(command, System.getenv(), stdin, TIMEOUT);
        if (!end.ok()) {
            throw new CommandFailure(String.join(" ", command) + " ended with exit code " + end.exitCode() + ": "
                    + (end.stdout() + end.stderr()).strip());
        }
        return end.stdout();
    }

    /** Runs a program that has to succeed, and gives what it printed on standard output. */
    public static String output(String... command) {
        return output("", List.of(command));
    }

    /** Runs a program that may fail. */
    public static Finished run(List<String> command) {
        return run(command, System.getenv(), "", TIMEOUT);
    }

    /**
     * Runs a program.
     *
     * @param env its whole environment
     * @param timeout when it is killed, and counts as failed
     */
    public static Finished run(List<String> command, Map<String, String> env, String stdin, Duration timeout) {
        return run(command, env, stdin.getBytes(StandardCharsets.UTF_8), timeout);
    }

    /** Runs a program whose standard input is bytes that need be no text. */
    public static Finished run(List<String> command, Map<String, String> env, byte[] stdin, Duration timeout) {
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().clear();
        builder.environment().putAll(env);
        long start = System.nanoTime();
        try {
            Process process = builder.start();
            var stdout = CompletableFuture.supplyAsync(() -> read(process.getInputStream()), READERS);
            var stderr = CompletableFuture.supplyAsync(() -> read(process.getErrorStream()), READERS);
            try (OutputStream in = process.getOutputStream()) {
                in.write(stdin);
            } catch (IOException _) {
                // It ended without reading all: its exit code tells.
            }
            boolean ended = process.waitFor(timeout.toNanos(), TimeUnit.NANOSECONDS);
            Duration took = Duration.ofNanos(System.nanoTime() - start);
            if (!ended) {
                process.destroyForcibly().waitFor();
            }
            String said = stderr.join() + (ended ? "" : "killed after " + timeout);
            return new Finished(process.exitValue(), stdout.join(), said, took);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot run " + String.join(" ", command), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandFailure("interrupted while running " + String.join(" ", command), e);
        }
    }

    private static String read(InputStream stream) {
        try (stream) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            return "(unreadable: " + e.getMessage() + ")";
        }
    }
}

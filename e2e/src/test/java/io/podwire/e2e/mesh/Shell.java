package io.podwire.e2e.mesh;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Runs programs to their ends. For any thread. */
public final class Shell {
    private static final Executor READERS = task -> Thread.ofVirtual().start(task);
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private Shell() {}

    /** A program that has ended, what it printed, and its time from start to end. */
    public record Ended(int exitCode, String stdout, String stderr, Duration took) {}

    /**
     * Runs a program with an environment and a standard input of the caller's.
     *
     * @throws IllegalStateException when it has not ended after 30 s
     */
    public static Ended run(List<String> command, Map<String, String> env, byte[] stdin) {
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
            if (!process.waitFor(TIMEOUT.toNanos(), TimeUnit.NANOSECONDS)) {
                process.destroyForcibly();
                throw new IllegalStateException(String.join(" ", command) + " did not end in " + TIMEOUT);
            }
            Duration took = Duration.ofNanos(System.nanoTime() - start);
            return new Ended(process.exitValue(), stdout.join(), stderr.join(), took);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot run " + String.join(" ", command), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while running " + String.join(" ", command), e);
        }
    }

    /** Runs a program that may fail, with this process's environment. */
    public static Ended attempt(String... command) {
        return run(List.of(command), System.getenv(), new byte[0]);
    }

    /**
     * Runs a program that has to succeed, and gives what it printed on standard output.
     *
     * @throws IllegalStateException when it failed, with what it said
     */
    public static String output(String... command) {
        return checked(List.of(command), "");
    }

    /** Runs iproute2 commands, one a line, in one process. */
    public static void ipBatch(List<String> lines) {
        if (!lines.isEmpty()) {
            var _ = checked(List.of("ip", "-batch", "-"), String.join("\n", lines) + "\n");
        }
    }

    /** True when a program of this name is in the search path. */
    public static boolean installed(String program) {
        return Stream.of((System.getenv("PATH") + ":/usr/sbin:/sbin").split(":"))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
    }

    private static String checked(List<String> command, String stdin) {
        Ended end = run(command, System.getenv(), stdin.getBytes(StandardCharsets.UTF_8));
        if (end.exitCode() != 0) {
            throw new IllegalStateException(String.join(" ", command) + " ended with exit code " + end.exitCode() + ": "
                    + (end.stdout() + end.stderr()).strip());
        }
        return end.stdout();
    }

    private static String read(InputStream stream) {
        try (stream) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            return "(unreadable: " + e.getMessage() + ")";
        }
    }
}

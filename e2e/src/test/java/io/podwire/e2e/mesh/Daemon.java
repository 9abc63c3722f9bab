package io.podwire.e2e.mesh;

import io.podwire.cli.lab.Await;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A process that runs beside the tests and dies with them. It is started by a thread that lives as long
 * as the JVM, because that thread's end would kill it (PR_SET_PDEATHSIG, prctl(2)).
 */
public final class Daemon implements AutoCloseable {
    private static final Duration STOP = Duration.ofSeconds(20);

    private final String name;
    private final Path log;
    private final List<String> command;
    private Process process;

    /**
     * A process that is not running yet.
     *
     * @param log where its output is appended
     * @param before words before {@code setpriv}: how a namespace is entered
     */
    public Daemon(String name, Path log, List<String> before, List<String> command) {
        this.name = name;
        this.log = log;
        this.command = new ArrayList<>(before);
        this.command.addAll(List.of("setpriv", "--pdeathsig", "KILL", "--"));
        this.command.addAll(command);
    }

    /** Starts it, also after its end, with further arguments. */
    public void start(List<String> further) {
        if (alive()) {
            throw new IllegalStateException(name + " runs already");
        }
        List<String> words = new ArrayList<>(command);
        words.addAll(further);
        ProcessBuilder builder = new ProcessBuilder(words)
                .redirectErrorStream(true)
                .redirectInput(Redirect.from(Path.of("/dev/null").toFile()))
                .redirectOutput(Redirect.appendTo(log.toFile()));
        builder.environment().keySet().removeIf(variable -> variable.startsWith("PODWIRE_"));
        try {
            process = builder.start();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot start " + name, e);
        }
    }

    /** True while it runs. */
    public boolean alive() {
        return process != null && process.isAlive();
    }

    /** Fails with the last lines of its log unless it runs. */
    public void assertAlive() {
        if (!alive()) {
            throw new IllegalStateException(name + " has ended:\n" + logTail());
        }
    }

    /** Its process id; setpriv and the start script have become the program. */
    public long pid() {
        return process.pid();
    }

    /** Processes it has started. */
    public List<ProcessHandle> children() {
        return process.descendants().toList();
    }

    /** Ends it by SIGKILL, and returns when it is gone. */
    public void kill() {
        process.destroyForcibly().onExit().join();
    }

    /** Stops it by SIGSTOP, and returns when none of its threads runs any more, which is not when kill(2) does. */
    public void suspend() {
        var _ = Shell.output("kill", "-STOP", Long.toString(pid()));
        Path threads = Path.of("/proc", Long.toString(pid()), "task");
        boolean stopped = Await.eventually(STOP, () -> {
            try (Stream<Path> all = Files.list(threads)) {
                return all.allMatch(Daemon::isStopped);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        if (!stopped) {
            throw new IllegalStateException("not all threads of " + name + " are stopped");
        }
    }

    /** Its state, behind its name in parentheses: proc_pid_stat(5). */
    private static boolean isStopped(Path thread) {
        try {
            String stat = Files.readString(thread.resolve("stat"));
            return stat.startsWith(" T", stat.lastIndexOf(')') + 1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Has it go on after {@link #suspend}. */
    public void goOn() {
        var _ = Shell.output("kill", "-CONT", Long.toString(pid()));
    }

    /**
     * Waits until it has ended by itself.
     *
     * @return its exit code
     * @throws IllegalStateException when it still runs then
     */
    public int awaitEnd(Duration limit) {
        try {
            if (process.waitFor(limit.toNanos(), TimeUnit.NANOSECONDS)) {
                return process.exitValue();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while waiting for the end of " + name, e);
        }
        throw new IllegalStateException(name + " still runs after " + limit + ":\n" + logTail());
    }

    /** Ends it by SIGTERM, or by SIGKILL when it does not obey within 20 s. */
    public void stop() {
        if (!alive()) {
            return;
        }
        process.destroy();
        try {
            var _ = awaitEnd(STOP);
        } catch (IllegalStateException e) {
            kill();
            throw e;
        }
    }

    /** How many lines of what it has printed since it was first started have a text. */
    public long logged(String text) {
        try (Stream<String> lines = Files.lines(log)) {
            return lines.filter(line -> line.contains(text)).count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Whether a line with the second text was printed after the last one with the first, which its life began with. */
    boolean loggedSince(String begin, String text) {
        try (Stream<String> lines = Files.lines(log)) {
            List<String> all = lines.toList();
            int last = 0;
            for (int i = 0; i < all.size(); i++) {
                last = all.get(i).contains(begin) ? i : last;
            }
            return all.subList(last, all.size()).stream().anyMatch(line -> line.contains(text));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Last lines of what it printed. */
    public String logTail() {
        try {
            List<String> lines = Files.exists(log) ? Files.readAllLines(log) : List.of();
            return String.join("\n", lines.subList(Math.max(0, lines.size() - 30), lines.size()));
        } catch (IOException e) {
            return "(no log: " + e.getMessage() + ")";
        }
    }

    @Override
    public void close() {
        if (alive()) {
            kill();
        }
    }
}

package io.podwire.cli.lab;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * A program of the lab in its own process. Its folder has {@code start}, the script that starts it (for
 * people too), {@code pid} and {@code log}, which a restart goes on with. One thread uses it.
 */
public final class ServiceProcess {
    private final String name;
    private final Path folder;
    private final boolean trained;
    private Process process;

    /**
     * A program that is not running yet.
     *
     * @param netns name of the network namespace it runs in
     * @param trained whether it may record for an AOT cache: one process of each program
     */
    ServiceProcess(String name, Path folder, String netns, List<String> command, boolean trained) throws IOException {
        this.name = name;
        this.folder = folder;
        this.trained = trained;
        Files.createDirectories(folder);
        Path start = folder.resolve("start");
        Files.writeString(start, """
                #!/bin/sh
                echo $$ >%s
                exec >>%s 2>&1 </dev/null
                exec nsenter --net=/run/netns/%s \\
                    %s
                """.formatted(
                        folder.resolve("pid"),
                        log(),
                        netns,
                        command.stream()
                                .map(word -> (word.startsWith("--") ? "\\\n    " : "") + quoted(word))
                                .collect(Collectors.joining(" "))));
        var _ = start.toFile().setExecutable(true);
    }

    /** Its name: that of the service, or of the node. */
    public String name() {
        return name;
    }

    /** Starts it, also after its end. */
    public void start() {
        ProcessBuilder builder = new ProcessBuilder(folder.resolve("start").toString());
        // Options have environment twins: what the user set for other Podwires must not reach these.
        builder.environment()
                .keySet()
                .removeIf(variable -> variable.startsWith("PODWIRE_")
                        && !(variable.equals("PODWIRE_AOT_TRAIN") && trained)
                        && !variable.equals("PODWIRE_MAX_HEAP"));
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

    /** Ends it by SIGKILL, and returns when it is gone. */
    public void kill() {
        process.destroyForcibly().onExit().join();
    }

    /** Asks it to stop by SIGTERM. */
    public void stop() {
        if (alive()) {
            process.destroy();
        }
    }

    /** True when it has ended within a time. */
    public boolean awaitEnd(Duration time) {
        try {
            return process == null || process.waitFor(time.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** The file with all it logged. */
    public Path log() {
        return folder.resolve("log");
    }

    /** Last lines of the log. */
    public List<String> logTail(int lines) {
        try {
            List<String> all = Files.exists(log()) ? Files.readAllLines(log()) : List.of();
            return all.subList(Math.max(0, all.size() - lines), all.size());
        } catch (IOException e) {
            return List.of("(no log: " + e.getMessage() + ")");
        }
    }

    private static String quoted(String word) {
        return word.matches("[A-Za-z0-9_./:=,-]+") ? word : "'" + word.replace("'", "'\\''") + "'";
    }
}

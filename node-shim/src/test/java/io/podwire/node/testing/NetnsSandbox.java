package io.podwire.node.testing;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.podwire.node.netns.Netns;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Network namespaces for one test: made by ip-netns(8) under names that no other run has, and removed
 * with all that is in them by {@link #close}. Needs root.
 */
public final class NetnsSandbox implements AutoCloseable {
    private static final AtomicInteger COUNTER = new AtomicInteger();
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Deque<Space> spaces = new ArrayDeque<>();

    /**
     * One namespace.
     *
     * @param name its name in /run/netns
     * @param netns an open handle, closed with the sandbox
     */
    public record Space(String name, Netns netns) {
        /** Its path. */
        public Path path() {
            return pathOf(name);
        }

        /** Runs {@code ip} in it, with these arguments after {@code -n NAME}; its output. */
        public String ip(String... arguments) {
            return NetnsSandbox.run(command(List.of("ip", "-n", name), arguments));
        }

        /** Runs {@code ip -d -j} in it; its output. */
        public JsonNode ipJson(String... arguments) {
            return parse(NetnsSandbox.run(command(List.of("ip", "-d", "-j", "-n", name), arguments)));
        }

        /** Runs a program in it; its output. */
        public String run(String... arguments) {
            return NetnsSandbox.run(command(List.of("nsenter", "--net=" + path()), arguments));
        }
    }

    /** Makes a namespace, with nothing but a loopback device that is down. */
    public Space add() {
        String name = "pwtest-" + ProcessHandle.current().pid() + "-" + COUNTER.incrementAndGet();
        run(List.of("ip", "netns", "add", name));
        try {
            Space space = new Space(name, Netns.open(pathOf(name)));
            spaces.push(space);
            return space;
        } catch (RuntimeException e) {
            run(List.of("ip", "netns", "del", name));
            throw e;
        }
    }

    /** Removes a namespace now: its path is gone, its handle closed. */
    public void remove(Space space) {
        spaces.remove(space);
        space.netns().close();
        run(List.of("ip", "netns", "del", space.name()));
    }

    /** Runs a program and reads its output, both streams; fails with it when the program does. */
    public static String run(List<String> command) {
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int code = process.waitFor();
            if (code != 0) {
                throw new IllegalStateException(String.join(" ", command) + " ended with " + code + ": " + output);
            }
            return output;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private static JsonNode parse(String json) {
        try {
            return JSON.readTree(json);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<String> command(List<String> first, String... rest) {
        List<String> command = new ArrayList<>(first);
        command.addAll(List.of(rest));
        return command;
    }

    private static Path pathOf(String name) {
        return Path.of("/run/netns", name);
    }

    /** Removes all of them, the newest first. */
    @Override
    public void close() {
        while (!spaces.isEmpty()) {
            remove(spaces.peek());
        }
    }
}

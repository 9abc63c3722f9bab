package io.podwire.node.testing;

import io.podwire.node.testing.NetnsSandbox.Space;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/** Servers that tell who calls, and calls to them: netns/peer.py. Servers end with {@link #close}. */
public final class Peers implements AutoCloseable {
    private final Deque<Process> servers = new ArrayDeque<>();

    /** Serves TCP and UDP ports of both families, from the return on. */
    public void serve(Space space, int... ports) throws IOException {
        List<String> command =
                new ArrayList<>(List.of("nsenter", "--net=" + space.path(), "python3", script(), "serve"));
        for (int port : ports) {
            command.add(Integer.toString(port));
        }
        Process server = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        servers.push(server);
        String line = server.inputReader(StandardCharsets.UTF_8).readLine();
        if (!"ready".equals(line)) {
            throw new IOException("the server said " + line);
        }
    }

    /** What a server says to a call: the caller's address as it sees it; "refused" or "nothing" otherwise. */
    public static String ask(Space from, String protocol, String address, int port) {
        return ask(from, protocol, address, port, 0);
    }

    /** A call from a port of its own. */
    public static String ask(Space from, String protocol, String address, int port, int sourcePort) {
        return from.run(
                        "python3",
                        script(),
                        "ask",
                        protocol,
                        address,
                        Integer.toString(port),
                        Integer.toString(sourcePort))
                .strip();
    }

    private static String script() {
        try {
            return Path.of(Peers.class.getResource("/netns/peer.py").toURI()).toString();
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() {
        for (Process server : servers) {
            server.destroy();
            server.onExit().join();
        }
    }
}

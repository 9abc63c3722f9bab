package io.podwire.common.service;

import com.google.common.net.HostAndPort;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Where a server listens. */
public sealed interface ListenAddress {
    /** A TCP port; 0 takes any free one. */
    record Tcp(String host, int port) implements ListenAddress {}

    /** A socket in the file system, for root and the server's own user only. */
    record Unix(Path path) implements ListenAddress {}

    /**
     * Reads HOST:PORT or unix:/path.
     *
     * @param option named in the error
     * @throws IllegalArgumentException when it is neither
     */
    static ListenAddress parse(String option, String text) {
        if (text.startsWith("unix:")) {
            Path path = Path.of(text.substring("unix:".length()));
            // sun_path of struct sockaddr_un has 108 bytes with its NUL, unix(7).
            if (!path.isAbsolute() || path.toString().getBytes(StandardCharsets.UTF_8).length > 107) {
                throw new IllegalArgumentException(
                        option + " needs an absolute socket path of at most 107 bytes, got '" + text + "'");
            }
            return new Unix(path);
        }
        try {
            HostAndPort parsed = HostAndPort.fromString(text);
            if (parsed.hasPort() && !parsed.getHost().isEmpty()) {
                return new Tcp(parsed.getHost(), parsed.getPort());
            }
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(option + " needs HOST:PORT or unix:/path, got '" + text + "'", e);
        }
        throw new IllegalArgumentException(option + " needs HOST:PORT or unix:/path, got '" + text + "'");
    }
}

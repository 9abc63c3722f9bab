package io.podwire.e2e.service;

import io.podwire.common.net.IpAddress;
import java.net.InetSocketAddress;

/** What came of asking an address and port. */
sealed interface Answer {
    /**
     * A server answered.
     *
     * @param server its name
     * @param client who asked, as the server sees it
     * @param clientPort the same
     * @param port of the server where it was asked
     */
    record From(String server, String client, int clientPort, int port) implements Answer {
        /** Reads what {@link #line} wrote. */
        static From parse(String line) {
            String[] words = line.strip().split(" ", -1);
            return new From(words[0], words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]));
        }

        /** What a server says first. */
        static String line(String server, InetSocketAddress client, int port) {
            return server + " " + text(client) + " " + client.getPort() + " " + port + "\n";
        }

        private static String text(InetSocketAddress address) {
            return IpAddress.ofBytes(address.getAddress().getAddress()).toString();
        }
    }

    /** It was refused at once: a reset, or an ICMP error. */
    record Refused() implements Answer {}

    /** Nothing came. */
    record Nothing() implements Answer {}
}

package io.podwire.route.session;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.route.bgp.codec.BgpDecoder;
import io.podwire.route.bgp.codec.BgpEncoder;
import io.podwire.route.bgp.codec.BgpProtocolException;
import io.podwire.route.bgp.fsm.LocalSettings;
import io.podwire.route.bgp.message.BgpMessage;
import io.podwire.route.bgp.message.BgpMessage.Keepalive;
import io.podwire.route.bgp.message.BgpMessage.Notification;
import io.podwire.route.bgp.message.BgpMessage.Open;
import io.podwire.route.bgp.message.BgpMessage.Reach;
import io.podwire.route.bgp.message.BgpMessage.Update;
import io.podwire.route.bgp.message.Capability;
import io.podwire.route.bgp.message.PathAttributes;
import io.podwire.route.bgp.message.SessionFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;

/** A neighbour made of a socket: it says what a test tells it to say. A thread reads what comes. */
final class RawPeer implements AutoCloseable {
    private final Socket socket = new Socket();
    private final SessionFormat format;
    private final LocalSettings settings;
    private final List<BgpMessage> heard = new ArrayList<>();
    private final Map<String, String> paths = new TreeMap<>();
    private boolean ended;

    /** What it was told of a prefix. */
    record Told(IpAddress nextHop, PathAttributes attributes) {}

    /** Connects from an address of 127.0.0.0/8, and says nothing. */
    RawPeer(String address, int port, long asn, long ourAsn) {
        settings = new LocalSettings(
                asn,
                IpAddress.parse("192.0.2." + address.substring(address.lastIndexOf('.') + 1)),
                ourAsn,
                90,
                Set.of(IpFamily.V4, IpFamily.V6),
                5,
                false,
                false);
        format = new SessionFormat(true, asn == ourAsn);
        try {
            socket.setReceiveBufferSize(16 << 10);
            socket.bind(new InetSocketAddress(InetAddress.getByName(address), 0));
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 5_000);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Waits for something that takes no longer than a message on loopback. */
    static ConditionFactory await(String what) {
        return Awaitility.await(what).pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(5));
    }

    /** Starts to read. */
    RawPeer read() {
        Thread.ofVirtual().start(this::run);
        return this;
    }

    /** Reads, and brings a session up. */
    RawPeer establish() {
        read();
        send(open());
        send(new Keepalive());
        await("a session").until(() -> heard(Keepalive.class).findAny().isPresent());
        return this;
    }

    /** Brings a session up as a neighbour that takes several paths for a prefix; {@link #pathsOf} has them. */
    void severalPaths() {
        Open plain = open();
        List<Capability> capabilities = new ArrayList<>(plain.capabilities());
        capabilities.add(
                new Capability.AddPath(List.of(new Capability.AddPathFamily(1, 1, Capability.AddPathFamily.RECEIVE))));
        Thread.ofVirtual().start(this::runSeveral);
        send(new Open(plain.asn(), plain.holdSeconds(), plain.identifier(), capabilities));
        send(new Keepalive());
    }

    /** Next hops of a prefix of IPv4 with a length of 24. */
    synchronized List<String> pathsOf(String prefix) {
        return paths.entrySet().stream()
                .filter(path -> path.getKey().startsWith(prefix + " "))
                .map(Map.Entry::getValue)
                .toList();
    }

    private void runSeveral() {
        FrameReader frames = new FrameReader();
        byte[] chunk = new byte[8192];
        try {
            int count;
            while ((count = socket.getInputStream().read(chunk)) >= 0) {
                for (byte[] message : frames.feed(Arrays.copyOf(chunk, count)).messages()) {
                    if (message[18] == 2) {
                        several(ByteBuffer.wrap(message).position(BgpMessage.HEADER));
                    }
                }
            }
        } catch (IOException e) {
            // The test is over.
        }
    }

    /** RFC 7911 §3: four octets of identifier before each prefix. */
    private synchronized void several(ByteBuffer update) {
        for (ByteBuffer gone = part(update); gone.hasRemaining(); ) {
            paths.remove(key(gone));
        }
        String nextHop = "";
        for (ByteBuffer attributes = part(update); attributes.hasRemaining(); ) {
            int flags = attributes.get();
            int type = attributes.get();
            int length = (flags & 0x10) != 0 ? attributes.getShort() : attributes.get() & 0xFF;
            byte[] value = new byte[length];
            attributes.get(value);
            if (type == 3) {
                nextHop = IpAddress.ofBytes(value).toString();
            }
        }
        while (update.hasRemaining()) {
            paths.put(key(update), nextHop);
        }
    }

    private static ByteBuffer part(ByteBuffer from) {
        int length = from.getShort();
        ByteBuffer part = from.slice(from.position(), length);
        from.position(from.position() + length);
        return part;
    }

    private static String key(ByteBuffer from) {
        int path = from.getInt();
        int length = from.get();
        byte[] address = new byte[4];
        from.get(address, 0, (length + 7) / 8);
        return IpPrefix.containing(IpAddress.ofBytes(address), length) + " " + path;
    }

    Open open() {
        return settings.open(false);
    }

    /** A different one. */
    Open open(long asn, int holdSeconds) {
        return new LocalSettings(
                        asn,
                        settings.identifier(),
                        settings.peerAsn(),
                        holdSeconds,
                        settings.families(),
                        5,
                        false,
                        false)
                .open(false);
    }

    void send(BgpMessage message) {
        send(BgpEncoder.encode(message, format));
    }

    void send(byte[] octets) {
        try {
            socket.getOutputStream().write(octets);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void announce(PathAttributes attributes, String nextHop, String... prefixes) {
        send(new Update(
                List.of(),
                attributes,
                List.of(new Reach(
                        IpAddress.parse(nextHop),
                        Arrays.stream(prefixes).map(IpPrefix::parse).toList()))));
    }

    /** What it knows now. */
    synchronized Map<String, Told> routes() {
        Map<IpPrefix, Told> routes = new TreeMap<>(Comparator.naturalOrder());
        for (BgpMessage message : heard) {
            if (message instanceof Update update) {
                update.withdrawn().forEach(routes::remove);
                for (Reach reach : update.reach()) {
                    reach.prefixes().forEach(p -> routes.put(p, new Told(reach.nextHop(), update.attributes())));
                }
            }
        }
        Map<String, Told> named = new TreeMap<>();
        routes.forEach((prefix, told) -> named.put(prefix.toString(), told));
        return named;
    }

    synchronized <T extends BgpMessage> Stream<T> heard(Class<T> kind) {
        return List.copyOf(heard).stream().filter(kind::isInstance).map(kind::cast);
    }

    /** How it was told that the session ends. */
    Notification refusal() {
        await("a NOTIFICATION").until(() -> heard(Notification.class).findAny().isPresent());
        return heard(Notification.class).findAny().orElseThrow();
    }

    synchronized boolean ended() {
        return ended;
    }

    /** Ends the connection at once, without a word. */
    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void run() {
        FrameReader frames = new FrameReader();
        byte[] chunk = new byte[8192];
        try {
            int count;
            while ((count = socket.getInputStream().read(chunk)) >= 0) {
                for (byte[] message : frames.feed(Arrays.copyOf(chunk, count)).messages()) {
                    BgpMessage decoded = BgpDecoder.decode(message, format).message();
                    synchronized (this) {
                        heard.add(decoded);
                    }
                }
            }
        } catch (IOException | BgpProtocolException e) {
            Optional.of(e).filter(BgpProtocolException.class::isInstance).ifPresent(bad -> {
                throw new AssertionError("what we send is malformed", bad);
            });
        } finally {
            synchronized (this) {
                ended = true;
            }
        }
    }
}

package io.podwire.route.session;

import io.netty.channel.socket.DuplexChannel;
import io.podwire.route.bgp.codec.BgpProtocolException;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.internal.net.NetSocketInternal;
import io.vertx.core.net.NetSocket;
import java.time.Duration;
import java.util.function.Consumer;

/** One TCP connection of a peer. Owned by the speaker's event loop. */
final class Connection {
    private static final int WRITE_QUEUE_BYTES = 256 << 10;
    private static final Duration LINGER = Duration.ofSeconds(1);

    private final Vertx vertx;
    private final NetSocket socket;
    private final FrameReader frames = new FrameReader();
    private Future<Void> lastWrite = Future.succeededFuture();
    private boolean over;

    /** Who hears of a connection; nobody hears of one that {@link #close} was called on. */
    interface Listener {
        /** A whole message. */
        void message(byte[] octets);

        /** What came is no message: nothing is read any more. */
        void noMessage(BgpProtocolException why);

        /** The connection has ended. */
        void ended();

        /** More can be written. */
        void writable();
    }

    Connection(Vertx vertx, NetSocket socket, PeerSettings peer) {
        this.vertx = vertx;
        this.socket = socket;
        SignedTransport.limitHops(
                ((NetSocketInternal) socket).channelHandlerContext().channel(), peer);
        socket.setWriteQueueMaxSize(WRITE_QUEUE_BYTES);
    }

    void listen(Listener listener) {
        socket.handler(buffer -> unlessOver(_ -> read(buffer, listener)));
        socket.closeHandler(_ -> unlessOver(_ -> {
            over = true;
            listener.ended();
        }));
        socket.exceptionHandler(_ -> {
            // Its end follows.
        });
        socket.drainHandler(_ -> unlessOver(_ -> listener.writable()));
    }

    private void read(Buffer buffer, Listener listener) {
        FrameReader.Frames read = frames.feed(buffer.getBytes());
        for (byte[] message : read.messages()) {
            if (over) {
                return;
            }
            listener.message(message);
        }
        if (!over) {
            read.end().forEach(listener::noMessage);
        }
    }

    private void unlessOver(Consumer<Connection> then) {
        if (!over) {
            then.accept(this);
        }
    }

    boolean full() {
        return over || socket.writeQueueFull();
    }

    void write(byte[] octets) {
        if (!over) {
            lastWrite = socket.write(Buffer.buffer(octets));
        }
    }

    /**
     * Ends it after what was written, or some time later. What the peer still sends is dropped meanwhile: an RST
     * would take our last words with it.
     */
    void close() {
        if (over) {
            return;
        }
        over = true;
        socket.handler(_ -> {});
        socket.drainHandler(null);
        var channel = ((NetSocketInternal) socket).channelHandlerContext().channel();
        var _ = lastWrite.onComplete(_ -> {
            if (channel instanceof DuplexChannel duplex) {
                var _ = duplex.shutdownOutput();
            }
        });
        var _ = vertx.setTimer(LINGER.toMillis(), _ -> {
            var _ = socket.close();
        });
    }
}

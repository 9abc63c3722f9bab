package io.podwire.common.service;

import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.PeerCredentials;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * gRPC over unix sockets: the file is 0600 in a 0700 folder, and the peer's uid (SO_PEERCRED,
 * unix(7)) must be root's or the server's own.
 */
public final class UnixSockets {
    private static final Logger log = LoggerFactory.getLogger(UnixSockets.class);
    private static final int WINDOW_BYTES = 65_535;

    private UnixSockets() {}

    /** Threads for unix sockets; the caller shuts them down. */
    static EventLoopGroup eventLoops(String name) {
        return new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory(name, true), EpollIoHandler.newFactory());
    }

    /**
     * A server builder for a socket path, whose folder is made and whose stale file is removed.
     *
     * @throws IOException when the folder is not ours alone, or when a living server holds the path
     */
    static NettyServerBuilder server(Path path, EventLoopGroup loops) throws IOException {
        Path folder = path.toAbsolutePath().getParent();
        if (!Files.exists(folder)) {
            Files.createDirectories(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        }
        checkOwn(folder);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
        removeStale(path);
        int ownUid = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        return NettyServerBuilder.forAddress(new DomainSocketAddress(path.toFile()))
                .channelFactory(() -> gated(ownUid))
                // HTTP/2's own, RFC 9113 §6.9.2: a larger one costs each connection two messages more, and grpc-java's
                // measuring of the path another two, for calls that fit in one.
                .flowControlWindow(WINDOW_BYTES)
                .bossEventLoopGroup(loops)
                .workerEventLoopGroup(loops);
    }

    /** The folder is about to be closed to all others: not one that is everybody's, as /run or /tmp are. */
    private static void checkOwn(Path folder) throws IOException {
        Path real = folder.toRealPath();
        Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(real);
        if (real.getNameCount() < 2
                || permissions.contains(PosixFilePermission.GROUP_WRITE)
                || permissions.contains(PosixFilePermission.OTHERS_WRITE)) {
            throw new IOException(real + " is used by others too: give --listen unix: a path in a folder of its own,"
                    + " such as /run/podwire, which is then made accessible to its owner alone");
        }
    }

    /** Restricts a socket file after it was bound; its folder has guarded it until now. */
    static void restrict(Path path) throws IOException {
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
    }

    /** A client channel to a socket path. Its one thread ends with the process. */
    public static ManagedChannel channel(Path path) {
        return NettyChannelBuilder.forAddress(new DomainSocketAddress(path.toFile()))
                .channelType(EpollDomainSocketChannel.class)
                .eventLoopGroup(eventLoops("unix-client"))
                .overrideAuthority("localhost")
                .usePlaintext()
                .build();
    }

    private static void removeStale(Path path) throws IOException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        if (!Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                .isOther()) {
            throw new IOException(path + " exists and is no socket: it is left alone, choose another --listen");
        }
        try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            probe.connect(UnixDomainSocketAddress.of(path));
        } catch (IOException e) {
            log.debug("nobody answers on {}, removing it", path, e);
            Files.deleteIfExists(path);
            return;
        }
        throw new IOException(path + " is served by another process: stop it first, or choose another --listen");
    }

    private static ServerChannel gated(int ownUid) {
        EpollServerDomainSocketChannel channel = new EpollServerDomainSocketChannel();
        channel.pipeline().addLast(new PeerGate(ownUid));
        return channel;
    }

    /** Sees each accepted connection before gRPC does. */
    private static final class PeerGate extends ChannelInboundHandlerAdapter {
        private final int ownUid;

        PeerGate(int ownUid) {
            this.ownUid = ownUid;
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) throws IOException {
            if (message instanceof EpollDomainSocketChannel child) {
                PeerCredentials peer = child.peerCredentials();
                if (peer.uid() != 0 && peer.uid() != ownUid) {
                    log.warn("refused a connection of uid {} pid {}", peer.uid(), peer.pid());
                    child.unsafe().closeForcibly();
                    return;
                }
            }
            context.fireChannelRead(message);
        }
    }
}

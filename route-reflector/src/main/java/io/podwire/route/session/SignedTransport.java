package io.podwire.route.session;

import io.netty.bootstrap.AbstractBootstrap;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelOption;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.unix.Buffer;
import io.netty.channel.unix.IntegerUnixChannelOption;
import io.netty.channel.unix.RawUnixChannelOption;
import io.podwire.common.net.IpFamily;
import io.vertx.core.impl.transports.EpollTransport;
import io.vertx.core.net.TcpConfig;
import io.vertx.core.transport.Transport;
import java.lang.ref.Reference;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The sockets' options that Vert.x has no names for: keys of RFC 2385, and the hop limits of RFC 5082. They have
 * to be there before the first packet, so they are put on the listening socket, again whenever peers change, and on
 * each one that dials; the kernel picks by the peer's address. Used on the speaker's event loop.
 */
final class SignedTransport implements Transport {
    /** Numbers of linux/in.h and linux/in6.h. */
    private static final int IPPROTO_IP = 0;

    private static final int IPPROTO_IPV6 = 41;

    private static final ChannelOption<Integer> IP_TTL = new IntegerUnixChannelOption("IP_TTL", IPPROTO_IP, 2);
    private static final ChannelOption<Integer> IP_MINTTL = new IntegerUnixChannelOption("IP_MINTTL", IPPROTO_IP, 21);
    private static final ChannelOption<Integer> IPV6_UNICAST_HOPS =
            new IntegerUnixChannelOption("IPV6_UNICAST_HOPS", IPPROTO_IPV6, 16);
    private static final ChannelOption<Integer> IPV6_MINHOPCOUNT =
            new IntegerUnixChannelOption("IPV6_MINHOPCOUNT", IPPROTO_IPV6, 73);
    private static final int MOST_HOPS = 255;

    /** SOL_SOCKET and SO_ATTACH_FILTER of asm-generic/socket.h; its value is a struct sock_fprog of linux/filter.h. */
    private static final RawUnixChannelOption ATTACH_FILTER = new RawUnixChannelOption("SO_ATTACH_FILTER", 1, 26, 16);

    private final Sockets implementation = new Sockets();
    private volatile Map<InetAddress, byte[]> keys = Map.of();
    private volatile List<HopFilter.Instruction> filter = HopFilter.program(List.of());
    private volatile boolean limited;
    private volatile Optional<Channel> listening = Optional.empty();

    SignedTransport(SpeakerSettings settings) {
        peers(settings.peers());
    }

    /**
     * From now on these are the peers.
     *
     * @throws IllegalArgumentException when too many have a hop limit
     */
    final void peers(Collection<PeerSettings> peers) {
        Map<InetAddress, byte[]> secrets = new HashMap<>();
        peers.stream()
                .filter(peer -> peer.secret().isPresent())
                .forEach(peer -> secrets.put(
                        peer.address().toInetAddress(), peer.secret().bytes()));
        limited = peers.stream().anyMatch(PeerSettings::ttlSecurity);
        filter = HopFilter.program(peers.stream()
                .filter(PeerSettings::ttlSecurity)
                .map(PeerSettings::address)
                .toList());
        keys = Map.copyOf(secrets);
        listening.filter(Channel::isOpen).ifPresent(channel -> {
            var _ = channel.config().setOption(EpollChannelOption.TCP_MD5SIG, keys);
            attach(channel);
        });
    }

    /** A socket that is new has no filter, and mostly needs none. */
    private void attachNew(Channel channel) {
        if (limited) {
            attach(channel);
        }
    }

    private void attach(Channel channel) {
        ByteBuffer program = HopFilter.octets(filter);
        try {
            var _ = channel.config().setOption(ATTACH_FILTER, reference(program));
        } finally {
            // The kernel has its own copy now.
            Reference.reachabilityFence(program);
        }
    }

    /** {@code struct sock_fprog}: a count, and a pointer at its alignment. */
    private static ByteBuffer reference(ByteBuffer program) {
        return ByteBuffer.allocateDirect(16)
                .order(ByteOrder.nativeOrder())
                .putShort(0, (short) (program.remaining() / 8))
                .putLong(8, Buffer.memoryAddress(program));
    }

    /** Sets the hop limits of a connection to a known peer. */
    static void limitHops(Channel channel, PeerSettings peer) {
        if (!peer.ttlSecurity()) {
            return;
        }
        IpFamily family = peer.address().family();
        boolean set = switch (family) {
            case V4 -> channel.config().setOption(IP_MINTTL, MOST_HOPS);
            case V6 -> channel.config().setOption(IPV6_MINHOPCOUNT, MOST_HOPS);
        };
        if (!set) {
            throw new IllegalStateException("the socket to " + peer.address() + " takes no least TTL");
        }
    }

    @Override
    public String name() {
        return "epoll";
    }

    @Override
    public boolean available() {
        return Epoll.isAvailable();
    }

    @Override
    public Throwable unavailabilityCause() {
        return Epoll.unavailabilityCause();
    }

    @Override
    public io.vertx.core.spi.transport.Transport implementation() {
        return implementation;
    }

    /** Packets leave with the highest TTL: a peer that asks for RFC 5082 sees it from the first one on. */
    private final class Sockets extends EpollTransport {
        @Override
        public void configure(TcpConfig options, boolean domainSocket, ServerBootstrap bootstrap) {
            super.configure(options, domainSocket, bootstrap);
            options(bootstrap);
        }

        @Override
        public void configure(TcpConfig options, boolean domainSocket, Bootstrap bootstrap) {
            super.configure(options, domainSocket, bootstrap);
            options(bootstrap);
        }

        @Override
        public ChannelFactory<? extends ServerChannel> serverChannelFactory(boolean domainSocket) {
            ChannelFactory<? extends ServerChannel> made = super.serverChannelFactory(domainSocket);
            return () -> {
                ServerChannel channel = made.newChannel();
                attachNew(channel);
                listening = Optional.of(channel);
                return channel;
            };
        }

        @Override
        public ChannelFactory<? extends Channel> channelFactory(boolean domainSocket) {
            ChannelFactory<? extends Channel> made = super.channelFactory(domainSocket);
            return () -> {
                Channel channel = made.newChannel();
                attachNew(channel);
                return channel;
            };
        }

        private void options(AbstractBootstrap<?, ?> bootstrap) {
            bootstrap.option(IP_TTL, MOST_HOPS);
            bootstrap.option(IPV6_UNICAST_HOPS, MOST_HOPS);
            if (!keys.isEmpty()) {
                bootstrap.option(EpollChannelOption.TCP_MD5SIG, keys);
            }
        }
    }
}

package io.podwire.route.session;

import io.netty.bootstrap.AbstractBootstrap;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.unix.IntegerUnixChannelOption;
import io.podwire.common.net.IpFamily;
import io.vertx.core.impl.transports.EpollTransport;
import io.vertx.core.net.TcpConfig;
import io.vertx.core.transport.Transport;
import java.net.InetAddress;
import java.util.HashMap;
import java.util.Map;

/**
 * The sockets' options that Vert.x has no names for: keys of RFC 2385, and the hop limits of RFC 5082. They have
 * to be there before the first packet, so they are put on the listening socket and on each one that dials; the
 * kernel picks the key by the peer's address.
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

    private final Map<InetAddress, byte[]> keys;
    /** Every peer asks for the least TTL: then it can be there before the first packet. */
    private final boolean near;

    private final Sockets implementation = new Sockets();

    SignedTransport(SpeakerSettings settings) {
        Map<InetAddress, byte[]> secrets = new HashMap<>();
        settings.peers().stream()
                .filter(peer -> peer.secret().isPresent())
                .forEach(peer -> secrets.put(
                        peer.address().toInetAddress(), peer.secret().bytes()));
        this.keys = Map.copyOf(secrets);
        this.near = !settings.peers().isEmpty() && settings.peers().stream().allMatch(PeerSettings::ttlSecurity);
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

        private void options(AbstractBootstrap<?, ?> bootstrap) {
            bootstrap.option(IP_TTL, MOST_HOPS);
            bootstrap.option(IPV6_UNICAST_HOPS, MOST_HOPS);
            if (near) {
                bootstrap.option(IP_MINTTL, MOST_HOPS);
                bootstrap.option(IPV6_MINHOPCOUNT, MOST_HOPS);
            }
            if (!keys.isEmpty()) {
                bootstrap.option(EpollChannelOption.TCP_MD5SIG, keys);
            }
        }
    }
}

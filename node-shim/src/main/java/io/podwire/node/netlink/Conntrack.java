package io.podwire.node.netlink;

import io.podwire.common.net.IpFamily;
import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.ct.Connection;
import io.podwire.node.netlink.ct.ConnectionCodec;
import io.podwire.node.netlink.ct.ConnectionFilter;
import io.podwire.node.netns.Netns;
import java.util.List;
import java.util.function.Predicate;

/**
 * The connections that the kernel tracks in one network namespace (ctnetlink). Safe for all threads, one request at
 * a time.
 */
public final class Conntrack implements AutoCloseable {
    private final NetlinkSocket socket;

    private Conntrack(NetlinkSocket socket) {
        this.socket = socket;
    }

    /** In the namespace of this process. */
    public static Conntrack open() {
        return new Conntrack(NetlinkSocket.openNetfilter());
    }

    /**
     * In another namespace; {@code ns} may be closed afterwards.
     *
     * @throws io.podwire.node.netns.NetnsException when it cannot be entered
     */
    public static Conntrack open(Netns ns) {
        return new Conntrack(NetlinkSocket.openNetfilter(ns));
    }

    /** The connections that are meant; those of protocols without ports are left out. */
    public List<Connection> connections(ConnectionFilter filter) {
        return socket
                .dump(
                        () -> "list connections " + filter,
                        ConnectionCodec.GET,
                        out -> ConnectionCodec.writeDump(out, filter),
                        ConnectionCodec::read)
                .stream()
                .filter(filter::accepts)
                .toList();
    }

    /** Those of a family's connections that are meant; those of protocols without ports are left out. */
    public List<Connection> connections(IpFamily family, Predicate<Connection> meant) {
        return socket.dump(
                () -> "list connections of " + family,
                ConnectionCodec.GET,
                out -> ConnectionCodec.writeDump(out, family),
                message -> ConnectionCodec.read(message).filter(meant));
    }

    /**
     * Forgets a connection: its next packet opens another one, which the rules of then translate.
     *
     * @return false when it is gone
     */
    public boolean delete(Connection connection) {
        return socket.change(
                () -> "delete " + connection,
                ConnectionCodec.DELETE,
                0,
                out -> ConnectionCodec.writeDelete(out, connection),
                Errno.ENOENT);
    }

    /** Closes the socket once no request is under way. */
    @Override
    public void close() {
        socket.close();
    }
}

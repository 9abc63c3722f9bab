package io.podwire.route.bgp.codec;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.route.bgp.message.AsPath;
import io.podwire.route.bgp.message.BgpMessage;
import io.podwire.route.bgp.message.BgpMessage.EndOfRib;
import io.podwire.route.bgp.message.BgpMessage.Keepalive;
import io.podwire.route.bgp.message.BgpMessage.Notification;
import io.podwire.route.bgp.message.BgpMessage.Open;
import io.podwire.route.bgp.message.BgpMessage.Reach;
import io.podwire.route.bgp.message.BgpMessage.RouteRefresh;
import io.podwire.route.bgp.message.BgpMessage.Update;
import io.podwire.route.bgp.message.Bytes;
import io.podwire.route.bgp.message.Capability;
import io.podwire.route.bgp.message.Community;
import io.podwire.route.bgp.message.Families;
import io.podwire.route.bgp.message.LargeCommunity;
import io.podwire.route.bgp.message.PathAttribute;
import io.podwire.route.bgp.message.PathAttributes;
import io.podwire.route.bgp.message.SessionFormat;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Writes messages. IPv4 routes go in the UPDATE's own fields, IPv6 routes in the attributes of RFC 4760. */
public final class BgpEncoder {
    private static final int TRANSITIVE = 0x40;
    private static final int OPTIONAL = 0x80;
    private static final int PARTIAL = 0x20;
    private static final int EXTENDED_LENGTH = 0x10;
    /** In place of a path identifier: prefixes are written without one. */
    public static final long NO_PATH = -1;

    /** More than anything that is written before its length is checked. */
    private static final int ROOM = 1 << 16;

    /** For attributes of one message, of which AS numbers of two octets need AS4_PATH besides. */
    private static final int SHARED_ROOM = 4 * BgpMessage.LONGEST;

    /** What remains for attributes beside header, lengths, an IPv6 next hop, a path identifier and the longest prefix. */
    private static final int MOST_SHARED = BgpMessage.LONGEST - BgpMessage.HEADER - 4 - 25 - 4 - 17;

    private BgpEncoder() {}

    /**
     * One message.
     *
     * @throws IllegalArgumentException when it does not fit in 4096 octets; {@link #reach} and {@link #withdraw}
     *     split
     */
    public static byte[] encode(BgpMessage message, SessionFormat format) {
        ByteBuffer out = begin(
                switch (message) {
                    case Open _ -> 1;
                    case Update _, EndOfRib _ -> 2;
                    case Notification _ -> 3;
                    case Keepalive _ -> 4;
                    case RouteRefresh _ -> 5;
                },
                ROOM);
        switch (message) {
            case Open open -> open(out, open);
            case Update update -> update(out, update, format);
            case EndOfRib(IpFamily family) -> endOfRib(out, family);
            case Notification(int code, int subcode, Bytes data) ->
                out.put((byte) code).put((byte) subcode).put(data.toArray());
            case Keepalive _ -> {}
            case RouteRefresh(int afi, int safi) ->
                out.putShort((short) afi).put((byte) 0).put((byte) safi);
        }
        return end(out);
    }

    /**
     * Routes of one next hop and one set of attributes, in as many messages as they need.
     *
     * @param path the identifier of all of them, 0 to 2^32 - 1 (RFC 7911), or {@link #NO_PATH}
     * @return no message where the attributes leave no room for a prefix: what was read from one neighbour may grow
     *     on its way to another
     */
    public static List<byte[]> reach(PathAttributes attributes, Reach reach, SessionFormat format, long path) {
        ByteBuffer common = ByteBuffer.allocate(SHARED_ROOM);
        attributes(common, attributes, format);
        byte[] shared = written(common);
        if (shared.length > MOST_SHARED) {
            return List.of();
        }
        List<byte[]> out = new ArrayList<>();
        List<IpPrefix> prefixes = reach.prefixes();
        int from = 0;
        while (from < prefixes.size()) {
            ByteBuffer message = begin(2, BgpMessage.LONGEST).putShort((short) 0);
            from = switch (reach.nextHop().family()) {
                case V4 -> reachV4(message, shared, reach.nextHop(), prefixes, from, path);
                case V6 -> reachV6(message, shared, reach.nextHop(), prefixes, from, path);
            };
            out.add(end(message));
        }
        return out;
    }

    /**
     * Prefixes of one family that are no longer reached, in as many messages as they need.
     *
     * @param path the identifier that they were told with, or {@link #NO_PATH}
     */
    public static List<byte[]> withdraw(IpFamily family, List<IpPrefix> prefixes, long path) {
        List<byte[]> out = new ArrayList<>();
        int from = 0;
        while (from < prefixes.size()) {
            ByteBuffer message = begin(2, BgpMessage.LONGEST);
            switch (family) {
                case V4 -> {
                    int start = message.position();
                    message.putShort((short) 0);
                    from = fill(message, prefixes, from, BgpMessage.LONGEST - 2, path);
                    message.putShort(start, (short) (message.position() - start - 2));
                    message.putShort((short) 0);
                }
                case V6 -> {
                    message.putShort((short) 0);
                    int start = message.position();
                    message.putShort((short) 0);
                    message.put((byte) (OPTIONAL | EXTENDED_LENGTH)).put((byte) 15);
                    int value = message.position();
                    message.putShort((short) 0)
                            .putShort((short) Families.afi(family))
                            .put((byte) Families.UNICAST);
                    from = fill(message, prefixes, from, BgpMessage.LONGEST, path);
                    message.putShort(value, (short) (message.position() - value - 2));
                    message.putShort(start, (short) (message.position() - start - 2));
                }
            }
            out.add(end(message));
        }
        return out;
    }

    private static int reachV4(
            ByteBuffer message, byte[] shared, IpAddress nextHop, List<IpPrefix> prefixes, int from, long path) {
        message.putShort((short) (shared.length + 7)).put(shared);
        nextHop(message, nextHop);
        return fill(message, prefixes, from, BgpMessage.LONGEST, path);
    }

    private static int reachV6(
            ByteBuffer message, byte[] shared, IpAddress nextHop, List<IpPrefix> prefixes, int from, long path) {
        int start = message.position();
        message.putShort((short) 0);
        // RFC 7606 §5.1: it comes first, so that a malformed attribute after it leaves its prefixes known.
        message.put((byte) (OPTIONAL | EXTENDED_LENGTH)).put((byte) 14);
        int value = message.position();
        message.putShort((short) 0);
        mpReachHead(message, nextHop);
        int next = fill(message, prefixes, from, BgpMessage.LONGEST - shared.length, path);
        message.putShort(value, (short) (message.position() - value - 2));
        message.put(shared);
        message.putShort(start, (short) (message.position() - start - 2));
        return next;
    }

    private static int fill(ByteBuffer message, List<IpPrefix> prefixes, int from, int limit, long path) {
        int next = from;
        int beside = path == NO_PATH ? 1 : 5;
        while (next < prefixes.size()
                && message.position() + beside + (prefixes.get(next).length() + 7) / 8 <= limit) {
            if (path != NO_PATH) {
                message.putInt((int) path);
            }
            prefix(message, prefixes.get(next++));
        }
        return next;
    }

    private static ByteBuffer begin(int type, int room) {
        ByteBuffer out = ByteBuffer.allocate(room);
        for (int i = 0; i < 16; i++) {
            out.put((byte) 0xFF);
        }
        return out.putShort((short) 0).put((byte) type);
    }

    private static byte[] end(ByteBuffer out) {
        if (out.position() > BgpMessage.LONGEST) {
            throw new IllegalArgumentException(
                    "a message has at most " + BgpMessage.LONGEST + " octets, got " + out.position());
        }
        out.putShort(16, (short) out.position());
        return written(out);
    }

    private static byte[] written(ByteBuffer out) {
        byte[] content = new byte[out.position()];
        out.get(0, content);
        return content;
    }

    private static void open(ByteBuffer out, Open open) {
        ByteBuffer capabilities = ByteBuffer.allocate(ROOM);
        open.capabilities().forEach(capability -> capability(capabilities, capability));
        byte[] list = written(capabilities);
        out.put((byte) 4)
                .putShort((short) (open.asn() > 0xFFFF ? BgpMessage.AS_TRANS : open.asn()))
                .putShort((short) open.holdSeconds())
                .put(open.identifier().bytes());
        if (list.length == 0) {
            out.put((byte) 0);
        } else if (list.length + 2 < 255) {
            out.put((byte) (list.length + 2)).put((byte) 2).put((byte) list.length);
        } else {
            // RFC 9072.
            out.put((byte) 255).put((byte) 255).putShort((short) (list.length + 3));
            out.put((byte) 2).putShort((short) list.length);
        }
        out.put(list);
    }

    private static void capability(ByteBuffer out, Capability capability) {
        switch (capability) {
            case Capability.MultiProtocol(int afi, int safi) ->
                out.put((byte) 1)
                        .put((byte) 4)
                        .putShort((short) afi)
                        .put((byte) 0)
                        .put((byte) safi);
            case Capability.RouteRefresh() -> out.put((byte) 2).put((byte) 0);
            case Capability.FourOctetAs(long asn) ->
                out.put((byte) 65).put((byte) 4).putInt((int) asn);
            case Capability.GracefulRestart(boolean restarting, int seconds, var families) -> {
                out.put((byte) 64).put((byte) (2 + 4 * families.size()));
                out.putShort((short) ((restarting ? 0x8000 : 0) | seconds));
                families.forEach(family -> out.putShort((short) family.afi())
                        .put((byte) family.safi())
                        .put((byte) (family.forwardingPreserved() ? 0x80 : 0)));
            }
            case Capability.AddPath(var families) -> {
                out.put((byte) 69).put((byte) (4 * families.size()));
                families.forEach(family -> out.putShort((short) family.afi())
                        .put((byte) family.safi())
                        .put((byte) family.mode()));
            }
            case Capability.Unknown(int code, Bytes value) ->
                out.put((byte) code).put((byte) value.size()).put(value.toArray());
        }
    }

    private static void update(ByteBuffer out, Update update, SessionFormat format) {
        int withdrawn = out.position();
        out.putShort((short) 0);
        update.withdrawn().stream().filter(p -> p.family() == IpFamily.V4).forEach(p -> prefix(out, p));
        out.putShort(withdrawn, (short) (out.position() - withdrawn - 2));
        int start = out.position();
        out.putShort((short) 0);
        List<IpPrefix> gone = update.withdrawn().stream()
                .filter(p -> p.family() == IpFamily.V6)
                .toList();
        if (!gone.isEmpty()) {
            ByteBuffer value = ByteBuffer.allocate(ROOM);
            value.putShort((short) Families.afi(IpFamily.V6)).put((byte) Families.UNICAST);
            gone.forEach(p -> prefix(value, p));
            attribute(out, OPTIONAL, 15, written(value));
        }
        update.reach().stream().filter(r -> r.nextHop().family() == IpFamily.V6).forEach(r -> {
            ByteBuffer value = ByteBuffer.allocate(ROOM);
            mpReachHead(value, r.nextHop());
            r.prefixes().forEach(p -> prefix(value, p));
            attribute(out, OPTIONAL, 14, written(value));
        });
        attributes(out, update.attributes(), format);
        List<Reach> v4 = update.reach().stream()
                .filter(r -> r.nextHop().family() == IpFamily.V4)
                .toList();
        v4.forEach(r -> nextHop(out, r.nextHop()));
        out.putShort(start, (short) (out.position() - start - 2));
        v4.forEach(r -> r.prefixes().forEach(p -> prefix(out, p)));
    }

    private static void nextHop(ByteBuffer out, IpAddress nextHop) {
        attribute(out, TRANSITIVE, 3, nextHop.bytes());
    }

    private static void mpReachHead(ByteBuffer out, IpAddress nextHop) {
        out.putShort((short) Families.afi(nextHop.family()))
                .put((byte) Families.UNICAST)
                .put((byte) (nextHop.family().bits() / 8))
                .put(nextHop.bytes())
                .put((byte) 0);
    }

    private static void endOfRib(ByteBuffer out, IpFamily family) {
        out.putShort((short) 0);
        switch (family) {
            case V4 -> out.putShort((short) 0);
            case V6 -> {
                out.putShort((short) 6);
                out.put((byte) OPTIONAL).put((byte) 15).put((byte) 3);
                out.putShort((short) Families.afi(family)).put((byte) Families.UNICAST);
            }
        }
    }

    private static void prefix(ByteBuffer out, IpPrefix prefix) {
        out.put((byte) prefix.length());
        int octets = (prefix.length() + 7) / 8;
        IpAddress address = prefix.address();
        for (int i = 0, shift = address.family().bits() - 8; i < octets; i++, shift -= 8) {
            out.put((byte) (shift >= 64 ? address.high() >>> (shift - 64) : address.low() >>> shift));
        }
    }

    private static void attributes(ByteBuffer out, PathAttributes attributes, SessionFormat format) {
        attributes.list().forEach(attribute -> attribute(out, attribute, format));
    }

    private static void attribute(ByteBuffer out, PathAttribute attribute, SessionFormat format) {
        int type = attribute.type();
        switch (attribute) {
            case PathAttribute.Origin(PathAttribute.OriginKind kind) ->
                attribute(out, TRANSITIVE, type, new byte[] {(byte) kind.wire()});
            case PathAttribute.Path(AsPath path) -> {
                attribute(out, TRANSITIVE, type, asPath(path, format.fourOctetAs()));
                if (!format.fourOctetAs() && wide(path)) {
                    attribute(out, OPTIONAL | TRANSITIVE, 17, asPath(path, true));
                }
            }
            case PathAttribute.Med(long metric) ->
                attribute(out, OPTIONAL, type, written(octets(4).putInt((int) metric)));
            case PathAttribute.LocalPref(long preference) ->
                attribute(out, TRANSITIVE, type, written(octets(4).putInt((int) preference)));
            case PathAttribute.AtomicAggregate() -> attribute(out, TRANSITIVE, type, new byte[0]);
            case PathAttribute.Aggregator(long asn, IpAddress router) -> {
                ByteBuffer value = format.fourOctetAs()
                        ? octets(8).putInt((int) asn)
                        : octets(6).putShort((short) narrow(asn));
                attribute(out, OPTIONAL | TRANSITIVE, type, written(value.put(router.bytes())));
                if (!format.fourOctetAs() && asn > 0xFFFF) {
                    ByteBuffer real = octets(8).putInt((int) asn).put(router.bytes());
                    attribute(out, OPTIONAL | TRANSITIVE, 18, written(real));
                }
            }
            case PathAttribute.Communities(List<Community> values) -> {
                ByteBuffer value = octets(4 * values.size());
                values.forEach(c -> value.putInt(c.value()));
                attribute(out, OPTIONAL | TRANSITIVE, type, written(value));
            }
            case PathAttribute.OriginatorId(IpAddress router) -> attribute(out, OPTIONAL, type, router.bytes());
            case PathAttribute.ClusterList(List<IpAddress> clusters) -> {
                ByteBuffer value = octets(4 * clusters.size());
                clusters.forEach(c -> value.put(c.bytes()));
                attribute(out, OPTIONAL, type, written(value));
            }
            case PathAttribute.ExtendedCommunities(List<Long> values) -> {
                ByteBuffer value = octets(8 * values.size());
                values.forEach(value::putLong);
                attribute(out, OPTIONAL | TRANSITIVE, type, written(value));
            }
            case PathAttribute.LargeCommunities(List<LargeCommunity> values) -> {
                ByteBuffer value = octets(12 * values.size());
                values.forEach(c ->
                        value.putInt((int) c.global()).putInt((int) c.first()).putInt((int) c.second()));
                attribute(out, OPTIONAL | TRANSITIVE, type, written(value));
            }
            case PathAttribute.Unknown(int _, Bytes bytes) ->
                attribute(out, OPTIONAL | TRANSITIVE | PARTIAL, type, bytes.toArray());
        }
    }

    private static void attribute(ByteBuffer out, int flags, int type, byte[] value) {
        if (value.length > 255) {
            out.put((byte) (flags | EXTENDED_LENGTH)).put((byte) type).putShort((short) value.length);
        } else {
            out.put((byte) flags).put((byte) type).put((byte) value.length);
        }
        out.put(value);
    }

    private static byte[] asPath(AsPath path, boolean fourOctets) {
        int size = path.segments().stream()
                .mapToInt(segment -> 2 + segment.asns().size() * (fourOctets ? 4 : 2))
                .sum();
        ByteBuffer out = octets(size);
        for (AsPath.Segment segment : path.segments()) {
            out.put((byte) segment.kind().wire()).put((byte) segment.asns().size());
            for (long asn : segment.asns()) {
                if (fourOctets) {
                    out.putInt((int) asn);
                } else {
                    out.putShort((short) narrow(asn));
                }
            }
        }
        return written(out);
    }

    private static ByteBuffer octets(int size) {
        return ByteBuffer.allocate(size);
    }

    private static boolean wide(AsPath path) {
        return path.segments().stream().anyMatch(s -> s.asns().stream().anyMatch(asn -> asn > 0xFFFF));
    }

    private static long narrow(long asn) {
        return asn > 0xFFFF ? BgpMessage.AS_TRANS : asn;
    }
}

package io.podwire.route.bgp.codec;

import static io.podwire.route.bgp.codec.ErrorAction.DISCARD_ATTRIBUTE;
import static io.podwire.route.bgp.codec.ErrorAction.TREAT_AS_WITHDRAW;
import static io.podwire.route.bgp.message.NotificationCodes.BAD_ATTRIBUTES;
import static io.podwire.route.bgp.message.NotificationCodes.BAD_NETWORK;
import static io.podwire.route.bgp.message.NotificationCodes.BAD_OPTIONAL;
import static io.podwire.route.bgp.message.NotificationCodes.UNKNOWN_WELL_KNOWN;
import static io.podwire.route.bgp.message.NotificationCodes.UPDATE;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.route.bgp.message.AsPath;
import io.podwire.route.bgp.message.BgpMessage;
import io.podwire.route.bgp.message.BgpMessage.EndOfRib;
import io.podwire.route.bgp.message.BgpMessage.Reach;
import io.podwire.route.bgp.message.BgpMessage.Update;
import io.podwire.route.bgp.message.Community;
import io.podwire.route.bgp.message.Families;
import io.podwire.route.bgp.message.LargeCommunity;
import io.podwire.route.bgp.message.PathAttribute;
import io.podwire.route.bgp.message.PathAttributes;
import io.podwire.route.bgp.message.SessionFormat;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Reads one UPDATE by the rules of RFC 7606. What cannot be told apart ends the session: the three lengths, the
 * prefixes, a multiprotocol attribute that is there twice or whose next hop has a wrong length. Any other bad
 * attribute costs itself or its prefixes. Used once.
 */
final class UpdateDecoder {
    private static final int OPTIONAL = 0x80;
    private static final int TRANSITIVE = 0x40;
    private static final int EXTENDED_LENGTH = 0x10;

    private static final int NEXT_HOP = 3;
    private static final int MP_REACH = 14;
    private static final int MP_UNREACH = 15;
    private static final int AS4_PATH = 17;
    private static final int AS4_AGGREGATOR = 18;

    private final SessionFormat format;
    private final List<IpPrefix> withdrawn = new ArrayList<>();
    private final List<PathAttribute> attributes = new ArrayList<>();
    private final List<Reach> reach = new ArrayList<>();
    private final List<AttributeError> errors = new ArrayList<>();
    private final BitSet seen = new BitSet(256);
    /** Prefixes whose next hop is not usable: they can only be withdrawn. */
    private final List<IpPrefix> unusable = new ArrayList<>();

    private Optional<IpAddress> nextHop = Optional.empty();
    private Optional<IpFamily> emptyUnreach = Optional.empty();
    private Optional<AsPath> as4Path = Optional.empty();
    private Optional<PathAttribute.Aggregator> as4Aggregator = Optional.empty();

    private UpdateDecoder(SessionFormat format) {
        this.format = format;
    }

    static Decoded decode(Slice body, SessionFormat format) throws BgpProtocolException {
        return new UpdateDecoder(format).message(body);
    }

    private Decoded message(Slice body) throws BgpProtocolException {
        Slice attributeList;
        try {
            withdrawn.addAll(prefixes(IpFamily.V4, body.take(body.u16())));
            attributeList = body.take(body.u16());
        } catch (Slice.ShortException e) {
            throw malformed(BAD_ATTRIBUTES, "withdrawn routes or attributes overrun the message: " + e.getMessage());
        }
        boolean noAttributes = attributeList.isEmpty();
        attributes(attributeList);
        List<IpPrefix> nlri = prefixes(IpFamily.V4, body);

        boolean announces = !nlri.isEmpty() || !reach.isEmpty() || !unusable.isEmpty();
        if (noAttributes && nlri.isEmpty() && withdrawn.isEmpty()) {
            return Decoded.of(new EndOfRib(IpFamily.V4));
        }
        if (emptyUnreach.isPresent() && !announces && withdrawn.isEmpty() && attributes.isEmpty() && errors.isEmpty()) {
            return Decoded.of(new EndOfRib(emptyUnreach.get()));
        }
        if (announces) {
            requireMandatory(!nlri.isEmpty());
        }
        boolean withdraw = errors.stream().anyMatch(error -> error.action() == TREAT_AS_WITHDRAW);
        if (withdraw && !announces) {
            // RFC 7606 §5.2: which routes the attributes were meant for cannot be known.
            throw malformed(
                    BAD_ATTRIBUTES,
                    "malformed attributes without a reachable prefix: "
                            + errors.getFirst().reason());
        }
        if (withdraw) {
            withdrawn.addAll(nlri);
            withdrawn.addAll(unusable);
            reach.forEach(part -> withdrawn.addAll(part.prefixes()));
            return new Decoded(new Update(withdrawn, PathAttributes.NONE, List.of()), errors);
        }
        if (!nlri.isEmpty()) {
            reach.addFirst(new Reach(nextHop.orElseThrow(), nlri));
        }
        if (reach.isEmpty()) {
            return new Decoded(new Update(withdrawn, PathAttributes.NONE, List.of()), errors);
        }
        mergeFourOctetAs();
        return new Decoded(new Update(withdrawn, new PathAttributes(attributes), reach), errors);
    }

    private void attributes(Slice list) throws BgpProtocolException {
        while (!list.isEmpty()) {
            int type = 0;
            try {
                int flags = list.u8();
                type = list.u8();
                Slice value = list.take((flags & EXTENDED_LENGTH) != 0 ? list.u16() : list.u8());
                attribute(flags, type, value);
            } catch (Slice.ShortException e) {
                // RFC 7606 §4: the list's end is known, so the prefixes after it are too.
                withdraw(type, "attribute " + type + " overruns the list of attributes: " + e.getMessage());
                return;
            }
        }
    }

    private void attribute(int flags, int type, Slice value) throws BgpProtocolException, Slice.ShortException {
        if (seen.get(type)) {
            // RFC 7606 §3 g.
            if (type == MP_REACH || type == MP_UNREACH) {
                throw malformed(BAD_ATTRIBUTES, "attribute " + type + " is there twice");
            }
            discard(type, "attribute " + type + " is there twice; the first counts");
            return;
        }
        seen.set(type);
        int kind = flags & (OPTIONAL | TRANSITIVE);
        Optional<Integer> expected = expectedKind(type);
        if (expected.isEmpty()) {
            unknown(kind, type, value);
            return;
        }
        if (expected.get() != kind) {
            withdraw(type, "attribute " + type + " has the flags " + Integer.toHexString(flags));
            // Its prefixes are to be withdrawn all the same.
            if (type != MP_REACH && type != MP_UNREACH) {
                return;
            }
        }
        known(type, value);
    }

    private static Optional<Integer> expectedKind(int type) {
        return switch (type) {
            case 1, 2, NEXT_HOP, 5, 6 -> Optional.of(TRANSITIVE);
            case 4, 9, 10, MP_REACH, MP_UNREACH -> Optional.of(OPTIONAL);
            case 7, 8, 16, AS4_PATH, AS4_AGGREGATOR, 32 -> Optional.of(OPTIONAL | TRANSITIVE);
            default -> Optional.empty();
        };
    }

    private void unknown(int kind, int type, Slice value) throws BgpProtocolException {
        if ((kind & OPTIONAL) == 0) {
            throw malformed(UNKNOWN_WELL_KNOWN, "attribute " + type + " is marked as well-known and is not");
        }
        if ((kind & TRANSITIVE) != 0) {
            attributes.add(new PathAttribute.Unknown(type, value.rest()));
        }
    }

    private void known(int type, Slice value) throws BgpProtocolException, Slice.ShortException {
        int length = value.left();
        switch (type) {
            case 1 -> {
                int kind = length == 1 ? value.u8() : 255;
                PathAttribute.OriginKind.ofWire(kind)
                        .ifPresentOrElse(
                                origin -> attributes.add(new PathAttribute.Origin(origin)),
                                () -> withdraw(type, "ORIGIN of " + length + " octets, value " + kind));
            }
            case 2 ->
                asPath(value, format.fourOctetAs())
                        .ifPresentOrElse(
                                path -> attributes.add(new PathAttribute.Path(path)),
                                () -> withdraw(type, "malformed AS_PATH"));
            case NEXT_HOP -> {
                Optional<IpAddress> address = length == 4 ? Optional.of(value.v4()) : Optional.empty();
                nextHop = address.filter(UpdateDecoder::usable);
                if (nextHop.isEmpty()) {
                    withdraw(
                            type, "NEXT_HOP " + address.map(IpAddress::toString).orElse("of " + length + " octets"));
                }
            }
            case 4 -> sized(type, length == 4, length, () -> new PathAttribute.Med(value.u32()));
            case 5 -> internalOnly(type, length == 4, length, () -> new PathAttribute.LocalPref(value.u32()));
            case 6 -> {
                if (length == 0) {
                    attributes.add(new PathAttribute.AtomicAggregate());
                } else {
                    discard(type, "ATOMIC_AGGREGATE of " + length + " octets");
                }
            }
            case 7 -> {
                if (length == (format.fourOctetAs() ? 8 : 6)) {
                    long asn = format.fourOctetAs() ? value.u32() : value.u16();
                    attributes.add(new PathAttribute.Aggregator(asn, value.v4()));
                } else {
                    discard(type, "AGGREGATOR of " + length + " octets");
                }
            }
            case 8 ->
                sized(type, length > 0 && length % 4 == 0, length, () -> {
                    List<Community> values = new ArrayList<>();
                    while (!value.isEmpty()) {
                        values.add(new Community((int) value.u32()));
                    }
                    return new PathAttribute.Communities(values);
                });
            case 9 -> internalOnly(type, length == 4, length, () -> new PathAttribute.OriginatorId(value.v4()));
            case 10 ->
                internalOnly(type, length > 0 && length % 4 == 0, length, () -> {
                    List<IpAddress> clusters = new ArrayList<>();
                    while (!value.isEmpty()) {
                        clusters.add(value.v4());
                    }
                    return new PathAttribute.ClusterList(clusters);
                });
            case MP_REACH -> mpReach(value);
            case MP_UNREACH -> mpUnreach(value);
            case 16 ->
                sized(type, length > 0 && length % 8 == 0, length, () -> {
                    List<Long> values = new ArrayList<>();
                    while (!value.isEmpty()) {
                        values.add(value.u64());
                    }
                    return new PathAttribute.ExtendedCommunities(values);
                });
            case AS4_PATH -> {
                // RFC 6793 §6: an error in it costs itself alone; between two new speakers it means nothing.
                if (!format.fourOctetAs()) {
                    as4Path = asPath(value, true);
                    if (as4Path.isEmpty()) {
                        discard(type, "malformed AS4_PATH");
                    }
                }
            }
            case AS4_AGGREGATOR -> {
                if (!format.fourOctetAs()) {
                    if (length == 8) {
                        as4Aggregator = Optional.of(new PathAttribute.Aggregator(value.u32(), value.v4()));
                    } else {
                        discard(type, "AS4_AGGREGATOR of " + length + " octets");
                    }
                }
            }
            case 32 ->
                sized(type, length > 0 && length % 12 == 0, length, () -> {
                    Set<LargeCommunity> values = new LinkedHashSet<>();
                    while (!value.isEmpty()) {
                        values.add(new LargeCommunity(value.u32(), value.u32(), value.u32()));
                    }
                    return new PathAttribute.LargeCommunities(List.copyOf(values));
                });
            default -> throw new AssertionError("expectedKind knows type " + type);
        }
    }

    /** Reads a value whose length is right. */
    @FunctionalInterface
    private interface Reading {
        PathAttribute read() throws Slice.ShortException;
    }

    private void sized(int type, boolean fits, int length, Reading reading) throws Slice.ShortException {
        if (fits) {
            attributes.add(reading.read());
        } else {
            withdraw(type, "attribute " + type + " of " + length + " octets");
        }
    }

    /** RFC 7606 §7.5, 7.9, 7.10: from another AS they are dropped unread. */
    private void internalOnly(int type, boolean fits, int length, Reading reading) throws Slice.ShortException {
        if (format.internal()) {
            sized(type, fits, length, reading);
        } else {
            discard(type, "attribute " + type + " from another AS");
        }
    }

    private static Optional<AsPath> asPath(Slice value, boolean fourOctets) {
        List<AsPath.Segment> segments = new ArrayList<>();
        try {
            while (!value.isEmpty()) {
                int kind = value.u8();
                int count = value.u8();
                // RFC 7606 §7.2; confederations (3 and 4) end at their own border, RFC 5065 §4.
                if (count == 0 || (kind != 1 && kind != 2)) {
                    return Optional.empty();
                }
                List<Long> asns = new ArrayList<>(count);
                for (int i = 0; i < count; i++) {
                    long asn = fourOctets ? value.u32() : value.u16();
                    // RFC 7607 §2.
                    if (asn == 0) {
                        return Optional.empty();
                    }
                    asns.add(asn);
                }
                segments.add(new AsPath.Segment(kind == 1 ? AsPath.Kind.SET : AsPath.Kind.SEQUENCE, asns));
            }
            return Optional.of(new AsPath(segments));
        } catch (Slice.ShortException e) {
            return Optional.empty();
        }
    }

    private void mpReach(Slice value) throws BgpProtocolException {
        try {
            int afi = value.u16();
            int safi = value.u8();
            Slice hop = value.take(value.u8());
            // SNPA of RFC 2858, reserved since.
            var _ = value.u8();
            Optional<IpFamily> family = Families.unicast(afi, safi);
            if (family.isEmpty()) {
                // Never agreed on: RFC 4760 §7 lets it be ignored.
                discard(MP_REACH, "routes of family " + afi + "/" + safi + " which was not agreed on");
                return;
            }
            int length = hop.left();
            // RFC 2545 §3: a link-local address may follow the global one.
            boolean fits = switch (family.get()) {
                case V4 -> length == 4;
                case V6 -> length == 16 || length == 32;
            };
            if (!fits) {
                // RFC 7606 §7.11.
                throw malformed(BAD_OPTIONAL, "next hop of " + length + " octets in MP_REACH_NLRI");
            }
            IpAddress address = IpAddress.ofBytes(hop.bytes(family.get().bits() / 8));
            List<IpPrefix> prefixes = prefixes(family.get(), value);
            if (prefixes.isEmpty()) {
                return;
            }
            if (usable(address)) {
                reach.add(new Reach(address, prefixes));
            } else {
                unusable.addAll(prefixes);
                withdraw(MP_REACH, "next hop " + address + " in MP_REACH_NLRI");
            }
        } catch (Slice.ShortException e) {
            throw malformed(BAD_OPTIONAL, "MP_REACH_NLRI ends early: " + e.getMessage());
        }
    }

    private void mpUnreach(Slice value) throws BgpProtocolException {
        try {
            int afi = value.u16();
            int safi = value.u8();
            Optional<IpFamily> family = Families.unicast(afi, safi);
            if (family.isEmpty()) {
                discard(MP_UNREACH, "routes of family " + afi + "/" + safi + " which was not agreed on");
                return;
            }
            if (value.isEmpty()) {
                emptyUnreach = family;
            }
            withdrawn.addAll(prefixes(family.get(), value));
        } catch (Slice.ShortException e) {
            throw malformed(BAD_OPTIONAL, "MP_UNREACH_NLRI ends early: " + e.getMessage());
        }
    }

    /** RFC 7606 §5.3: a prefix that cannot be read ends the session. */
    private static List<IpPrefix> prefixes(IpFamily family, Slice value) throws BgpProtocolException {
        // Four octets each or some more, mostly.
        List<IpPrefix> out = new ArrayList<>(value.left() / 4);
        try {
            while (!value.isEmpty()) {
                int length = value.u8();
                if (length > family.bits()) {
                    throw malformed(BAD_NETWORK, "a prefix of " + length + " bits of " + family.label());
                }
                int octets = (length + 7) / 8;
                long high = 0;
                long low = 0;
                for (int i = 0, shift = family.bits() - 8; i < octets; i++, shift -= 8) {
                    long octet = value.u8();
                    if (shift >= 64) {
                        high |= octet << (shift - 64);
                    } else {
                        low |= octet << shift;
                    }
                }
                // Bits past the length mean nothing, RFC 4271 §4.3.
                out.add(IpPrefix.containing(new IpAddress(family, high, low), length));
            }
        } catch (Slice.ShortException e) {
            throw malformed(BAD_NETWORK, "a prefix ends early: " + e.getMessage());
        }
        return out;
    }

    /** RFC 4271 §6.3: a next hop is the address of one host. */
    private static boolean usable(IpAddress address) {
        InetAddress inet = address.toInetAddress();
        return !inet.isAnyLocalAddress()
                && !inet.isMulticastAddress()
                && !inet.isLoopbackAddress()
                && !(address.family() == IpFamily.V4 && address.low() >>> 28 == 0xF);
    }

    private void requireMandatory(boolean nlri) {
        require(1, true, "ORIGIN");
        require(2, true, "AS_PATH");
        require(NEXT_HOP, nlri, "NEXT_HOP");
        require(5, format.internal(), "LOCAL_PREF");
    }

    /** RFC 7606 §3 d. */
    private void require(int type, boolean needed, String name) {
        if (needed && !seen.get(type)) {
            withdraw(type, name + " is missing");
        }
    }

    /** RFC 6793 §4.2.3. */
    private void mergeFourOctetAs() {
        if (format.fourOctetAs()) {
            return;
        }
        for (int i = 0; i < attributes.size(); i++) {
            PathAttribute attribute = attributes.get(i);
            if (attribute instanceof PathAttribute.Aggregator(long asn, var _)
                    && as4Aggregator.isPresent()
                    && asn == BgpMessage.AS_TRANS) {
                attributes.set(i, as4Aggregator.get());
            } else if (attribute instanceof PathAttribute.Path(AsPath path) && as4Path.isPresent()) {
                attributes.set(i, new PathAttribute.Path(merge(path, as4Path.get())));
            }
        }
    }

    /** The AS numbers that the old path has more than the new one, then the new one. */
    private static AsPath merge(AsPath old, AsPath real) {
        int more = old.length() - real.length();
        if (more < 0) {
            return old;
        }
        List<AsPath.Segment> merged = new ArrayList<>();
        for (AsPath.Segment segment : old.segments()) {
            if (more == 0) {
                break;
            }
            if (segment.kind() == AsPath.Kind.SET) {
                merged.add(segment);
                more--;
            } else {
                int count = Math.min(more, segment.asns().size());
                merged.add(
                        new AsPath.Segment(AsPath.Kind.SEQUENCE, segment.asns().subList(0, count)));
                more -= count;
            }
        }
        List<AsPath.Segment> rest = new ArrayList<>(real.segments());
        // One sequence again, as it was before it was split.
        if (!merged.isEmpty()
                && !rest.isEmpty()
                && merged.getLast().kind() == AsPath.Kind.SEQUENCE
                && rest.getFirst().kind() == AsPath.Kind.SEQUENCE
                && merged.getLast().asns().size() + rest.getFirst().asns().size() <= 255) {
            List<Long> joined = new ArrayList<>(merged.removeLast().asns());
            joined.addAll(rest.removeFirst().asns());
            rest.addFirst(new AsPath.Segment(AsPath.Kind.SEQUENCE, joined));
        }
        merged.addAll(rest);
        return new AsPath(merged);
    }

    private void discard(int type, String reason) {
        errors.add(new AttributeError(type, DISCARD_ATTRIBUTE, reason));
    }

    private void withdraw(int type, String reason) {
        errors.add(new AttributeError(type, TREAT_AS_WITHDRAW, reason));
    }

    private static BgpProtocolException malformed(int subcode, String reason) {
        return new BgpProtocolException(UPDATE, subcode, reason);
    }
}

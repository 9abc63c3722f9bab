package io.podwire.route.bgp;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.route.bgp.message.AsPath;
import io.podwire.route.bgp.message.BgpMessage;
import io.podwire.route.bgp.message.BgpMessage.Reach;
import io.podwire.route.bgp.message.BgpMessage.Update;
import io.podwire.route.bgp.message.Bytes;
import io.podwire.route.bgp.message.Capability;
import io.podwire.route.bgp.message.Community;
import io.podwire.route.bgp.message.LargeCommunity;
import io.podwire.route.bgp.message.PathAttribute;
import io.podwire.route.bgp.message.PathAttributes;
import io.podwire.route.bgp.message.SessionFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Random messages that can be sent. */
public final class Messages {
    /** With paths of {@link #MOST_ASNS}, which two-octet sessions carry twice, the longest UPDATE has 3,915 octets of 4,096. */
    private static final int MOST_PREFIXES = 20;

    private static final int MOST_ASNS = 255;

    private Messages() {}

    /** Any of the six kinds. */
    public static BgpMessage any(RandomGenerator random, SessionFormat format) {
        return switch (random.nextInt(10)) {
            case 0 -> open(random);
            case 1 -> new BgpMessage.Keepalive();
            case 2 -> new BgpMessage.Notification(random.nextInt(256), random.nextInt(256), bytes(random, 30));
            case 3 -> new BgpMessage.RouteRefresh(random.nextInt(65536), random.nextInt(256));
            case 4 -> new BgpMessage.EndOfRib(family(random));
            default -> update(random, format);
        };
    }

    /** An OPEN. */
    public static BgpMessage.Open open(RandomGenerator random) {
        long asn = 1 + random.nextLong(0xFFFF_FFFFL);
        List<Capability> capabilities = new ArrayList<>();
        if (asn > 0xFFFF || random.nextBoolean()) {
            capabilities.add(new Capability.FourOctetAs(asn));
        }
        for (int i = random.nextInt(5); i > 0; i--) {
            capabilities.add(
                    switch (random.nextInt(5)) {
                        case 0 -> Capability.MultiProtocol.of(family(random));
                        case 1 -> new Capability.RouteRefresh();
                        case 2 ->
                            new Capability.GracefulRestart(
                                    random.nextBoolean(),
                                    random.nextInt(4096),
                                    IntStream.range(0, random.nextInt(3))
                                            .mapToObj(_ -> new Capability.RestartFamily(
                                                    random.nextInt(65536), random.nextInt(256), random.nextBoolean()))
                                            .toList());
                        case 3 ->
                            new Capability.AddPath(IntStream.range(0, 1 + random.nextInt(3))
                                    .mapToObj(_ -> new Capability.AddPathFamily(
                                            random.nextInt(65536), random.nextInt(256), random.nextInt(256)))
                                    .toList());
                        default -> new Capability.Unknown(70 + random.nextInt(100), bytes(random, 120));
                    });
        }
        return new BgpMessage.Open(asn, random.nextInt(65536), identifier(random), capabilities);
    }

    /** An UPDATE that changes something. */
    public static Update update(RandomGenerator random, SessionFormat format) {
        List<IpPrefix> withdrawn = new ArrayList<>();
        List<Reach> reach = new ArrayList<>();
        int shape = 1 + random.nextInt(15);
        if ((shape & 1) != 0) {
            withdrawn.addAll(prefixes(random, IpFamily.V4, MOST_PREFIXES));
        }
        if ((shape & 2) != 0) {
            withdrawn.addAll(prefixes(random, IpFamily.V6, MOST_PREFIXES));
        }
        if ((shape & 4) != 0) {
            reach.add(new Reach(nextHop(random, IpFamily.V4), prefixes(random, IpFamily.V4, MOST_PREFIXES)));
        }
        if ((shape & 8) != 0) {
            reach.add(new Reach(nextHop(random, IpFamily.V6), prefixes(random, IpFamily.V6, MOST_PREFIXES)));
        }
        return new Update(withdrawn, reach.isEmpty() ? PathAttributes.NONE : attributes(random, format), reach);
    }

    /** Attributes as a speaker of this format may send them. */
    public static PathAttributes attributes(RandomGenerator random, SessionFormat format) {
        List<PathAttribute> list = new ArrayList<>();
        list.add(new PathAttribute.Origin(
                PathAttribute.OriginKind.ofWire(random.nextInt(3)).orElseThrow()));
        list.add(new PathAttribute.Path(asPath(random)));
        if (format.internal()) {
            list.add(new PathAttribute.LocalPref(random.nextLong(1L << 32)));
            maybe(random, list, () -> new PathAttribute.OriginatorId(identifier(random)));
            maybe(
                    random,
                    list,
                    () -> new PathAttribute.ClusterList(Stream.generate(() -> identifier(random))
                            .limit(1 + random.nextInt(80))
                            .toList()));
        }
        maybe(random, list, () -> new PathAttribute.Med(random.nextLong(1L << 32)));
        maybe(random, list, PathAttribute.AtomicAggregate::new);
        maybe(random, list, () -> new PathAttribute.Aggregator(asn(random), identifier(random)));
        maybe(
                random,
                list,
                () -> new PathAttribute.Communities(Stream.generate(() -> new Community(random.nextInt()))
                        .limit(1 + random.nextInt(80))
                        .toList()));
        maybe(
                random,
                list,
                () -> new PathAttribute.ExtendedCommunities(Stream.generate(random::nextLong)
                        .limit(1 + random.nextInt(5))
                        .toList()));
        maybe(
                random,
                list,
                () -> new PathAttribute.LargeCommunities(Stream.generate(() -> new LargeCommunity(
                                random.nextLong(1L << 32), random.nextLong(1L << 32), random.nextLong(1L << 32)))
                        .distinct()
                        .limit(1 + random.nextInt(30))
                        .toList()));
        maybe(random, list, () -> new PathAttribute.Unknown(200 + random.nextInt(50), bytes(random, 300)));
        return new PathAttributes(list);
    }

    /** Prefixes, one at least, none twice. */
    public static List<IpPrefix> prefixes(RandomGenerator random, IpFamily family, int most) {
        Set<IpPrefix> out = new TreeSet<>();
        int count = 1 + random.nextInt(most);
        for (int i = 0; i < count; i++) {
            out.add(IpPrefix.containing(address(random, family), random.nextInt(family.bits() + 1)));
        }
        return List.copyOf(out);
    }

    private static AsPath asPath(RandomGenerator random) {
        int segments = random.nextInt(3);
        return new AsPath(IntStream.range(0, segments)
                .mapToObj(i -> new AsPath.Segment(
                        i == 0 ? AsPath.Kind.SEQUENCE : AsPath.Kind.SET,
                        Stream.generate(() -> asn(random))
                                .limit(1 + random.nextInt(MOST_ASNS / segments))
                                .toList()))
                .toList());
    }

    private static long asn(RandomGenerator random) {
        return 1 + (random.nextBoolean() ? random.nextLong(0xFFFF) : random.nextLong(0xFFFF_FFFFL));
    }

    private static IpAddress nextHop(RandomGenerator random, IpFamily family) {
        return switch (family) {
            case V4 -> IpAddress.ofV4(0x0A000000 | random.nextInt(1 << 24));
            case V6 -> new IpAddress(IpFamily.V6, 0xFD00L << 48, random.nextLong());
        };
    }

    private static IpAddress identifier(RandomGenerator random) {
        return IpAddress.ofV4(1 + random.nextInt(Integer.MAX_VALUE));
    }

    private static IpAddress address(RandomGenerator random, IpFamily family) {
        return switch (family) {
            case V4 -> IpAddress.ofV4(random.nextInt());
            case V6 -> new IpAddress(IpFamily.V6, random.nextLong(), random.nextLong());
        };
    }

    private static IpFamily family(RandomGenerator random) {
        return random.nextBoolean() ? IpFamily.V4 : IpFamily.V6;
    }

    private static Bytes bytes(RandomGenerator random, int most) {
        byte[] content = new byte[random.nextInt(most)];
        random.nextBytes(content);
        return Bytes.of(content);
    }

    private static void maybe(
            RandomGenerator random, List<PathAttribute> list, Supplier<? extends PathAttribute> attribute) {
        if (random.nextInt(3) == 0) {
            list.add(attribute.get());
        }
    }
}

package io.podwire.node.netlink.rt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.testing.Seeds;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlWriter;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Every record that can be written reads back as itself. */
class CodecRoundTripTest {
    @Test
    void addresses() {
        Seeds.forEach(CodecRoundTripTest.class, 300, random -> {
            IpAddress address = address(random, family(random));
            Scope scope = pick(random, Scope.values());
            InterfaceAddress want = new InterfaceAddress(
                    index(random), address, random.nextInt(address.family().bits() + 1), scope, random.nextBoolean());
            assertThat(AddressCodec.read(message(out -> AddressCodec.write(out, want))))
                    .as("read back")
                    .contains(want);
        });
    }

    @Test
    void routes() {
        Seeds.forEach(CodecRoundTripTest.class, 300, random -> {
            IpFamily family = family(random);
            RouteType type = pick(random, RouteType.values());
            Route want = new Route(
                    IpPrefix.containing(address(random, family), random.nextInt(family.bits() + 1)),
                    maybe(random, address(random, family)),
                    type == RouteType.UNICAST ? maybe(random, index(random)) : OptionalInt.empty(),
                    pick(random, RouteScope.values()),
                    random.nextBoolean(),
                    random.nextInt(256),
                    maybe(random, address(random, family)),
                    maybe(random, 1280 + random.nextInt(8000)),
                    maybe(random, 1220 + random.nextInt(8000)),
                    type,
                    u32(random),
                    Math.max(1, u32(random)),
                    pick(random, RoutePreference.values()));
            assertThat(RouteCodec.read(message(out -> RouteCodec.write(out, want))))
                    .as("read back")
                    .contains(want);
        });
    }

    @Test
    void neighboursAndForwardingEntries() {
        Seeds.forEach(CodecRoundTripTest.class, 300, random -> {
            Neighbour neighbour = new Neighbour(
                    index(random),
                    address(random, family(random)),
                    mac(random),
                    random.nextBoolean(),
                    random.nextBoolean());
            assertThat(NeighbourCodec.read(message(out -> NeighbourCodec.write(out, neighbour))))
                    .as("read back")
                    .contains(neighbour);
            ProxyNeighbour proxy = new ProxyNeighbour(index(random), address(random, family(random)));
            assertThat(NeighbourCodec.readProxy(message(out -> NeighbourCodec.writeProxy(out, proxy))))
                    .as("read back")
                    .contains(proxy);
            assertThat(NeighbourCodec.read(message(out -> NeighbourCodec.writeProxy(out, proxy))))
                    .as("a proxy entry is no neighbour")
                    .isEmpty();
            assertThat(NeighbourCodec.readProxy(message(out -> NeighbourCodec.write(out, neighbour))))
                    .as("a neighbour is no proxy entry")
                    .isEmpty();
            FdbEntry entry = new FdbEntry(
                    index(random),
                    mac(random),
                    maybe(random, address(random, family(random))),
                    pick(random, FdbOwner.values()),
                    pick(random, FdbState.values()));
            assertThat(NeighbourCodec.readFdb(message(out -> NeighbourCodec.writeFdb(out, entry))))
                    .as("read back")
                    .contains(entry);
        });
    }

    @Test
    void newLinksReadAsTheLinkTheyAsk() {
        Seeds.forEach(CodecRoundTripTest.class, 300, random -> {
            IpAddress local = address(random, family(random));
            int vni = random.nextInt(1 << 24);
            int port = 1 + random.nextInt(0xFFFF);
            boolean learning = random.nextBoolean();
            int below = index(random);
            int lastPort = random.nextInt(0x10000);
            VxlanOuter outer =
                    new VxlanOuter(maybe(random, 4), random.nextInt(lastPort + 1), lastPort, random.nextBoolean());
            NewLinkKind kind = switch (random.nextInt(7)) {
                case 0 -> new NewLinkKind.Veth("eth0", maybe(random, mac(random)), OptionalInt.of(9), 5);
                case 1 -> new NewLinkKind.Bridge();
                case 2 -> new NewLinkKind.Macvlan(below, pick(random, MacvlanMode.values()));
                case 3 ->
                    new NewLinkKind.Ipvlan(
                            below, pick(random, IpvlanMode.values()), pick(random, IpvlanReach.values()));
                case 4 -> new NewLinkKind.Vlan(below, 1 + random.nextInt(4094), pick(random, VlanProtocol.values()));
                case 5 -> new NewLinkKind.Ifb();
                default -> new NewLinkKind.Vxlan(vni, local, port, learning, outer);
            };
            LinkKind wantKind = switch (kind) {
                case NewLinkKind.Veth _ -> new LinkKind.Veth();
                case NewLinkKind.Bridge _ -> new LinkKind.Bridge();
                case NewLinkKind.Vxlan _ -> new LinkKind.Vxlan(vni, Optional.of(local), port, learning, outer);
                case NewLinkKind.Macvlan macvlan -> new LinkKind.Macvlan(macvlan.mode());
                case NewLinkKind.Ipvlan ipvlan -> new LinkKind.Ipvlan(ipvlan.mode(), ipvlan.reach());
                case NewLinkKind.Vlan vlan -> new LinkKind.Vlan(vlan.id(), vlan.protocol());
                case NewLinkKind.Ifb _ -> new LinkKind.Ifb();
            };
            boolean stacked = kind instanceof NewLinkKind.Macvlan
                    || kind instanceof NewLinkKind.Ipvlan
                    || kind instanceof NewLinkKind.Vlan;
            NewLink link = new NewLink(
                    "pw" + index(random),
                    kind,
                    maybe(random, mac(random)),
                    OptionalInt.of(1280 + random.nextInt(8000)),
                    maybe(random, index(random)),
                    random.nextBoolean(),
                    Optional.empty());
            Link want = new Link(
                    0,
                    link.name(),
                    "",
                    link.mac(),
                    link.mtu().getAsInt(),
                    link.up(),
                    false,
                    false,
                    link.master(),
                    wantKind,
                    Optional.empty(),
                    stacked ? OptionalInt.of(below) : OptionalInt.empty(),
                    OptionalInt.empty());
            assertThat(LinkCodec.read(message(out -> LinkCodec.writeNew(out, link, link.up()))))
                    .as("read back")
                    .contains(want);
            assertThat(LinkCodec.read(message(out -> LinkCodec.writeNewIn(out, link, 7))))
                    .as("read back, made elsewhere")
                    .contains(want);
        });
    }

    @Test
    void bucketsAndRedirections() {
        Seeds.forEach(CodecRoundTripTest.class, 300, random -> {
            int ifindex = index(random);
            TokenBucket bucket = new TokenBucket(
                    1 + (random.nextLong(1L << 40) >>> random.nextInt(40)),
                    Math.max(1, u32(random)),
                    Math.max(1, u32(random)));
            Qdisc read = QdiscCodec.read(message(out -> QdiscCodec.writeTokenBucket(out, ifindex, bucket)))
                    .orElseThrow();
            assertThat(read.ifindex()).as("device").isEqualTo(ifindex);
            assertThat(read.kind())
                    .as("read back, %s", bucket)
                    .isEqualTo(new QdiscKind.TokenBucketQueue(
                            bucket.rate(), Math.min(0xFFFF_FFFFL, bucket.burstTicks()), bucket.limit()));
            Redirect redirect = new Redirect(ifindex, index(random));
            for (Classifier classifier : Classifier.values()) {
                assertThat(FilterCodec.read(message(out -> FilterCodec.write(out, redirect, classifier))))
                        .as("read back, by %s", classifier)
                        .contains(redirect);
            }
        });
        assertThat(QdiscCodec.read(message(out -> QdiscCodec.writeIngress(out, 7))))
                .as("read back")
                .contains(new Qdisc(7, new QdiscKind.Ingress()));
    }

    @Test
    void bridgePortsAndAliases() {
        Seeds.forEach(CodecRoundTripTest.class, 100, random -> {
            BridgePort port = new BridgePort(
                    random.nextBoolean(),
                    random.nextBoolean(),
                    random.nextBoolean(),
                    random.nextBoolean(),
                    random.nextBoolean(),
                    random.nextBoolean(),
                    random.nextBoolean());
            assertThat(LinkCodec.read(message(out -> LinkCodec.writeBridgePort(out, 7, port)))
                            .flatMap(Link::bridgePort))
                    .as("read back")
                    .contains(port);
            String alias = "é".repeat(random.nextInt(128));
            assertThat(LinkCodec.read(message(out -> LinkCodec.writeAlias(out, 7, alias, true)))
                            .map(Link::alias))
                    .as("read back")
                    .contains(alias);
        });
    }

    @Test
    void flagsAndNamesAreToldApart() {
        Seeds.forEach(CodecRoundTripTest.class, 30, random -> {
            boolean on = random.nextBoolean();
            MacAddress mac = mac(random);
            Link promiscuous = link(out -> LinkCodec.writePromiscuous(out, 7, on));
            Link allMulticast = link(out -> LinkCodec.writeAllMulticast(out, 7, on));
            assertThat(promiscuous.promiscuous()).as("promiscuous").isEqualTo(on);
            assertThat(promiscuous.allMulticast() || promiscuous.up())
                    .as("others")
                    .isFalse();
            assertThat(allMulticast.allMulticast()).as("allmulti").isEqualTo(on);
            assertThat(allMulticast.promiscuous() || allMulticast.up())
                    .as("others")
                    .isFalse();
            assertThat(link(out -> LinkCodec.writeMac(out, 7, mac)).mac())
                    .as("mac")
                    .contains(mac);
            assertThat(link(out -> LinkCodec.writeName(out, 7, "eth7")).name())
                    .as("name")
                    .isEqualTo("eth7");
        });
    }

    private static Link link(Consumer<NlWriter> body) {
        return LinkCodec.read(message(body)).orElseThrow();
    }

    @Test
    void wantedIpv6RoutesSayWhatTheKernelWillSay() {
        IpPrefix prefix = IpPrefix.parse("fd00:2::/64");
        Route wanted = Route.onLink(prefix, 3);
        assertThat(wanted.scope()).as("scope").isEqualTo(RouteScope.GLOBAL);
        assertThat(wanted.metric()).as("metric").isEqualTo(1024);
        Route preferred = Route.onLink(IpPrefix.parse("10.0.0.0/8"), 3).withPreference(RoutePreference.HIGH);
        assertThat(preferred.preference()).as("of IPv4").isEqualTo(RoutePreference.MEDIUM);
        assertThat(preferred.metric()).as("of IPv4").isZero();
        assertThat(new InterfaceAddress(3, IpAddress.parse("fe80::1"), 64, Scope.GLOBAL).scope())
                .as("scope of a link-local address")
                .isEqualTo(Scope.LINK);
        assertThat(new InterfaceAddress(3, IpAddress.parse("febf::1"), 64, Scope.GLOBAL).scope())
                .as("scope of fe80::/10")
                .isEqualTo(Scope.LINK);
        assertThat(new InterfaceAddress(3, IpAddress.parse("fec0::1"), 64, Scope.LINK).scope())
                .as("scope of a site's address")
                .isEqualTo(Scope.GLOBAL);
    }

    @Test
    void rangesOfRoutes() {
        Route route = Route.onLink(IpPrefix.parse("fd00:2::/64"), 3);
        assertThatThrownBy(() -> route.withMetric(1L << 32)).as("metric").hasMessageContaining("0 to 4294967295, got");
        assertThatThrownBy(() -> route.withMetric(-1)).as("metric").hasMessageContaining("0 to 4294967295, got -1");
        assertThatThrownBy(() -> route.inTable(0)).as("table").hasMessageContaining("1 to 4294967295, got 0");
        assertThatThrownBy(() -> Route.via(IpPrefix.parse("fd00:2::/64"), IpAddress.parse("10.0.0.1"), 3))
                .as("gateway")
                .hasMessageContaining("of its family, got 10.0.0.1");
    }

    @Test
    void whatTheKernelWouldRefuseOrNumberIsNoNewLink() {
        for (String name :
                new String[] {"", ".", "..", "a b", "a/b", "eth%d", "a:b", "0123456789abcdef", "a\nb", "é"}) {
            assertThatThrownBy(() -> link(name, new NewLinkKind.Bridge(), ""))
                    .as("device name '%s'", name)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("'" + name + "'");
            assertThatThrownBy(() ->
                            link("pw1", new NewLinkKind.Veth(name, Optional.empty(), OptionalInt.empty(), -1), ""))
                    .as("peer name '%s'", name)
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> link("pw1", new NewLinkKind.Bridge(), "é".repeat(128)))
                .as("an alias of 256 bytes")
                .hasMessageContaining("at most 255 bytes");
        assertThatThrownBy(() -> new NewLinkKind.Vxlan(
                        1 << 24,
                        IpAddress.parse("192.0.2.1"),
                        4789,
                        false,
                        new VxlanOuter(OptionalInt.empty(), 0, 0, true)))
                .as("a vni of 25 bits")
                .hasMessageContaining("16777216");
        for (int id : new int[] {-1, 0, 4095}) {
            assertThatThrownBy(() -> new NewLinkKind.Vlan(3, id, VlanProtocol.Q))
                    .as("VLAN %s", id)
                    .hasMessage("VLAN id must be 1 to 4094, got " + id);
        }
    }

    private static NewLink link(String name, NewLinkKind kind, String alias) {
        return new NewLink(
                name, kind, Optional.empty(), OptionalInt.empty(), OptionalInt.empty(), false, Optional.of(alias));
    }

    private static NlMessage message(Consumer<NlWriter> body) {
        NlWriter out = new NlWriter(ByteBuffer.allocate(2048));
        out.begin(1, 0, 1);
        body.accept(out);
        return NlMessage.take(out.finish());
    }

    /** 0 and numbers of all sizes up to 32 bits. */
    private static long u32(RandomGenerator random) {
        return random.nextLong(1L << 32) >>> random.nextInt(33);
    }

    private static IpFamily family(RandomGenerator random) {
        return random.nextBoolean() ? IpFamily.V4 : IpFamily.V6;
    }

    private static IpAddress address(RandomGenerator random, IpFamily family) {
        return switch (family) {
            case V4 -> IpAddress.ofV4(random.nextInt());
            case V6 -> new IpAddress(IpFamily.V6, random.nextLong(), random.nextLong());
        };
    }

    private static MacAddress mac(RandomGenerator random) {
        return new MacAddress(random.nextLong() >>> 16);
    }

    private static <T> T pick(RandomGenerator random, T[] values) {
        return values[random.nextInt(values.length)];
    }

    private static int index(RandomGenerator random) {
        return 1 + random.nextInt(1_000_000);
    }

    private static <T> Optional<T> maybe(RandomGenerator random, T value) {
        return random.nextBoolean() ? Optional.of(value) : Optional.empty();
    }

    private static OptionalInt maybe(RandomGenerator random, int value) {
        return random.nextBoolean() ? OptionalInt.of(value) : OptionalInt.empty();
    }
}

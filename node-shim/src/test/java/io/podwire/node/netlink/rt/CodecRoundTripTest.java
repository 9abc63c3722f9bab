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
                    index(random), address, random.nextInt(address.family().bits() + 1), scope);
            assertThat(AddressCodec.read(message(out -> AddressCodec.write(out, want))))
                    .as("read back")
                    .contains(want);
        });
    }

    @Test
    void routes() {
        Seeds.forEach(CodecRoundTripTest.class, 300, random -> {
            IpFamily family = family(random);
            boolean blackhole = random.nextInt(4) == 0;
            Route want = new Route(
                    IpPrefix.containing(address(random, family), random.nextInt(family.bits() + 1)),
                    maybe(random, address(random, family)),
                    blackhole ? OptionalInt.empty() : maybe(random, index(random)),
                    pick(random, RouteScope.values()),
                    random.nextBoolean(),
                    random.nextInt(256),
                    maybe(random, address(random, family)),
                    maybe(random, 1280 + random.nextInt(8000)),
                    blackhole ? RouteType.BLACKHOLE : RouteType.UNICAST);
            assertThat(RouteCodec.read(message(out -> RouteCodec.write(out, want))))
                    .as("read back")
                    .contains(want);
        });
    }

    @Test
    void neighboursAndForwardingEntries() {
        Seeds.forEach(CodecRoundTripTest.class, 300, random -> {
            Neighbour neighbour =
                    new Neighbour(index(random), address(random, family(random)), mac(random), random.nextBoolean());
            assertThat(NeighbourCodec.read(message(out -> NeighbourCodec.write(out, neighbour))))
                    .as("read back")
                    .contains(neighbour);
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
            NewLinkKind kind = switch (random.nextInt(3)) {
                case 0 -> new NewLinkKind.Veth("eth0", maybe(random, mac(random)), OptionalInt.of(9), 5);
                case 1 -> new NewLinkKind.Bridge();
                default -> new NewLinkKind.Vxlan(vni, local, maybe(random, 4), port, learning);
            };
            LinkKind wantKind = switch (kind) {
                case NewLinkKind.Veth _ -> new LinkKind.Veth();
                case NewLinkKind.Bridge _ -> new LinkKind.Bridge();
                case NewLinkKind.Vxlan _ -> new LinkKind.Vxlan(vni, Optional.of(local), port, learning);
            };
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
                    link.master(),
                    wantKind,
                    Optional.empty(),
                    OptionalInt.empty());
            assertThat(LinkCodec.read(message(out -> LinkCodec.writeNew(out, link, link.up()))))
                    .as("read back")
                    .contains(want);
        });
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
        assertThatThrownBy(() ->
                        new NewLinkKind.Vxlan(1 << 24, IpAddress.parse("192.0.2.1"), OptionalInt.empty(), 4789, false))
                .as("a vni of 25 bits")
                .hasMessageContaining("16777216");
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

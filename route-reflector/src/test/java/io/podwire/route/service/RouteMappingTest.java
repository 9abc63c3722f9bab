package io.podwire.route.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.proto.route.v1.Announcement;
import io.podwire.proto.route.v1.RefusalReason;
import io.podwire.route.Routes;
import io.podwire.route.reflect.ReaderUpdate;
import io.podwire.route.rib.NodeEpoch;
import io.podwire.route.rib.NodeRoute;
import io.podwire.route.rib.Overlay;
import io.podwire.route.rib.Presence;
import io.podwire.route.rib.Refusal;
import io.podwire.route.rib.RibDelta;
import io.podwire.route.rib.RibEntry;
import io.podwire.route.rib.ServiceAddresses;
import java.util.List;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RouteMappingTest {
    @Test
    void recordsComeBackEqual() {
        Seeds.forEach(RouteMappingTest.class, 300, random -> {
            NodeRoute route = randomRoute(random);
            NodeEpoch epoch = Routes.epoch(route.node().value(), 1 + random.nextLong(Long.MAX_VALUE));

            assertThat(RouteMapping.route(RouteMapping.toProto(route))).isEqualTo(route);
            assertThat(RouteMapping.epoch(RouteMapping.toProto(epoch))).isEqualTo(epoch);
            var entry =
                    RouteMapping.toProto(new RibEntry(epoch, route, List.of(), new Presence.Connected()), List.of());
            assertThat(RouteMapping.route(entry.getRoute())).isEqualTo(route);
            assertThat(RouteMapping.epoch(entry.getEpoch())).isEqualTo(epoch);
            assertThat(entry.getConnected()).isTrue();
        });
    }

    @Test
    void bothUnderlayAddressesComeBack() {
        NodeRoute one = Routes.route("a", "10.1.0.0/26");
        NodeRoute.Underlay six = new NodeRoute.Underlay(IpAddress.parse("2001:db8::5"), 64);
        NodeRoute both =
                new NodeRoute(one.node(), List.of(one.underlay().getFirst(), six), one.overlay(), one.prefixes());
        assertThat(RouteMapping.route(RouteMapping.toProto(both))).isEqualTo(both);
        assertThat(both.nextHop(IpFamily.V6)).contains(six.address());
        assertThat(one.nextHop(IpFamily.V6)).isEmpty();
        var twice = RouteMapping.toProto(both).toBuilder()
                .setUnderlayAddressIpv6("192.0.2.7")
                .setUnderlayLengthIpv6(24)
                .build();
        assertThatExceptionOfType(ServiceException.class)
                .isThrownBy(() -> RouteMapping.route(twice))
                .withMessageContaining("underlay_address_ipv6");
    }

    @Test
    void thatANodeServesNothingIsNotThatItDoesNotKnow() {
        assertThat(RouteMapping.services(Announcement.getDefaultInstance())).isEqualTo(new ServiceAddresses.Unknown());
        assertThat(RouteMapping.services(serving())).isEqualTo(new ServiceAddresses.Of(List.of()));
        ServiceAddresses.Of two =
                new ServiceAddresses.Of(List.of(IpAddress.parse("203.0.113.9"), IpAddress.parse("2001:db8::9")));
        assertThat(RouteMapping.services(serving("2001:db8::9", "203.0.113.9"))).isEqualTo(two);
        RibEntry entry =
                new RibEntry(Routes.epoch("a", 1), Routes.route("a"), two.addresses(), new Presence.Connected());
        assertThat(RouteMapping.toProto(entry, List.of()).getServiceAddressesList())
                .containsExactly("203.0.113.9", "2001:db8::9");
        Refusal refusal =
                new Refusal(IpPrefix.parse("203.0.113.9/32"), Refusal.Reason.NOT_OF_SERVICES, "service address");
        assertThat(RouteMapping.toProto(refusal).getReason()).isEqualTo(RefusalReason.REFUSAL_REASON_NOT_OF_SERVICES);
    }

    @Test
    void addressesOfServicesThatAreNoneAreRefusedByName() {
        assertThatExceptionOfType(ServiceException.class)
                .isThrownBy(() -> RouteMapping.services(serving("203.0.113.9/32")))
                .withMessageStartingWith("service_addresses.addresses: ");
        String[] many = IntStream.rangeClosed(0, RouteMapping.MAX_SERVICE_ADDRESSES)
                .mapToObj(i -> "203.0." + (i >> 8) + "." + (i & 255))
                .toArray(String[]::new);
        assertThatExceptionOfType(ServiceException.class)
                .isThrownBy(() -> RouteMapping.services(serving(many)))
                .withMessage("service_addresses.addresses: at most 4096, got 4097");
    }

    private static Announcement serving(String... addresses) {
        return Announcement.newBuilder()
                .setServiceAddresses(
                        io.podwire.proto.route.v1.ServiceAddresses.newBuilder().addAllAddresses(List.of(addresses)))
                .build();
    }

    @Test
    void updatesCarryEverything() {
        NodeRoute route = Routes.route("a", "10.1.0.0/26");

        var full = RouteMapping.toProto("life", new ReaderUpdate.Full(1, List.of(route)));
        var delta = RouteMapping.toProto(
                "life", new ReaderUpdate.Delta(2, new RibDelta(List.of(route), List.of(new NodeName("b")))));

        assertThat(full.getEpoch()).isEqualTo("life");
        assertThat(full.getSequence()).isEqualTo(1);
        assertThat(full.getFull().getRoutesList()).containsExactly(RouteMapping.toProto(route));
        assertThat(delta.getSequence()).isEqualTo(2);
        assertThat(delta.getDelta().getUpdatedList()).containsExactly(RouteMapping.toProto(route));
        assertThat(delta.getDelta().getRemovedList()).containsExactly("b");
        assertThat(RouteMapping.toProto("life", new ReaderUpdate.Full(1, List.of()))
                        .hasFull())
                .as("an empty full state is still one")
                .isTrue();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    node             | Bad_Name          | route.node
                    underlay_address |                   | route.underlay_address
                    underlay_address | host.example      | route.underlay_address
                    underlay_address | 127.0.0.1         | route.underlay_address
                    underlay_address | 0.0.0.0           | route.underlay_address
                    underlay_address | 224.0.0.9         | route.underlay_address
                    underlay_length  | 0                 | route.underlay_length
                    underlay_length  | 33                | route.underlay_length
                    underlay_length  | -1                | route.underlay_length
                    vtep_mac         | 02:00             | route.vtep_mac
                    vtep_mac         |                   | route.vtep_mac
                    vtep_mac         | 01:00:5e:00:00:01 | route.vtep_mac
                    vtep_mac         | 00:00:00:00:00:00 | route.vtep_mac
                    vtep_address     |                   | route.vtep_mac and route.vtep_address
                    vtep_address     | 10.9.0.1          | route.vtep_address
                    vtep_address     | x                 | route.vtep_address
                    prefixes         | 10.1.0.1/26       | route.prefixes
                    prefixes         | 10.1.0.0          | route.prefixes
                    prefixes         | 0.0.0.0/0         | route.prefixes
                    prefixes         | 192.0.2.0/26      | route.prefixes
                    prefixes         | 10.1.0.0/24       | route.prefixes
                    """)
    void errorNamesTheField(String field, String value, String named) {
        String text = value == null ? "" : value;
        var route = io.podwire.proto.route.v1.NodeRoute.newBuilder()
                .setNode("a")
                .setUnderlayAddress("192.0.2.1")
                .setUnderlayLength(24)
                .setVtepMac("02:00:00:00:00:01")
                .setVtepAddress("10.1.0.1")
                .addPrefixes("10.1.0.0/26");
        RouteMapping.route(route.build());
        Consumer<io.podwire.proto.route.v1.NodeRoute.Builder> spoil = switch (field) {
            case "node" -> r -> r.setNode(text);
            case "underlay_address" -> r -> r.setUnderlayAddress(text);
            case "underlay_length" -> r -> r.setUnderlayLength(Integer.parseInt(text));
            case "vtep_mac" -> r -> r.setVtepMac(text);
            case "vtep_address" -> r -> r.setVtepAddress(text);
            case "prefixes" -> r -> r.addPrefixes(text);
            default -> throw new AssertionError(field);
        };
        spoil.accept(route);

        assertThatExceptionOfType(ServiceException.class)
                .isThrownBy(() -> RouteMapping.route(route.build()))
                .satisfies(e -> assertThat(e.reason()).isEqualTo(ErrorReason.INVALID_ARGUMENT))
                .withMessageStartingWith(named);
    }

    private static NodeRoute randomRoute(RandomGenerator random) {
        List<IpPrefix> prefixes = IntStream.range(0, random.nextInt(5))
                .mapToObj(i -> random.nextBoolean()
                        ? IpPrefix.parse("10." + i + ".0.0/" + (16 + random.nextInt(17)))
                        : IpPrefix.parse("fd00:" + i + "::/" + (32 + random.nextInt(97))))
                .toList();
        Overlay overlay = prefixes.isEmpty() || random.nextBoolean()
                ? new Overlay.None()
                : new Overlay.Vxlan(
                        MacAddress.locallyAdministered(random.nextLong()),
                        prefixes.getFirst().last());
        return random.nextBoolean()
                ? new NodeRoute(
                        new NodeName("n"), IpAddress.parse("192.0.2.7"), 1 + random.nextInt(32), overlay, prefixes)
                : new NodeRoute(
                        new NodeName("n"), IpAddress.parse("2001:db8::7"), 1 + random.nextInt(128), overlay, prefixes);
    }
}

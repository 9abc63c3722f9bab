package io.podwire.node.journal;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.node.plan.DnsSettings;
import io.podwire.node.plan.ExtraRoute;
import io.podwire.node.plan.HostPort;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.plan.PodRequest;
import io.podwire.node.plan.RateLimit;
import io.podwire.node.plan.Shaping;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.SortedMap;

/**
 * How what an attachment asks for stands in the file. An empty text, an empty list and -1 stand for nothing; rows of older
 * releases know of no reservation.
 */
record RequestRow(
        List<String> addresses,
        String mac,
        String pool,
        List<PortRow> hostPorts,
        List<LimitRow> ingress,
        List<LimitRow> egress,
        List<DnsRow> dns,
        SortedMap<String, String> sysctls,
        int mtu,
        List<RouteRow> routes,

        @JsonInclude(JsonInclude.Include.NON_DEFAULT) boolean reserve) {
    private static final int NONE = -1;

    /** A host port. */
    record PortRow(IpProtocol protocol, int hostPort, int containerPort, String hostIp) {}

    /** A rate. */
    record LimitRow(long bitsPerSecond, long burstBytes) {
        static LimitRow of(RateLimit limit) {
            return new LimitRow(limit.bitsPerSecond(), limit.burstBytes());
        }

        RateLimit toLimit() {
            return new RateLimit(bitsPerSecond, burstBytes);
        }
    }

    /** What resolv.conf should say. */
    record DnsRow(List<String> nameservers, String domain, List<String> search, List<String> options) {}

    /** A route. */
    record RouteRow(String destination, String gateway, int mtu, int advmss, long priority, long table, int scope) {
        static RouteRow of(ExtraRoute route) {
            return new RouteRow(
                    route.destination().toString(),
                    route.gateway().map(IpAddress::toString).orElse(""),
                    route.mtu().orElse(NONE),
                    route.advmss().orElse(NONE),
                    route.priority().orElse(NONE),
                    route.table().orElse(NONE),
                    route.scope().orElse(NONE));
        }

        ExtraRoute toRoute() {
            return new ExtraRoute(
                    IpPrefix.parse(destination),
                    text(gateway).map(IpAddress::parse),
                    number(mtu),
                    number(advmss),
                    priority == NONE ? OptionalLong.empty() : OptionalLong.of(priority),
                    table == NONE ? OptionalLong.empty() : OptionalLong.of(table),
                    number(scope));
        }
    }

    static RequestRow of(PodRequest request) {
        return new RequestRow(
                request.addresses().stream().map(IpAddress::toString).toList(),
                request.mac().map(MacAddress::toString).orElse(""),
                request.pool().orElse(""),
                request.hostPorts().stream()
                        .map(port -> new PortRow(
                                port.protocol(),
                                port.hostPort(),
                                port.containerPort(),
                                port.hostIp().map(IpAddress::toString).orElse("")))
                        .toList(),
                request.shaping().ingress().map(LimitRow::of).stream().toList(),
                request.shaping().egress().map(LimitRow::of).stream().toList(),
                request
                        .dns()
                        .map(dns -> new DnsRow(dns.nameservers(), dns.domain(), dns.search(), dns.options()))
                        .stream()
                        .toList(),
                request.sysctls(),
                request.mtu().orElse(NONE),
                request.routes().stream().map(RouteRow::of).toList(),
                request.reserve());
    }

    PodRequest toRequest() {
        return new PodRequest(
                addresses.stream().map(IpAddress::parse).toList(),
                text(mac).map(MacAddress::parse),
                text(pool),
                hostPorts.stream()
                        .map(row -> new HostPort(
                                row.protocol(),
                                row.hostPort(),
                                row.containerPort(),
                                text(row.hostIp()).map(IpAddress::parse)))
                        .toList(),
                new Shaping(
                        ingress.stream().findFirst().map(LimitRow::toLimit),
                        egress.stream().findFirst().map(LimitRow::toLimit)),
                dns.stream()
                        .findFirst()
                        .map(row -> new DnsSettings(row.nameservers(), row.domain(), row.search(), row.options())),
                sysctls,
                number(mtu),
                routes.stream().map(RouteRow::toRoute).toList(),
                reserve);
    }

    private static Optional<String> text(String value) {
        return value.isEmpty() ? Optional.empty() : Optional.of(value);
    }

    private static OptionalInt number(int value) {
        return value == NONE ? OptionalInt.empty() : OptionalInt.of(value);
    }
}

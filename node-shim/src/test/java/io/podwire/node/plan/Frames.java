package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;

/**
 * Ethernet frames in hex that a pod might send by a raw socket. Those that must not pass are filed under
 * the name of the rule that drops them, a blank, and what they are.
 */
final class Frames {
    private static final String IPV4 = "0800";
    private static final String IPV6 = "86dd";
    private static final int HOP_BY_HOP = 0;
    private static final int UDP = 17;
    private static final int FRAGMENT = 44;
    private static final int ICMPV6 = 58;
    private static final int DESTINATION_OPTIONS = 60;
    private static final String LINK_LOCAL = "fe80::66";
    private static final String ALL_NODES = "ff02::1";

    private final LocalEndpoint self;
    private final LocalEndpoint other;
    private final LocalEndpoint target;
    private final String mac;
    private final String head;

    /** Frames of the first pod, who pretends to be the second, to the third. */
    Frames(LocalEndpoint self, LocalEndpoint other, LocalEndpoint target) {
        this.self = self;
        this.other = other;
        this.target = target;
        this.mac = self.mac().toString().replace(":", "");
        this.head = PodLab.BRIDGE_MAC.replace(":", "") + mac;
    }

    Map<String, String> wrongV4() {
        String a = of(self, IpFamily.V4);
        String b = of(other, IpFamily.V4);
        String c = of(target, IpFamily.V4);
        Map<String, String> frames = new TreeMap<>(Map.of(
                "vlan 7", head + "81000007" + IPV4 + udp(a, c, 5000, 80),
                "vlan priority tag", head + "8100e000" + IPV4 + udp(a, c, 5000, 80),
                "vlan q-in-q", head + "88a80007" + "81000008" + IPV4 + udp(a, c, 5000, 80),
                "arp", head + "0806" + "0001080006040002" + mac + "0a010003" + mac + "0a010003",
                "ether-type snap", head + "0060" + "aaaa03000000" + IPV4 + udp(a, c, 5000, 80),
                "dhcp-server", head + IPV4 + udp(a, c, 67, 68),
                "vxlan", head + IPV4 + udp(a, "192.168.9.2", 5000, 4789),
                "vxlan ours", head + IPV4 + udp(a, "192.168.9.2", 5000, 8472),
                "spoofed address", head + IPV4 + udp(b, c, 5000, 80)));
        frames.put("spoofed mac", PodLab.BRIDGE_MAC.replace(":", "") + "020000000002" + IPV4 + udp(a, c, 5000, 80));
        frames.put("spoofed node", head + IPV4 + udp(PodLab.NODE.v4(), c, 5000, 80));
        // Straight at another pod's port, past the router.
        frames.put("spoofed at a neighbour", "020000000003" + mac + IPV4 + udp(b, c, 5000, 80));
        return frames;
    }

    Map<String, String> honestV4() {
        return Map.of("IPv4 UDP", head + IPV4 + udp(of(self, IpFamily.V4), of(target, IpFamily.V4), 5000, 80));
    }

    Map<String, String> wrongV6() {
        String a = of(self, IpFamily.V6);
        String b = of(other, IpFamily.V6);
        String c = of(target, IpFamily.V6);
        String udp = udp(5000, 80);
        Map<String, String> frames = new TreeMap<>();
        frames.put("vlan ipv6", head + "81000007" + IPV6 + ipv6(a, c, UDP, udp));
        frames.put("ether-type ipv6 snap", head + "0060" + "aaaa03000000" + IPV6 + ipv6(a, c, UDP, udp));
        frames.put("dhcp-server ipv6", v6(a, c, UDP, udp(547, 546)));
        frames.put("vxlan ipv6", v6(a, PodLab.ELSEWHERE.v6(), UDP, udp(5000, 4789)));
        frames.put("vxlan ours by ipv6", v6(a, PodLab.ELSEWHERE.v6(), UDP, udp(5000, 8472)));
        frames.put("vxlan behind options", v6(a, c, DESTINATION_OPTIONS, options(UDP) + udp(5000, 4789)));

        frames.put("ra", v6(LINK_LOCAL, ALL_NODES, ICMPV6, routerAdvertisement()));
        frames.put("ra to a neighbour", "020000000003" + mac + IPV6 + ipv6(a, c, ICMPV6, routerAdvertisement()));
        frames.put(
                "ra behind hop-by-hop", v6(LINK_LOCAL, ALL_NODES, HOP_BY_HOP, options(ICMPV6) + routerAdvertisement()));
        frames.put(
                "ra behind two headers",
                v6(
                        LINK_LOCAL,
                        ALL_NODES,
                        HOP_BY_HOP,
                        options(DESTINATION_OPTIONS) + options(ICMPV6) + routerAdvertisement()));
        frames.put(
                "ra in a first fragment",
                v6(LINK_LOCAL, ALL_NODES, FRAGMENT, fragment(ICMPV6, 0, true) + routerAdvertisement()));
        frames.put("nd router solicitation", v6(LINK_LOCAL, "ff02::2", ICMPV6, "85000000" + "00000000"));
        frames.put("nd solicitation", v6(a, c, ICMPV6, "87000000" + "00000000" + hex(c) + "0101" + mac));
        frames.put("nd duplicate detection", v6("::", "ff02::1:ff00:2", ICMPV6, "87000000" + "00000000" + hex(b)));
        frames.put("nd advertisement", v6(a, c, ICMPV6, "88000000" + "20000000" + hex(b) + "0201" + mac));
        frames.put(
                "nd gateway's advertisement",
                v6("fe80::1", c, ICMPV6, "88000000" + "e0000000" + hex("fe80::1") + "0201" + mac));
        frames.put("nd redirect", v6("fe80::1", c, ICMPV6, "89000000" + "00000000" + hex(a) + hex(b)));
        frames.put(
                "mld query",
                v6(LINK_LOCAL, ALL_NODES, HOP_BY_HOP, options(ICMPV6) + "82000000" + "00000000" + hex("::")));
        frames.put("mld report", v6(LINK_LOCAL, "ff02::16", HOP_BY_HOP, options(ICMPV6) + "8f000000" + "00000000"));

        frames.put("spoofed ipv6 address", v6(b, c, UDP, udp));
        frames.put("spoofed ipv6 link-local", v6("fe80::ff:fe00:1", c, UDP, udp));
        frames.put("spoofed ipv6 node", v6(PodLab.NODE.v6(), c, UDP, udp));
        frames.put("spoofed ipv6 gateway", v6("fe80::1", c, UDP, udp));
        frames.put("spoofed ipv6 nobody", v6("::", c, UDP, udp));
        frames.put("spoofed ipv6 of an IPv4 address", v6("::a01:1", c, UDP, udp));
        frames.put(
                "spoofed ipv6 mac", PodLab.BRIDGE_MAC.replace(":", "") + "020000000002" + IPV6 + ipv6(a, c, UDP, udp));
        frames.put("spoofed ipv6 at a neighbour", "020000000003" + mac + IPV6 + ipv6(b, c, UDP, udp));
        frames.put("spoofed ipv6 later fragment", v6(b, c, FRAGMENT, fragment(UDP, 1, false) + udp));

        // Two fragments that only together are an advertisement: the first ends before ICMPv6 begins.
        frames.put(
                "ipv6-headers that end the first fragment",
                v6(a, c, FRAGMENT, fragment(DESTINATION_OPTIONS, 0, true) + options(ICMPV6)));
        frames.put(
                "ipv6-headers that go on behind the first fragment",
                v6(a, c, FRAGMENT, fragment(DESTINATION_OPTIONS, 0, true) + "3a01" + "00".repeat(6)));
        frames.put(
                "ipv6-headers in a later fragment",
                v6(a, c, FRAGMENT, fragment(DESTINATION_OPTIONS, 1, false) + routerAdvertisement()));
        return frames;
    }

    Map<String, String> honestV6() {
        String a = of(self, IpFamily.V6);
        String c = of(target, IpFamily.V6);
        return Map.of(
                "IPv6 UDP",
                v6(a, c, UDP, udp(5000, 80)),
                "IPv6 UDP behind options",
                v6(a, c, DESTINATION_OPTIONS, options(UDP) + udp(5000, 80)),
                "IPv6 echo request",
                v6(a, c, ICMPV6, "80000000" + "00010001"),
                "IPv6 packet too big",
                v6(a, c, ICMPV6, "02000000" + "00000500" + ipv6(c, a, UDP, udp(80, 5000))),
                "IPv6 first fragment",
                v6(a, c, FRAGMENT, fragment(UDP, 0, true) + udp(5000, 80)),
                "IPv6 later fragment",
                v6(a, c, FRAGMENT, fragment(UDP, 1, false) + "0102030405060708"),
                "IPv6 later fragment of an echo request",
                v6(a, c, FRAGMENT, fragment(ICMPV6, 1, false) + "8600000000000000"));
    }

    /** Of a pod without IPv4. */
    String notServedV4() {
        return head + IPV4 + udp("10.1.0.1", "10.1.0.3", 5000, 80);
    }

    /** Of a pod without IPv6. */
    String notServedV6() {
        return v6("fd00:1::1", "fd00:1::3", ICMPV6, "80000000" + "00010001");
    }

    /** An honest one straight at another pod's port, past the router. */
    String toNeighbour() {
        return self.addresses()
                .of(IpFamily.V4)
                .map(a -> "020000000003" + mac + IPV4 + udp(a.toString(), of(target, IpFamily.V4), 5000, 80))
                .orElseGet(() -> "020000000003" + mac + IPV6
                        + ipv6(of(self, IpFamily.V6), of(target, IpFamily.V6), UDP, udp(5000, 80)));
    }

    private static String of(LocalEndpoint pod, IpFamily family) {
        return pod.addresses().of(family).orElseThrow().toString();
    }

    private String v6(String source, String destination, int next, String payload) {
        return head + IPV6 + ipv6(source, destination, next, payload);
    }

    /** An IPv6 packet of hop limit 255, which discovery has to have. */
    private static String ipv6(String source, String destination, int next, String payload) {
        return "60000000%04x%02xff".formatted(payload.length() / 2, next) + hex(source) + hex(destination) + payload;
    }

    private static String hex(String address) {
        return HexFormat.of().formatHex(IpAddress.parse(address).bytes());
    }

    /** Eight bytes of options, all padding (PadN). */
    private static String options(int next) {
        return "%02x00".formatted(next) + "010400000000";
    }

    private static String fragment(int next, int offset, boolean more) {
        return "%02x00%04x00000007".formatted(next, (offset << 3) | (more ? 1 : 0));
    }

    /** A router with a lifetime and a prefix to make addresses of. */
    private String routerAdvertisement() {
        return "86000000" + "400007d0" + "00000000" + "00000000" + "0101" + mac + "030440c0" + "ffffffff" + "ffffffff"
                + "00000000" + hex(IpPrefix.parse("2001:db8:bad::/64").address().toString());
    }

    private static String udp(int from, int to) {
        return "%04x%04x00080000".formatted(from, to);
    }

    /** An IPv4 UDP packet, without UDP checksum. */
    private static String udp(String source, String destination, int from, int to) {
        ByteBuffer packet = ByteBuffer.allocate(28)
                .putShort((short) 0x4500)
                .putShort((short) 28)
                .putInt(0)
                .putShort((short) 0x4011)
                .putShort((short) 0)
                .put(IpAddress.parse(source).bytes())
                .put(IpAddress.parse(destination).bytes())
                .putShort((short) from)
                .putShort((short) to)
                .putInt(0x00080000);
        int sum = 0;
        for (int i = 0; i < 20; i += 2) {
            sum += packet.getShort(i) & 0xFFFF;
        }
        packet.putShort(10, (short) ~((sum & 0xFFFF) + (sum >>> 16)));
        return HexFormat.of().formatHex(packet.array());
    }
}

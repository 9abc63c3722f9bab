package io.podwire.node.netlink.rt;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlWriter;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/**
 * The bytes of kinds that many kernels lack, by linux/if_link.h and linux/if_vlan.h. The data of each request is
 * what ip(8) sends for the line above it (ip marks nothing as nested and leaves the NUL off the kind).
 */
class LinkKindBytesTest {
    private static final String IFLA_LINK_2 = "0800 0500 02000000";

    @Test
    void ipvlanRequests() {
        // ip link add link br0 name x type ipvlan mode l3s vepa
        assertThat(request(new NewLinkKind.Ipvlan(2, IpvlanMode.L3S, IpvlanReach.VEPA)))
                .as("l3s, vepa")
                .contains(hex(IFLA_LINK_2))
                .endsWith(hex("2400 1280", "0b00 0100 6970766c616e00 00", "1400 0280") // linkinfo, "ipvlan", data
                        + hex("0600 0100 0200 0000", "0600 0200 0200 0000")); // mode, flags
        // ip link add link br0 name x type ipvlan mode l2 private
        assertThat(request(new NewLinkKind.Ipvlan(2, IpvlanMode.L2, IpvlanReach.PRIVATE)))
                .as("l2, private")
                .endsWith(hex("0600 0100 0000 0000", "0600 0200 0100 0000"));
        // ip link add link br0 name x type ipvlan mode l3 bridge
        assertThat(request(new NewLinkKind.Ipvlan(2, IpvlanMode.L3, IpvlanReach.BRIDGE)))
                .as("l3, bridge")
                .endsWith(hex("0600 0100 0100 0000", "0600 0200 0000 0000"));
    }

    @Test
    void vlanRequests() {
        // ip link add link br0 name x type vlan id 4000 protocol 802.1ad
        assertThat(request(new NewLinkKind.Vlan(2, 4000, VlanProtocol.AD)))
                .as("4000, 802.1ad")
                .contains(hex(IFLA_LINK_2))
                .endsWith(hex("2400 1280", "0900 0100 766c616e00 000000", "1400 0280") // linkinfo, "vlan", data
                        + hex("0600 0100 a00f 0000", "0600 0500 88a8 0000")); // id in the machine's order, protocol not
        // ip link add link br0 name x type vlan id 5 protocol 802.1q
        assertThat(request(new NewLinkKind.Vlan(2, 5, VlanProtocol.Q)))
                .as("5, 802.1q")
                .endsWith(hex("0600 0100 0500 0000", "0600 0500 8100 0000"));
    }

    @Test
    void macvlanAndIfbRequests() {
        // ip link add link br0 name x type macvlan mode vepa
        assertThat(request(new NewLinkKind.Macvlan(2, MacvlanMode.VEPA)))
                .as("macvlan")
                .contains(hex(IFLA_LINK_2))
                .endsWith(hex("0c00 0100 6d6163766c616e00", "0c00 0280", "0800 0100 02000000"));
        // ip link add x type ifb
        assertThat(request(new NewLinkKind.Ifb()))
                .as("ifb")
                .doesNotContain(hex("0800 0500"))
                .endsWith(hex("0c00 1280", "0800 0100 69666200"));
    }

    @Test
    void aNamespaceGoesBesideTheKind() {
        NewLink link = link(new NewLinkKind.Macvlan(2, MacvlanMode.BRIDGE));
        assertThat(written(link, 9)).as("in the namespace of file 9").endsWith(hex("0800 1c00 09000000"));
    }

    @Test
    void ipvlanAnswers() {
        // As ipvlan_nl_fillinfo() in drivers/net/ipvlan/ipvlan_main.c writes them.
        assertThat(kind(
                        "2400 1200",
                        "0b00 0100 6970766c616e00 00",
                        "1400 0200",
                        "0600 0100 0200 0000 0600 0200 0100 0000"))
                .as("mode l3s, private")
                .isEqualTo(new LinkKind.Ipvlan(IpvlanMode.L3S, IpvlanReach.PRIVATE));
        assertThat(kind("1c00 1200", "0b00 0100 6970766c616e00 00", "0c00 0200", "0600 0100 0100 0000"))
                .as("without flags, as before Linux 4.15")
                .isEqualTo(new LinkKind.Ipvlan(IpvlanMode.L3, IpvlanReach.BRIDGE));
        assertThat(kind("1c00 1200", "0b00 0100 6970766c616e00 00", "0c00 0200", "0600 0100 0700 0000"))
                .as("a mode to come")
                .isEqualTo(new LinkKind.Other("ipvlan"));
    }

    @Test
    void vlanAnswers() {
        // As vlan_fill_info() in net/8021q/vlan_netlink.c writes them: protocol, id, flags.
        assertThat(kind(
                        "3000 1200",
                        "0900 0100 766c616e00 000000",
                        "2000 0200",
                        "0600 0500 88a8 0000 0600 0100 a00f 0000 0c00 0200 01000000 ffffffff"))
                .as("802.1ad, 4000")
                .isEqualTo(new LinkKind.Vlan(4000, VlanProtocol.AD));
    }

    private static LinkKind kind(String... info) {
        String attributes = hex("0800 0300 78303000", "0800 0500 02000000", hex(info)); // name "x00", link 2
        String header = hex("0000 0100 09000000 43100100 00000000"); // AF_UNSPEC, ethernet, index 9, up
        ByteBuffer message = ByteBuffer.wrap(HexFormat.of()
                .parseHex(hex("%02x000000".formatted(16 + (header.length() + attributes.length()) / 2))
                        + hex("1000 0200 01000000 00000000") // RTM_NEWLINK
                        + header
                        + attributes));
        Link link = LinkCodec.read(NlMessage.take(message)).orElseThrow();
        assertThat(link.peerIndex()).as("device below").hasValue(2);
        return link.kind();
    }

    private static String request(NewLinkKind kind) {
        return written(link(kind), -1);
    }

    private static NewLink link(NewLinkKind kind) {
        return new NewLink(
                "x", kind, Optional.empty(), OptionalInt.empty(), OptionalInt.empty(), false, Optional.empty());
    }

    private static String written(NewLink link, int netnsFd) {
        NlWriter out = new NlWriter(ByteBuffer.allocate(512));
        out.begin(LinkCodec.NEW, 0, 1);
        if (netnsFd < 0) {
            LinkCodec.writeNew(out, link, false);
        } else {
            LinkCodec.writeNewIn(out, link, netnsFd);
        }
        ByteBuffer bytes = out.finish();
        byte[] copy = new byte[bytes.remaining()];
        bytes.get(copy);
        return HexFormat.of().formatHex(copy);
    }

    private static String hex(String... parts) {
        return String.join("", parts).replace(" ", "");
    }
}

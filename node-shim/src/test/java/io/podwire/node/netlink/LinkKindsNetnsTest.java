package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.MacAddress;
import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.IpvlanMode;
import io.podwire.node.netlink.rt.IpvlanReach;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkKind;
import io.podwire.node.netlink.rt.MacvlanMode;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netlink.rt.Scope;
import io.podwire.node.netlink.rt.VlanProtocol;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.util.Optional;
import java.util.OptionalInt;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Links on another device, made into pods, beside what ip(8) says of them. */
@Tag("netns")
@Timeout(60)
class LinkKindsNetnsTest {
    private static final MacAddress MAC = MacAddress.parse("02:00:00:00:00:05");

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private Space host;
    private Rtnetlink netlink;
    private int below;

    @BeforeEach
    void openHost() {
        host = sandbox.add();
        netlink = Rtnetlink.open(host.netns());
        below = netlink.addLink(
                link("a0", new NewLinkKind.Veth("a1", Optional.empty(), OptionalInt.empty(), -1), Optional.empty()));
        netlink.setUp(netlink.link("a1").orElseThrow().index());
    }

    @AfterEach
    void removeSandbox() {
        netlink.close();
        sandbox.close();
    }

    private static NewLink link(String name, NewLinkKind kind, Optional<MacAddress> mac) {
        return new NewLink(name, kind, mac, OptionalInt.of(1400), OptionalInt.empty(), true, Optional.empty());
    }

    @ParameterizedTest
    @EnumSource
    void macvlansAreMadeInsideAPod(MacvlanMode mode) {
        Space pod = sandbox.add();
        netlink.addLinkIn(pod.netns(), link("eth0", new NewLinkKind.Macvlan(below, mode), Optional.of(MAC)));
        assertThat(netlink.link("eth0")).as("on the node").isEmpty();
        try (Rtnetlink inside = Rtnetlink.open(pod.netns())) {
            Link link = inside.link("eth0").orElseThrow();
            assertThat(link.kind()).as("kind").isEqualTo(new LinkKind.Macvlan(mode));
            assertThat(link.peerIndex()).as("the device below").hasValue(below);
            assertThat(link.peerNetnsId()).as("is in another namespace").isPresent();
            assertThat(link.mtu()).as("mtu").isEqualTo(1400);
            assertThat(link.up()).as("up").isTrue();
            if (mode == MacvlanMode.PASSTHRU) {
                assertThat(link.mac())
                        .as("mac")
                        .isEqualTo(netlink.link(below).orElseThrow().mac());
                inside.setMac(link.index(), MAC);
                assertThat(netlink.link(below).orElseThrow().mac())
                        .as("mac below")
                        .contains(MAC);
            }
            assertThat(inside.link("eth0").orElseThrow().mac()).as("mac").contains(MAC);
        }
        JsonNode seen = pod.ipJson("link", "show", "dev", "eth0").get(0);
        assertThat(seen.path("linkinfo").path("info_kind").asText())
                .as("kind as ip sees it")
                .isEqualTo("macvlan");
        assertThat(seen.path("linkinfo").path("info_data").path("mode").asText())
                .as("mode as ip sees it")
                .isEqualToIgnoringCase(mode.name());
        assertThat(seen.path("address").asText()).as("mac as ip sees it").isEqualTo(MAC.toString());
        assertThat(seen.path("mtu").asInt()).as("mtu as ip sees it").isEqualTo(1400);
    }

    @Test
    void aMacvlanOnTheNodeHasItsDeviceBesideIt() {
        int index = netlink.addLink(link("mv0", new NewLinkKind.Macvlan(below, MacvlanMode.BRIDGE), Optional.empty()));
        Link link = netlink.link(index).orElseThrow();
        assertThat(link.peerIndex()).as("the device below").hasValue(below);
        assertThat(link.peerNetnsId()).as("no other namespace").isEmpty();
        netlink.deleteLink(below);
        assertThat(netlink.link(index)).as("it goes with its device").isEmpty();
    }

    @Test
    void podsOnOneDeviceReachEachOther() {
        Space one = sandbox.add();
        Space two = sandbox.add();
        int last = 0;
        for (Space pod : new Space[] {one, two}) {
            last++;
            NewLinkKind kind = new NewLinkKind.Macvlan(below, MacvlanMode.BRIDGE);
            netlink.addLinkIn(pod.netns(), link("eth0", kind, Optional.of(MacAddress.locallyAdministered(last))));
            try (Rtnetlink inside = Rtnetlink.open(pod.netns())) {
                int index = inside.link("eth0").orElseThrow().index();
                inside.replaceAddress(new InterfaceAddress(index, IpAddress.parse("10.1.0." + last), 24, Scope.GLOBAL));
            }
        }
        assertThat(one.run("ping", "-c1", "-W5", "10.1.0.2")).as("ping").contains(" 0% packet loss");
    }

    @Test
    void aNameTakenThereIsEexistAndLeavesNothing() {
        Space pod = sandbox.add();
        pod.ip("link", "add", "eth0", "type", "bridge");
        NewLink link = link("eth0", new NewLinkKind.Macvlan(below, MacvlanMode.BRIDGE), Optional.of(MAC));
        assertThatThrownBy(() -> netlink.addLinkIn(pod.netns(), link))
                .as("a taken name")
                .hasMessageContaining(pod.path().toString())
                .asInstanceOf(InstanceOfAssertFactories.type(NetlinkException.class))
                .extracting(NetlinkException::errno)
                .isEqualTo(Errno.EEXIST);
        assertThat(netlink.links()).as("links here").hasSize(3);
        NewLink aliased =
                new NewLink("eth1", link.kind(), link.mac(), link.mtu(), link.master(), true, Optional.of("some text"));
        assertThatThrownBy(() -> netlink.addLinkIn(pod.netns(), aliased))
                .as("an alias")
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aDeviceToRedirectThrough() {
        int index = netlink.addLink(link("ifb0", new NewLinkKind.Ifb(), Optional.of(MAC)));
        Link link = netlink.link(index).orElseThrow();
        assertThat(link.kind()).as("kind").isEqualTo(new LinkKind.Ifb());
        assertThat(link.mac()).as("mac").contains(MAC);
        assertThat(host.ipJson("link", "show", "dev", "ifb0")
                        .get(0)
                        .path("linkinfo")
                        .path("info_kind")
                        .asText())
                .as("as ip sees it")
                .isEqualTo("ifb");
    }

    @Test
    void ipvlansAsIpSeesThem() {
        NewLinkKind kind = new NewLinkKind.Ipvlan(below, IpvlanMode.L3S, IpvlanReach.PRIVATE);
        Space pod = sandbox.add();
        try {
            netlink.addLinkIn(pod.netns(), link("eth0", kind, Optional.empty()));
        } catch (KernelLacksException e) {
            assertThat(e)
                    .hasMessageContaining("EOPNOTSUPP (95)")
                    .hasMessageEndingWith(
                            "the kernel has no link kind ipvlan: load it with 'modprobe ipvlan', or boot a "
                                    + "kernel with CONFIG_IPVLAN");
            assertThat(e.errno()).as("errno").isEqualTo(Errno.EOPNOTSUPP);
            abort("this kernel has no ipvlan: only the refusal was tested");
        }
        try (Rtnetlink inside = Rtnetlink.open(pod.netns())) {
            assertThat(inside.link("eth0").orElseThrow().kind())
                    .as("kind")
                    .isEqualTo(new LinkKind.Ipvlan(IpvlanMode.L3S, IpvlanReach.PRIVATE));
        }
        assertThat(pod.ip("-d", "link", "show", "dev", "eth0"))
                .as("as ip sees it")
                .contains("ipvlan mode l3s private");
    }

    @Test
    void vlansAsIpSeesThem() {
        NewLinkKind kind = new NewLinkKind.Vlan(below, 4000, VlanProtocol.AD);
        try {
            netlink.addLink(link("vl0", kind, Optional.empty()));
        } catch (KernelLacksException e) {
            assertThat(e)
                    .hasMessageContaining("EOPNOTSUPP (95)")
                    .hasMessageEndingWith("the kernel has no link kind vlan: load it with 'modprobe 8021q', or boot a "
                            + "kernel with CONFIG_VLAN_8021Q");
            abort("this kernel has no VLANs: only the refusal was tested");
        }
        assertThat(netlink.link("vl0").orElseThrow().kind())
                .as("kind")
                .isEqualTo(new LinkKind.Vlan(4000, VlanProtocol.AD));
        assertThat(host.ip("-d", "link", "show", "dev", "vl0"))
                .as("as ip sees it")
                .contains("vlan protocol 802.1ad id 4000");
    }
}

package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.common.net.MacAddress;
import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.rt.BridgePort;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
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

/** What can be done to a link that is there, beside what ip(8) says. */
@Tag("netns")
@Timeout(60)
class LinkVerbsNetnsTest {
    private static final MacAddress MAC = MacAddress.parse("02:00:00:00:00:05");

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private Space host;
    private Rtnetlink netlink;
    private int link;

    @BeforeEach
    void openHost() {
        host = sandbox.add();
        netlink = Rtnetlink.open(host.netns());
        link = add("a0", new NewLinkKind.Veth("a1", Optional.empty(), OptionalInt.empty(), -1));
    }

    @AfterEach
    void removeSandbox() {
        netlink.close();
        sandbox.close();
    }

    private int add(String name, NewLinkKind kind) {
        return netlink.addLink(new NewLink(
                name, kind, Optional.empty(), OptionalInt.empty(), OptionalInt.empty(), false, Optional.empty()));
    }

    private Link read() {
        return netlink.link(link).orElseThrow();
    }

    @Test
    void flagsAreSetOneByOne() {
        netlink.setUp(link);
        for (boolean on : new boolean[] {true, false}) {
            netlink.setPromiscuous(link, on);
            assertThat(read().promiscuous()).as("promiscuous").isEqualTo(on);
            assertThat(read().allMulticast()).as("allmulti").isFalse();
            assertThat(host.ip("link", "show", "dev", "a0").contains("PROMISC"))
                    .as("as ip sees it")
                    .isEqualTo(on);
        }
        for (boolean on : new boolean[] {true, false}) {
            netlink.setAllMulticast(link, on);
            assertThat(read().allMulticast()).as("allmulti").isEqualTo(on);
            assertThat(read().promiscuous()).as("promiscuous").isFalse();
            assertThat(host.ip("link", "show", "dev", "a0").contains("ALLMULTI"))
                    .as("as ip sees it")
                    .isEqualTo(on);
        }
        assertThat(read().up()).as("still up").isTrue();
    }

    @Test
    void whatTheKernelSetsForItselfIsNotOurs() {
        int bridge = add("br", new NewLinkKind.Bridge());
        netlink.setMaster(link, bridge);
        assertThat(host.ipJson("link", "show", "dev", "a0")
                        .get(0)
                        .path("promiscuity")
                        .asInt())
                .as("a bridge's port hears everything")
                .isPositive();
        assertThat(read().promiscuous()).as("nobody set it so").isFalse();
    }

    @Test
    void macAndName() {
        netlink.setMac(link, MAC);
        netlink.setName(link, "b0");
        assertThat(read().mac()).as("mac").contains(MAC);
        assertThat(netlink.link("b0")).as("by its new name").contains(read());
        assertThat(netlink.link("a0")).as("by its old name").isEmpty();
        assertThatThrownBy(() -> netlink.setName(link, "a1"))
                .as("a taken name")
                .asInstanceOf(InstanceOfAssertFactories.type(NetlinkException.class))
                .extracting(NetlinkException::errno)
                .isEqualTo(Errno.EEXIST);
        assertThatThrownBy(() -> netlink.setName(link, "eth%d"))
                .as("a name that the kernel would number")
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> netlink.setMac(link, MacAddress.parse("01:00:5e:00:00:01")))
                .as("a group's address")
                .isInstanceOf(NetlinkException.class)
                .hasMessageContaining("set MAC 01:00:5e:00:00:01 of link " + link + ": EADDRNOTAVAIL");
        netlink.setUp(link);
        netlink.setDown(link);
        assertThat(read().up()).as("down").isFalse();
    }

    @Test
    void linksMove() {
        Space pod = sandbox.add();
        netlink.setAlias(link, "some text");
        netlink.setUp(link);
        netlink.moveTo(link, pod.netns());
        assertThat(netlink.link(link)).as("here").isEmpty();
        try (Rtnetlink inside = Rtnetlink.open(pod.netns())) {
            Link there = inside.link("a0").orElseThrow();
            assertThat(there.up()).as("up").isFalse();
            assertThat(there.alias()).as("alias").isEqualTo("some text");
            inside.setName(there.index(), "eth0");
            assertThat(inside.link("eth0")).as("under another name").isPresent();
        }
    }

    @Test
    void aNameTakenThereLeavesTheLinkHere() {
        Space pod = sandbox.add();
        pod.ip("link", "add", "a0", "type", "bridge");
        assertThatThrownBy(() -> netlink.moveTo(link, pod.netns()))
                .as("a taken name")
                .hasMessageContaining(pod.path().toString())
                .asInstanceOf(InstanceOfAssertFactories.type(NetlinkException.class))
                .extracting(NetlinkException::errno)
                .isEqualTo(Errno.EEXIST);
        assertThat(netlink.link("a0")).as("here").isPresent();
        assertThat(pod.ipJson("link", "show").size()).as("links there").isEqualTo(2);
    }

    @Test
    void portsMayAnswerForNeighbours() {
        int bridge = add("br", new NewLinkKind.Bridge());
        netlink.setMaster(link, bridge);
        assertThat(read().bridgePort())
                .as("at first")
                .hasValueSatisfying(p -> assertThat(p.neighbourSuppression()).isFalse());
        for (boolean on : new boolean[] {true, false}) {
            BridgePort port = new BridgePort(false, false, false, false, false, !on, on);
            netlink.setBridgePort(link, port);
            assertThat(read().bridgePort()).as("port").contains(port);
            JsonNode seen = host.ipJson("link", "show", "dev", "a0")
                    .get(0)
                    .path("linkinfo")
                    .path("info_slave_data");
            assertThat(seen.path("neigh_suppress").asBoolean(!on))
                    .as("as ip sees it")
                    .isEqualTo(on);
            assertThat(seen.path("hairpin").asBoolean(on))
                    .as("hairpin as ip sees it")
                    .isEqualTo(!on);
        }
    }
}

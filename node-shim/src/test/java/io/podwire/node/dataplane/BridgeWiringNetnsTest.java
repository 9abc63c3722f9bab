package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.podwire.common.net.IpFamily;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.LinkEvents;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.testing.Attachments;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("netns")
final class BridgeWiringNetnsTest {
    private static final int MTU = 1450;
    private static final Set<IpFamily> BOTH = Set.of(IpFamily.V4, IpFamily.V6);

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private Space node;
    private Space pod;
    private RtnetlinkPool sockets;
    private LinkEvents events;
    private Wired wiring;
    private Attachment attachment;

    /** Wiring whose calls run on a thread inside the node, as every thread of node-shim is. */
    private record Wired(Space node, BridgeWiring wiring) {
        void prepare() {
            on(() -> {
                wiring.prepare(MTU, Set.of());
                return true;
            });
        }

        Set<IpFamily> attach(Attachment attachment, Netns pod) {
            return on(() -> wiring.attach(attachment, wiring.enter(pod)));
        }

        void detach(Attachment attachment) {
            on(() -> {
                wiring.detach(attachment);
                return true;
            });
        }

        List<Finding> check(Attachment attachment, Netns pod) {
            return on(() -> wiring.check(attachment, pod, attachment.addresses().families()));
        }

        List<Repair> repairBridge() {
            return on(() -> wiring.repairBridge(MTU, Set.of()));
        }

        List<Repair> repairSettings() {
            return on(() -> wiring.repairSettings(Set.of()));
        }

        List<Repair> repairPods(Attachment... attachments) {
            return on(() -> wiring.damaged(List.of(attachments)).stream()
                    .flatMap(damage -> wiring.mend(damage).stream())
                    .toList());
        }

        List<Finding> audit(List<Attachment> attachments) {
            return on(() -> wiring.audit(attachments));
        }

        private <T> T on(Callable<T> body) {
            try {
                return NetnsThread.call(node.netns(), body);
            } catch (RuntimeException e) {
                throw e;
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        }
    }

    @BeforeEach
    void prepare() {
        node = sandbox.add();
        events = LinkEvents.open(node.netns());
        pod = sandbox.add();
        sockets = new RtnetlinkPool();
        wiring = wired(node, FailPoints.none());
        wiring.prepare();
        attachment = Attachments.in(pod, "c1", "10.1.0.5");
    }

    private Wired wired(Space on, FailPoints failPoints) {
        return wired(on, Set.of(IpFamily.V4), failPoints);
    }

    private Wired wired(Space on, Set<IpFamily> families, FailPoints failPoints) {
        return new Wired(
                on,
                new BridgeWiring(
                        sockets, events, Runnable::run, new Sysctl(Path.of("/proc/sys")), families, failPoints));
    }

    @AfterEach
    void remove() {
        sockets.close();
        events.close();
        sandbox.close();
    }

    @Test
    void theBridgeIsMadeOnceAndFoundAgain() {
        String before = bridge();
        wired(node, FailPoints.none()).prepare();
        assertThat(bridge()).as("a restart changes nothing").isEqualTo(before);
        assertThat(before).contains("link/ether " + PodNames.BRIDGE_MAC, "mtu 1450", "169.254.1.1/32", "scope link");
        assertThat(node.run("cat", "/proc/sys/net/ipv4/ip_forward")).isEqualTo("1\n");
        assertThat(before).as("pods have no IPv6 here").doesNotContain("inet6");
    }

    /** All that is said of the bridge but its timers. */
    private String bridge() {
        return (node.ip("-d", "link", "show", "pw0") + node.ip("addr", "show", "pw0"))
                .replaceAll("(hello|tcn|topology_change|gc)_timer +[0-9.]+", "");
    }

    @Test
    void aBridgeOfAnotherMtuOrDownIsMadeRight() {
        node.ip("link", "set", "pw0", "down", "mtu", "1280");
        node.ip("addr", "flush", "dev", "pw0");
        wiring.prepare();
        assertThat(node.ip("addr", "show", "pw0")).contains("mtu 1450", "169.254.1.1/32", ",UP");
    }

    @Test
    void aForeignDeviceOfTheBridgesNameIsLeftAlone() {
        Space other = sandbox.add();
        other.ip("link", "add", "pw0", "type", "veth", "peer", "name", "x");
        String before = other.ip("-d", "link", "show", "pw0");
        sockets.close();
        events.close();
        sockets = new RtnetlinkPool();
        assertThatIllegalStateException()
                .isThrownBy(() -> wired(other, FailPoints.none()).prepare())
                .withMessageContaining("is no bridge");
        assertThat(other.ip("-d", "link", "show", "pw0")).isEqualTo(before);
    }

    @Test
    void anAttachedPodIsWholeAndReachable() {
        wiring.attach(attachment, pod.netns());
        assertThat(wiring.check(attachment, pod.netns())).isEmpty();
        assertThat(wiring.audit(List.of(attachment))).isEmpty();
        assertThat(node.run("ping", "-c5", "-i0.2", "-W2", "10.1.0.5")).contains("ttl=64");
        assertThat(node.ip("link", "show", attachment.hostIfname())).contains("alias podwire c1/eth0", "mtu 1450");
        assertThat(node.ip("-d", "link", "show", attachment.hostIfname()))
                .contains("master pw0", "isolated on", "learning off", "flood off", "mcast_flood off", "hairpin off");
        assertThat(pod.ip("addr", "show", "eth0"))
                .contains("10.1.0.5/32", "mtu 1450", attachment.mac().toString());
    }

    @Test
    void podsReachEachOtherThroughTheNodeWithoutArp() {
        Space second = sandbox.add();
        Attachment other = Attachments.in(second, "c2", "10.1.0.6");
        wiring.attach(attachment, pod.netns());
        wiring.attach(other, second.netns());
        // The kernel tells the bridge of a port's carrier some time after the link is up.
        assertThat(pod.run("ping", "-c5", "-i0.2", "-W2", "10.1.0.6")).contains("ttl=63");
        assertThat(pod.ip("neigh"))
                .as("no neighbour but the gateway")
                .isEqualTo("169.254.1.1 dev eth0 lladdr " + PodNames.BRIDGE_MAC + " PERMANENT \n");
        assertThat(wiring.audit(List.of(attachment, other))).isEmpty();
    }

    @Test
    void detachLeavesNothingAndAskingTwiceIsAskingOnce() {
        wiring.attach(attachment, pod.netns());
        wiring.detach(attachment);
        wiring.detach(attachment);
        assertThat(node.ipJson("link").size()).as("lo and the bridge").isEqualTo(2);
        assertThat(node.ip("route")).isEmpty();
        assertThat(node.ip("neigh")).isEmpty();
        assertThat(node.run("bridge", "fdb", "show"))
                .doesNotContain(attachment.mac().toString());
        assertThat(pod.ip("-br", "link")).doesNotContain("eth0");
        assertThat(wiring.audit(List.of())).isEmpty();
        assertThat(wiring.check(attachment, pod.netns()))
                .extracting(Finding::object)
                .contains("link");
    }

    @Test
    void detachWorksAfterTheNamespaceIsGone() {
        wiring.attach(attachment, pod.netns());
        sandbox.remove(pod);
        wiring.detach(attachment);
        assertThat(wiring.audit(List.of())).isEmpty();
        assertThat(node.ip("route")).isEmpty();
    }

    @Test
    void anInterfaceOfThatNameInThePodIsNotTouched() {
        pod.ip("link", "add", "eth0", "type", "veth", "peer", "name", "x");
        String before = pod.ip("-d", "link", "show", "eth0");
        assertThatExceptionOfType(NetlinkException.class)
                .isThrownBy(() -> wiring.attach(attachment, pod.netns()))
                .withMessageContaining("EEXIST");
        wiring.detach(attachment);
        assertThat(pod.ip("-d", "link", "show", "eth0")).isEqualTo(before);
        assertThat(wiring.audit(List.of())).as("nothing of ours is left").isEmpty();
    }

    @Test
    void aForeignLinkUnderOurNameIsNotDeleted() {
        node.ip("link", "add", attachment.hostIfname(), "type", "veth", "peer", "name", "x");
        node.ip("link", "set", attachment.hostIfname(), "alias", "somebody else's");
        wiring.detach(attachment);
        assertThat(node.ip("link", "show", attachment.hostIfname())).contains("somebody else's");
        node.ip("link", "set", attachment.hostIfname(), "alias", PodNames.alias(new EndpointKey("c9", "eth0")));
        wiring.detach(attachment);
        assertThat(node.ip("link", "show", attachment.hostIfname()))
                .as("another endpoint's")
                .contains("c9/eth0");
    }

    /** WHERE: h(ost) or p(od); HOST stands for the host end's name, MAC for the pod's. */
    @ParameterizedTest(name = "{0}: {1}")
    @CsvSource({
        "h, 'link del HOST', link, is gone",
        "h, 'link set HOST down', link, is down",
        "h, 'link set HOST nomaster', link, is not a port of pw0",
        "h, 'link set HOST type bridge_slave isolated off', link, other flags",
        "h, 'link set HOST type bridge_slave learning on', link, other flags",
        "h, 'link set HOST type bridge_slave hairpin on', link, other flags",
        "h, 'route del 10.1.0.5/32', route, no route to pw0",
        "h, 'route replace 10.1.0.5/32 dev pw0 proto static', route, no route to pw0",
        "h, 'neigh del 10.1.0.5 dev pw0', neighbour, no permanent neighbour",
        "h, 'neigh replace 10.1.0.5 lladdr 02:00:00:00:00:66 dev pw0 nud permanent', neighbour, no permanent neighbour",
        "h, 'neigh replace 10.1.0.5 lladdr MAC dev pw0 nud reachable', neighbour, no permanent neighbour",
        "b, 'fdb del MAC dev HOST master', fdb, no static entry",
        "p, 'link set eth0 down', link, is down in the container",
        "p, 'link set eth0 address 02:00:00:00:00:66', link, has MAC address",
        "p, 'addr del 10.1.0.5/32 dev eth0', address, is gone from eth0",
        "p, 'route del default', route, is gone in the container",
        "p, 'neigh del 169.254.1.1 dev eth0', neighbour, is gone in the container",
        "p, 'neigh replace 169.254.1.1 lladdr 02:00:00:00:00:66 dev eth0', neighbour, is gone in the container",
        "p, 'link del eth0', link, is gone",
    })
    void checkFindsWhatWasBroken(String where, String command, String object, String problem) {
        wiring.attach(attachment, pod.netns());
        String[] words = command.replace("HOST", attachment.hostIfname())
                .replace("MAC", attachment.mac().toString())
                .split(" ", -1);
        switch (where) {
            case "h" -> node.ip(words);
            case "p" -> pod.ip(words);
            default ->
                node.run(java.util.stream.Stream.concat(
                                java.util.stream.Stream.of("bridge"), java.util.Arrays.stream(words))
                        .toArray(String[]::new));
        }
        assertThat(wiring.check(attachment, pod.netns()))
                .as("findings after %s", command)
                .anyMatch(f -> f.object().equals(object) && f.problem().contains(problem));
        if (!where.equals("p")) {
            assertThat(wiring.audit(List.of(attachment)))
                    .as("the audit sees the host's side")
                    .anyMatch(f -> f.object().equals(object) && f.problem().contains(problem));
        }
        wiring.detach(attachment);
        assertThat(wiring.audit(List.of())).as("DEL of what is broken").isEmpty();
    }

    @Test
    void whatALaterPluginAddedIsTolerated() {
        wiring.attach(attachment, pod.netns());
        pod.ip("route", "add", "192.0.2.0/24", "via", "169.254.1.1", "dev", "eth0", "onlink");
        pod.ip("addr", "add", "192.0.2.9/32", "dev", "eth0");
        assertThat(wiring.check(attachment, pod.netns())).isEmpty();
    }

    // IPv6, alone and beside IPv4

    private Wired dual(FailPoints failPoints) {
        Wired dual = wired(node, BOTH, failPoints);
        dual.prepare();
        return dual;
    }

    private String sysctl(Space space, String key) {
        return space.run("cat", "/proc/sys/net/" + key).strip();
    }

    @Test
    void aBridgeOfBothFamiliesHasBothGatewaysAndNothingElse() {
        dual(FailPoints.none());
        String before = bridge();
        assertThat(node.ip("-br", "addr", "show", "pw0").replaceAll(" +", " "))
                .as("no address that the kernel made, none being checked for duplicates")
                .endsWith(" 169.254.1.1/32 fe80::1/128 \n");
        assertThat(node.ip("-6", "addr", "show", "tentative")).isEmpty();
        assertThat(sysctl(node, "ipv6/conf/all/forwarding")).isEqualTo("1");
        for (String zero : new String[] {"accept_ra", "autoconf", "accept_redirects", "disable_ipv6"}) {
            assertThat(sysctl(node, "ipv6/conf/pw0/" + zero)).as(zero).isEqualTo("0");
        }
        dual(FailPoints.none());
        assertThat(bridge()).as("a restart changes nothing").isEqualTo(before);
    }

    @Test
    void aNodeMayServeAFamilyMoreAfterItsNextStart() {
        wiring.attach(attachment, pod.netns());
        Wired both = dual(FailPoints.none());
        assertThat(both.audit(List.of(attachment))).isEmpty();
        Space second = sandbox.add();
        Attachment next = Attachments.in(second, "c2", "10.1.0.6,fd00::6");
        both.attach(next, second.netns());
        assertThat(both.audit(List.of(attachment, next))).isEmpty();
        assertThat(pod.run("ping", "-c1", "-W2", "10.1.0.6")).contains("1 received");
        assertThat(node.run("ping", "-c1", "-W2", "fd00::6")).contains("1 received");
    }

    @ParameterizedTest
    @ValueSource(strings = {"fd00::5", "10.1.0.5,fd00::5"})
    void anAttachedPodWithIpv6IsWholeAndReachableAtOnce(String addresses) {
        Wired both = dual(FailPoints.none());
        Attachment one = Attachments.in(pod, "c1", addresses);
        both.attach(one, pod.netns());
        assertThat(pod.ip("-6", "-br", "addr", "show", "dev", "eth0").replaceAll(" +", " "))
                .as("its address and no link-local one")
                .contains(" fd00::5/128 ")
                .doesNotContain("fe80");
        assertThat(pod.ip("-6", "addr", "show", "tentative"))
                .as("usable without a wait for duplicates")
                .isEmpty();
        assertThat(both.check(one, pod.netns())).isEmpty();
        assertThat(both.audit(List.of(one))).isEmpty();
        assertThat(node.run("ping", "-c3", "-i0.2", "-W2", "fd00::5")).contains("3 received", "ttl=64");
        assertThat(pod.run("ping", "-c1", "-W2", "fe80::1%eth0"))
                .as("its gateway")
                .contains("1 received");
        assertThat(pod.ip("-6", "route", "show", "default")).contains("default via fe80::1 dev eth0 proto 112");
        for (String zero : new String[] {"accept_ra", "autoconf", "accept_redirects", "router_solicitations"}) {
            assertThat(sysctl(pod, "ipv6/conf/eth0/" + zero)).as(zero).isEqualTo("0");
        }
    }

    @Test
    void aPodWhoseRuntimeSwitchedIpv6OffGetsItsAddress() {
        pod.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6");
        pod.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
        Wired both = dual(FailPoints.none());
        Attachment one = Attachments.in(pod, "c1", "10.1.0.5,fd00::5");
        both.attach(one, pod.netns());
        assertThat(both.check(one, pod.netns())).isEmpty();
        assertThat(node.run("ping", "-c1", "-W2", "fd00::5")).contains("1 received");
    }

    @Test
    void podsReachEachOtherWithoutNeighbourDiscovery() {
        Wired both = dual(FailPoints.none());
        Space second = sandbox.add();
        Attachment one = Attachments.in(pod, "c1", "fd00::5");
        Attachment two = Attachments.in(second, "c2", "10.1.0.6,fd00::6");
        both.attach(one, pod.netns());
        both.attach(two, second.netns());
        assertThat(pod.run("ping", "-c5", "-i0.2", "-W2", "fd00::6")).contains("ttl=63");
        assertThat(pod.ip("-6", "neigh"))
                .as("no neighbour but the gateway")
                .isEqualTo("fe80::1 dev eth0 lladdr " + PodNames.BRIDGE_MAC + " PERMANENT \n");
        assertThat(node.ip("-6", "neigh", "show", "dev", "pw0").lines())
                .as("none that was asked for")
                .hasSize(2)
                .allMatch(line -> line.contains("PERMANENT"));
        both.detach(one);
        both.detach(two);
        assertThat(both.audit(List.of())).isEmpty();
        assertThat(node.ip("-6", "route", "show", "proto", "112")).isEmpty();
        assertThat(node.ip("-6", "neigh")).isEmpty();
    }

    @Test
    void whenTheKernelRefusesTheIpv6AddressDetachUndoesAll() {
        Wired both = dual(FailPoints.none());
        Attachment good = Attachments.in(pod, "c1", "10.1.0.5,fd00::5");
        Attachment narrow = new Attachment(
                good.key(),
                good.network(),
                good.pod(),
                good.netnsPath(),
                good.netnsInode(),
                good.hostIfname(),
                good.mac(),
                good.addresses(),
                1279, // the kernel has no IPv6 on links of less than 1280 bytes
                good.state(),
                good.policyRevision(),
                good.since());
        assertThatExceptionOfType(NetlinkException.class)
                .isThrownBy(() -> both.attach(narrow, pod.netns()))
                .withMessageContaining("fd00::5");
        both.detach(narrow);
        assertThat(both.audit(List.of())).isEmpty();
        assertThat(pod.ip("-br", "link")).doesNotContain("eth0");
        both.attach(good, pod.netns());
        assertThat(both.check(good, pod.netns())).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"add.link", "add.host", "add.ipv6", "add.pod"})
    void detachUndoesADualAttachThatFailedAtAnyStep(String point) {
        Wired failing = dual(FailPoints.of(Map.of(point, "error")));
        Attachment one = Attachments.in(pod, "c1", "10.1.0.5,fd00::5");
        assertThatIllegalStateException().isThrownBy(() -> failing.attach(one, pod.netns()));
        failing.detach(one);
        assertThat(failing.audit(List.of())).isEmpty();
        assertThat(node.ip("-6", "route", "show", "proto", "112")).isEmpty();
        failing.attach(one, pod.netns());
        assertThat(failing.check(one, pod.netns())).as("the next try").isEmpty();
    }

    @ParameterizedTest(name = "{0}: {1}")
    @CsvSource({
        "h, '-6 route del fd00::5/128', route, no route to pw0",
        "h, '-6 route replace fd00::5/128 dev pw0 proto static', route, no route to pw0",
        "h, '-6 neigh del fd00::5 dev pw0', neighbour, no permanent neighbour",
        "h, '-6 neigh replace fd00::5 lladdr 02:00:00:00:00:66 dev pw0 nud permanent', neighbour, no permanent",
        "h, '-6 neigh replace fd00::5 lladdr MAC dev pw0 nud reachable', neighbour, no permanent neighbour",
        "h, '-4 route del 10.1.0.5/32', route, no route to pw0",
        "p, '-6 addr del fd00::5/128 dev eth0', address, is gone from eth0",
        "p, '-6 route del default', route, is gone in the container",
        "p, '-6 route replace default via fe80::2 dev eth0 proto 112', route, another gateway",
        "p, '-6 neigh del fe80::1 dev eth0', neighbour, is gone in the container",
        "p, '-6 neigh replace fe80::1 lladdr 02:00:00:00:00:66 dev eth0', neighbour, is gone in the container",
        "p, '-4 addr del 10.1.0.5/32 dev eth0', address, is gone from eth0",
        "p, '-4 route del default', route, is gone in the container",
    })
    void checkFindsWhatWasBrokenOfEitherFamily(String where, String command, String object, String problem) {
        Wired both = dual(FailPoints.none());
        Attachment one = Attachments.in(pod, "c1", "10.1.0.5,fd00::5");
        both.attach(one, pod.netns());
        Space space = where.equals("h") ? node : pod;
        space.ip(command.replace("MAC", one.mac().toString()).split(" ", -1));
        assertThat(both.check(one, pod.netns()))
                .as("findings after %s", command)
                .anyMatch(f -> f.object().equals(object) && f.problem().contains(problem));
        assertThat(both.audit(List.of(one)).isEmpty())
                .as("the audit sees the host's side")
                .isEqualTo(where.equals("p"));
        both.detach(one);
        assertThat(both.audit(List.of())).as("DEL of what is broken").isEmpty();
    }

    @Test
    void auditNamesIpv6ThatBelongsToNobody() {
        Wired both = dual(FailPoints.none());
        node.ip("-6", "route", "add", "fd00::77/128", "dev", "pw0", "proto", "112");
        node.ip("-6", "neigh", "add", "fd00::77", "lladdr", "02:00:00:00:00:77", "dev", "pw0", "nud", "permanent");
        assertThat(both.audit(List.of()))
                .extracting(Finding::object, Finding::name)
                .containsExactlyInAnyOrder(
                        org.assertj.core.groups.Tuple.tuple("route", "fd00::77/128"),
                        org.assertj.core.groups.Tuple.tuple("neighbour", "fd00::77"));
    }

    @Test
    void auditNamesWhatBelongsToNobody() {
        wiring.attach(attachment, pod.netns());
        node.ip("link", "add", "stray", "type", "veth", "peer", "name", "strayp");
        node.ip("link", "set", "stray", "master", "pw0");
        node.ip("route", "add", "10.1.0.77/32", "dev", "pw0", "proto", "112");
        node.ip("route", "add", "10.1.0.78/32", "dev", "pw0", "proto", "static");
        node.ip("neigh", "add", "10.1.0.77", "lladdr", "02:00:00:00:00:77", "dev", "pw0", "nud", "permanent");
        assertThat(wiring.audit(List.of(attachment)))
                .as("all but the administrator's own route")
                .extracting(Finding::object, Finding::name)
                .containsExactlyInAnyOrder(
                        org.assertj.core.groups.Tuple.tuple("link", "stray"),
                        org.assertj.core.groups.Tuple.tuple("route", "10.1.0.77/32"),
                        org.assertj.core.groups.Tuple.tuple("neighbour", "10.1.0.77"));
        assertThat(wiring.audit(List.of()))
                .as("without its attachment a pod is left over too")
                .extracting(Finding::name)
                .contains(attachment.hostIfname(), "10.1.0.5/32", "10.1.0.5");
    }

    @ParameterizedTest
    @CsvSource({"add.link", "add.host", "add.pod"})
    void detachUndoesAnAttachThatFailedAtAnyStep(String point) {
        Wired failing = wired(node, FailPoints.of(Map.of(point, "error")));
        failing.prepare();
        assertThatIllegalStateException().isThrownBy(() -> failing.attach(attachment, pod.netns()));
        failing.detach(attachment);
        assertThat(failing.audit(List.of())).isEmpty();
        failing.attach(attachment, pod.netns());
        assertThat(failing.check(attachment, pod.netns())).as("the next try").isEmpty();
    }

    // Repair

    @Test
    void whatIsRightIsNotRepaired() {
        wiring.attach(attachment, pod.netns());
        String before = look();
        assertThat(wiring.repairBridge()).isEmpty();
        assertThat(wiring.repairSettings()).isEmpty();
        assertThat(wiring.repairPods(attachment)).isEmpty();
        assertThat(look()).isEqualTo(before);
    }

    @Test
    void anAuditNamesWhatIsBehindAPortAndIsNoPods() {
        wiring = wired(node, BOTH, FailPoints.none());
        wiring.prepare();
        Attachment one = Attachments.in(pod, "c1", "10.1.0.5,fd00::5");
        wiring.attach(one, pod.netns());
        assertThat(wiring.audit(List.of(one))).as("audit of what is right").isEmpty();
        node.run(("bridge fdb add 02:00:00:00:00:07 dev " + one.hostIfname() + " master static").split(" "));
        assertThat(wiring.audit(List.of(one)))
                .containsExactly(new Finding(
                        "fdb", "02:00:00:00:00:07", "is behind " + one.hostIfname() + " and is no pod's there"));
    }

    @ParameterizedTest
    @CsvSource({
        "link,    ip link set HOST down",
        "link,    ip link set HOST nomaster",
        "link,    bridge link set dev HOST isolated off",
        "link,    bridge link set dev HOST hairpin on",
        "route,   ip route del 10.1.0.5/32 dev pw0",
        "route,   ip route replace 10.1.0.5/32 dev lo",
        "route,   ip -6 route del fd00::5/128 dev pw0",
        "neighbour, ip neigh del 10.1.0.5 dev pw0",
        "neighbour, ip neigh replace fd00::5 lladdr 02:00:00:00:00:09 dev pw0",
        "fdb,     bridge fdb del MAC dev HOST master",
        "bridge,  ip link del pw0",
        "bridge,  ip link set pw0 down",
        "bridge,  ip link set pw0 mtu 1400",
        "bridge,  ip link set pw0 address 02:00:00:00:00:07",
        "address, ip addr flush dev pw0",
        "address, ip addr del fe80::1/128 dev pw0",
        "sysctl,  sysctl -qw net.ipv4.ip_forward=0",
        "sysctl,  sysctl -qw net.ipv6.conf.all.forwarding=0",
        "sysctl,  sysctl -qw net.ipv4.conf.pw0.send_redirects=1",
        "sysctl,  sysctl -qw net.ipv6.conf.pw0.accept_ra=1",
    })
    void whatOthersChangedIsMadeAsItWas(String kind, String command) {
        node.ip("link", "set", "lo", "up");
        wiring = wired(node, BOTH, FailPoints.none());
        wiring.prepare();
        Attachment both = Attachments.in(pod, "c1", "10.1.0.5,fd00::5");
        Space second = sandbox.add();
        Attachment other = Attachments.in(second, "c2", "10.1.0.6,fd00::6");
        wiring.attach(both, pod.netns());
        wiring.attach(other, second.netns());
        String before = look();
        node.run(command.replace("HOST", both.hostIfname())
                .replace("MAC", both.mac().toString())
                .split(" "));

        List<Repair> repairs = new ArrayList<>(wiring.repairSettings());
        repairs.addAll(wiring.repairBridge());
        repairs.addAll(wiring.repairPods(both, other));

        assertThat(repairs)
                .as("repairs after %s", command)
                .extracting(repair -> repair.found().object())
                .contains(kind);
        assertThat(look()).as("after %s", command).isEqualTo(before);
        assertThat(wiring.audit(List.of(both, other))).as("audit").isEmpty();
        pod.run("ping", "-c", "1", "-W", "2", "10.1.0.6");
        pod.run("ping", "-c", "1", "-W", "2", "fd00::6");
        assertThat(wiring.repairPods(both, other)).as("a second time").isEmpty();
    }

    @Test
    void aHostEndThatIsGoneOrSomebodyElsesIsBeyondRepair() {
        wiring.attach(attachment, pod.netns());
        node.ip("link", "del", attachment.hostIfname());
        assertBeyondRepair("is gone");
        node.ip("link", "add", attachment.hostIfname(), "type", "veth", "peer", "name", "theirs");
        node.ip("link", "set", attachment.hostIfname(), "alias", "mine");
        assertBeyondRepair("belongs to somebody else");
        assertThat(node.ip("link", "show", attachment.hostIfname()))
                .as("their link")
                .doesNotContain("master");
    }

    private void assertBeyondRepair(String problem) {
        assertThat(wiring.repairPods(attachment)).as("repairs").isEmpty();
        assertThat(wiring.on(() -> wiring.wiring().damaged(List.of(attachment))))
                .flatExtracting(BridgeWiring.Damage::beyondRepair)
                .singleElement()
                .satisfies(finding -> assertThat(finding.problem()).contains(problem));
    }

    /** What the node has of pods and their bridge, by names. */
    private String look() {
        return Stream.of(
                        "ip -o link show type bridge",
                        "ip -o link show type veth",
                        "bridge -d link show",
                        "ip -o addr show",
                        "ip route show",
                        "ip -6 route show",
                        "ip neigh show nud permanent",
                        "ip -6 neigh show nud permanent",
                        "bridge fdb show",
                        "sysctl net.ipv4.ip_forward net.ipv4.conf.all.send_redirects net.ipv4.conf.pw0.send_redirects"
                                + " net.ipv6.conf.all.forwarding net.ipv6.conf.pw0.accept_ra")
                .map(command -> node.run(command.split(" ")))
                .flatMap(String::lines)
                .filter(line -> !line.contains("33:33:") && !line.contains("01:00:5e:"))
                // Without indexes, and what follows the carrier some time later.
                .map(line -> line.replaceAll(
                                "^\\d+: |@\\w+|NO-CARRIER,|,LOWER_UP|,M-DOWN|state \\S+|mode \\S+|linkdown|valid_lft.*",
                                "")
                        .strip())
                .sorted()
                .collect(Collectors.joining("\n"));
    }
}

package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.LinkEvents;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.plan.WiringMode;
import io.podwire.node.testing.Attachments;
import io.podwire.node.testing.BusyKernel;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What every mode keeps, on a real kernel, with pods of IPv4, of IPv6 and of both. A node, and a switch that its device
 * m0 is plugged into.
 */
@Tag("netns")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class PodWiringContract {
    static final String DUAL = "10.1.0.5,fd00::5";
    private static final String DUAL_OTHER = "10.1.0.6,fd00::6";
    private static final int MTU = 1450;

    NetnsSandbox sandbox;
    Space node;
    Space wire;
    Space pod;
    private RtnetlinkPool sockets;
    private LinkEvents events;
    private PodWiring wiring;

    /** The parts that wirings are made of. */
    record Parts(
            RtnetlinkPool sockets, LinkEvents events, Sysctl sysctl, Set<IpFamily> families, FailPoints failPoints) {}

    /** What one breaks by hand. WHERE: h(ost), b(ridge) or p(od); HOST and MAC stand for an attachment's. */
    record Broken(String where, String command, String object, String problem) {
        @Override
        public String toString() {
            return where + ": " + command;
        }
    }

    abstract WiringMode mode();

    abstract PodWiring wiring(Parts parts);

    /** Objects to break of a pod with 10.1.0.5 and fd00::5, on the node's side. */
    abstract Stream<Broken> brokenOnTheNode();

    /** Whether pods of this mode reach each other. */
    boolean podsReachEachOther() {
        return true;
    }

    /** Whether a second pod can be wired beside the first. */
    boolean takesTwoPods() {
        return true;
    }

    /** Who has the gateways' addresses. */
    Space gateway() {
        return node;
    }

    /** Whether the gateway is a permanent neighbour of pods. */
    boolean gatewayIsNeighbour() {
        return true;
    }

    @BeforeEach
    void prepare() throws Exception {
        sandbox = new NetnsSandbox();
        node = sandbox.add();
        wire = sandbox.add();
        pod = sandbox.add();
        node.ip("link", "set", "lo", "up");
        node.ip("addr", "add", "10.9.0.1/32", "dev", "lo");
        node.ip("addr", "add", "fd09::1/128", "dev", "lo");
        // With equal indexes at both ends the kernel takes a second to tell of a carrier: linkwatch_urgent_event().
        node.ip("link", "add", "m0", "index", "100", "type", "veth", "peer", "name", "s0", "netns", wire.name());
        // What the kernel does on m0 by itself is no part of what is compared.
        node.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/m0/disable_ipv6");
        node.ip("link", "set", "m0", "up");
        // A switch that sends a frame back to where it came from, as 802.1Qbg asks of one for VEPA.
        wire.ip("link", "add", "sw0", "address", "02:00:00:00:00:77", "type", "bridge");
        wire.ip("link", "set", "s0", "master", "sw0");
        wire.ip("link", "set", "s0", "type", "bridge_slave", "hairpin", "on");
        wire.ip("link", "set", "s0", "up");
        wire.ip("link", "set", "sw0", "up");
        // The kernel tells a bridge of a port's carrier some time after the link is up.
        await().atMost(Duration.ofSeconds(10))
                .until(() -> wire.run("bridge", "link").contains("state forwarding"));
        sockets = new RtnetlinkPool();
        events = LinkEvents.open(node.netns());
    }

    /** Wires pods with addresses as in this text. */
    private void start(String addresses, FailPoints failPoints) throws Exception {
        Set<IpFamily> families = EnumSet.noneOf(IpFamily.class);
        Stream.of(addresses.split(","))
                .forEach(address -> families.add(IpAddress.parse(address).family()));
        Sysctl sysctl = new Sysctl(Path.of("/proc/sys"));
        on(() -> {
            new BridgeWiring(sockets, events, Runnable::run, sysctl, families, FailPoints.none())
                    .prepare(MTU, Set.of());
            return true;
        });
        wiring = wiring(new Parts(sockets, events, sysctl, families, failPoints));
    }

    @AfterEach
    void remove() {
        sockets.close();
        events.close();
        sandbox.close();
    }

    private <T> T on(Callable<T> body) throws Exception {
        return NetnsThread.call(node.netns(), body);
    }

    private Attachment planned(Space space, String id, String addresses) throws Exception {
        Attachment asked = Attachments.in(space, id, addresses);
        return on(() -> wiring.plan(asked.wired(mode(), asked.hostIfname(), asked.mac(), asked.mtu())));
    }

    private Set<IpFamily> attach(Attachment attachment, Space space) throws Exception {
        return on(() -> wiring.attach(attachment, wiring.enter(space.netns())));
    }

    private void detach(Attachment attachment) throws Exception {
        on(() -> {
            wiring.detach(attachment);
            return true;
        });
    }

    private List<Finding> check(Attachment attachment, Space space) throws Exception {
        return on(() ->
                wiring.check(attachment, space.netns(), attachment.addresses().families()));
    }

    private List<Finding> audit(Attachment... attachments) throws Exception {
        return on(() -> wiring.audit(List.of(attachments)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"10.1.0.5", "fd00::5", DUAL})
    void attachMakesWhatCheckAccepts(String addresses) throws Exception {
        start(addresses, FailPoints.none());
        Attachment one = planned(pod, "c1", addresses);
        assertThat(on(() -> wiring.linked(one))).as("linked before").isFalse();
        assertThat(attach(one, pod)).isEqualTo(one.addresses().families());
        assertThat(check(one, pod)).isEmpty();
        assertThat(audit(one)).isEmpty();
        assertThat(on(() -> wiring.linked(one))).as("linked").isTrue();
        assertThat(on(() -> wiring.routed(one, pod.netns())))
                .isEqualTo(one.addresses().families());
        assertThat(pod.ip("link", "show", "eth0"))
                .contains("mtu 1450", one.mac().toString());
        assertThat(pod.ip("-br", "addr", "show", "lo")).as("loopback").contains("127.0.0.1/8");
        assertThat(pod.ip("-6", "addr", "show", "tentative"))
                .as("waits for no duplicates")
                .isEmpty();
        assertThat(pod.ip("-6", "-br", "addr", "show", "dev", "eth0"))
                .as("no address that the kernel made")
                .doesNotContain("fe80");
    }

    @ParameterizedTest
    @ValueSource(strings = {"10.1.0.5", "fd00::5", DUAL})
    void podAndGatewayReachEachOther(String addresses) throws Exception {
        start(addresses, FailPoints.none());
        Attachment one = planned(pod, "c1", addresses);
        attach(one, pod);
        serveGateway(one);
        for (IpAddress address : one.addresses().list()) {
            reaches(gateway(), address.toString());
            boolean v4 = address.family() == IpFamily.V4;
            reaches(pod, v4 ? "169.254.1.1" : "fe80::1%eth0");
            reaches(pod, v4 ? "10.9.0.1" : "fd09::1");
        }
    }

    /** What follows a change of a link or an IPv6 address is done by threads of the kernel, which wait for a lock. */
    @Test
    void firstPacketPassesWhileTheKernelIsBusy() throws Exception {
        assumeThat(gateway()).as("another machine is the gateway").isEqualTo(node);
        try (BusyKernel _ = new BusyKernel()) {
            for (int i = 0; i < 15; i++) {
                // A new bridge has a carrier from its first pod on.
                start(DUAL, FailPoints.none());
                Attachment one = planned(pod, "c1", DUAL);
                attach(one, pod);
                boolean v6First = i % 3 == 0;
                reaches(gateway(), v6First ? "fd00::5" : "10.1.0.5");
                reaches(gateway(), v6First ? "10.1.0.5" : "fd00::5");
                detach(one);
                node.ip("link", "delete", "pw0");
            }
        }
    }

    /** Where the node is not the gateway, another machine is. */
    private void serveGateway(Attachment attachment) {
        if (gateway().equals(node)) {
            return;
        }
        gateway().ip("link", "set", "lo", "up");
        gateway().ip("addr", "add", "10.9.0.1/32", "dev", "lo");
        gateway().ip("addr", "add", "fd09::1/128", "dev", "lo");
        gateway().ip("addr", "add", "169.254.1.1/32", "dev", "sw0");
        gateway().ip("addr", "add", "fe80::1/128", "dev", "sw0", "nodad");
        for (IpAddress address : attachment.addresses().list()) {
            gateway().ip("route", "add", address.toString(), "dev", "sw0");
        }
    }

    /** The first packet passes. */
    private static void reaches(Space from, String address) {
        assertThat(from.run("ping", "-c1", "-W2", address))
                .as("ping of %s from %s", address, from.name())
                .contains("1 received");
    }

    @ParameterizedTest
    @ValueSource(strings = {"4", "6"})
    void podsReachEachOtherAsTheModeAllows(String family) throws Exception {
        assumeThat(takesTwoPods()).as("mode passthru takes one pod").isTrue();
        start(DUAL, FailPoints.none());
        Attachment one = planned(pod, "c1", DUAL);
        Space second = sandbox.add();
        Attachment other = planned(second, "c2", DUAL_OTHER);
        attach(one, pod);
        attach(other, second);
        String there = family.equals("4") ? "10.1.0.6" : "fd00::6";
        if (podsReachEachOther()) {
            reaches(pod, there);
        }
        assertThat(audit(one, other)).isEmpty();
        detach(one);
        assertThat(check(other, second)).as("the other after the first is gone").isEmpty();
        reaches(gateway(), there);
    }

    @ParameterizedTest
    @ValueSource(strings = {"10.1.0.5", "fd00::5", DUAL})
    void detachLeavesNothingAndAskingTwiceIsAskingOnce(String addresses) throws Exception {
        start(addresses, FailPoints.none());
        Attachment one = planned(pod, "c1", addresses);
        attach(one, pod);
        detach(one);
        String before = state();
        attach(one, pod);
        assertThat(state()).as("what an attachment changes").isNotEqualTo(before);
        detach(one);
        assertThat(state()).isEqualTo(before);
        detach(one);
        assertThat(state()).as("after a second time").isEqualTo(before);
        assertThat(audit()).isEmpty();
        assertThat(check(one, pod)).extracting(Finding::object).contains("link");
        assertThat(on(() -> wiring.linked(one))).as("linked").isFalse();
        assertThat(before).as("links").doesNotContain("eth0").doesNotContain(one.hostIfname());
    }

    /** Links, addresses, routes, permanent neighbours and forwarding entries of node and pod. */
    private String state() {
        StringBuilder all = new StringBuilder();
        for (Space space : List.of(node, pod)) {
            all.append(space.ip("-br", "link"))
                    .append(space.ip("-br", "addr"))
                    .append(space.ip("route", "show", "table", "all"))
                    .append(space.ip("-6", "route", "show", "table", "all"))
                    .append(space.ip("neigh", "show", "nud", "permanent"))
                    .append(space.run("bridge", "fdb", "show"));
        }
        // Carriers, and what the kernel does for multicast, come and go some time later.
        return all.toString()
                .replaceAll(" (UP|DOWN|UNKNOWN) ", " ")
                .replaceAll("<[A-Z_,-]+>|linkdown ", "")
                .replaceAll(" +", " ")
                .replaceAll("(?m)^(multicast|33:33|01:00:5e|local fe80::1 dev pw0).*\n", "");
    }

    @Test
    void detachWorksAfterTheNamespaceIsGone() throws Exception {
        start(DUAL, FailPoints.none());
        Attachment one = planned(pod, "c1", DUAL);
        attach(one, pod);
        sandbox.remove(pod);
        detach(one);
        assertThat(audit()).isEmpty();
        assertThat(node.ip("route", "show", "proto", "112") + node.ip("-6", "route", "show", "proto", "112"))
                .isEmpty();
    }

    @Test
    void anInterfaceOfThatNameInThePodIsNotTouched() throws Exception {
        start(DUAL, FailPoints.none());
        pod.ip("link", "add", "eth0", "type", "veth", "peer", "name", "x");
        String before = pod.ip("-d", "link", "show");
        Attachment one = planned(pod, "c1", DUAL);
        assertThatExceptionOfType(NetlinkException.class)
                .isThrownBy(() -> attach(one, pod))
                .withMessageContaining("EEXIST");
        detach(one);
        assertThat(pod.ip("-d", "link", "show")).isEqualTo(before);
        assertThat(audit()).as("nothing of ours is left").isEmpty();
    }

    @Test
    void aForeignLinkUnderOurNameIsNotDeleted() throws Exception {
        start(DUAL, FailPoints.none());
        Attachment one = planned(pod, "c1", DUAL);
        for (Space space : List.of(node, pod)) {
            space.ip("link", "add", one.hostIfname(), "type", "veth", "peer", "name", "x");
            space.ip("link", "set", one.hostIfname(), "alias", "somebody else's");
        }
        detach(one);
        for (Space space : List.of(node, pod)) {
            assertThat(space.ip("link", "show", one.hostIfname())).contains("somebody else's");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"add.link", "add.host", "add.ipv6", "add.pod-up", "add.pod"})
    void detachUndoesAnAttachThatFailedAtAnyStep(String point) throws Exception {
        start(DUAL, FailPoints.of(Map.of(point, "error")));
        Attachment one = planned(pod, "c1", DUAL);
        assertThatIllegalStateException().isThrownBy(() -> attach(one, pod));
        detach(one);
        assertThat(audit()).isEmpty();
        assertThat(pod.ip("-br", "link")).as("links").doesNotContain("eth0").doesNotContain(one.hostIfname());
        attach(one, pod);
        assertThat(check(one, pod)).as("the next try").isEmpty();
    }

    Stream<Broken> broken() {
        return Stream.concat(
                brokenOnTheNode(),
                Stream.of(
                                new Broken("p", "link set eth0 down", "link", "is down in the container"),
                                new Broken("p", "addr del 10.1.0.5/32 dev eth0", "address", "is gone from eth0"),
                                new Broken("p", "-6 addr del fd00::5/128 dev eth0", "address", "is gone from eth0"),
                                new Broken("p", "route del default", "route", "is gone in the container"),
                                new Broken("p", "-6 route del default", "route", "is gone in the container"),
                                new Broken("p", "neigh del 169.254.1.1 dev eth0", "neighbour", "is gone"),
                                new Broken("p", "-6 neigh del fe80::1 dev eth0", "neighbour", "is gone"),
                                new Broken("p", "link set eth0 address 02:00:00:00:00:66", "link", "has MAC"),
                                new Broken("p", "link del eth0", "link", "is gone"))
                        .filter(b -> gatewayIsNeighbour() || !b.object().equals("neighbour")));
    }

    @ParameterizedTest
    @MethodSource("broken")
    void checkFindsWhatWasBroken(Broken broken) throws Exception {
        start(DUAL, FailPoints.none());
        Attachment one = planned(pod, "c1", DUAL);
        attach(one, pod);
        String command = broken.command()
                .replace("HOST", PodNames.port(one))
                .replace("MAC", one.mac().toString());
        switch (broken.where()) {
            case "h" -> node.ip(command.split(" ", -1));
            case "p" -> pod.ip(command.split(" ", -1));
            default -> node.run(("bridge " + command).split(" ", -1));
        }
        assertThat(check(one, pod))
                .as("findings after %s", command)
                .anyMatch(f -> f.object().equals(broken.object()) && f.problem().contains(broken.problem()));
        if (!broken.where().equals("p")) {
            assertThat(audit(one)).as("the audit sees the node's side").isNotEmpty();
        }
        detach(one);
        assertThat(audit()).as("after the DEL of what is broken").isEmpty();
    }

    @Test
    void auditNamesWhatNobodyOwns() throws Exception {
        start(DUAL, FailPoints.none());
        Attachment one = planned(pod, "c1", DUAL);
        attach(one, pod);
        assumeThat(gateway())
                .as("on the node a pod of this mode leaves no trace")
                .isEqualTo(node);
        assertThat(audit()).isNotEmpty();
        detach(one);
        assertThat(audit()).isEmpty();
    }

    @Test
    void aSecondInterfaceLeavesTheFirstItsDefaultRoute() throws Exception {
        assumeThat(takesTwoPods()).as("mode passthru takes one interface").isTrue();
        start(DUAL, FailPoints.none());
        Attachment one = planned(pod, "c1", DUAL);
        attach(one, pod);
        pod.ip("link", "set", "eth0", "name", "first");
        Attachment other = planned(pod, "c2", DUAL_OTHER);
        assertThat(attach(other, pod)).as("default routes given").isEmpty();
        assertThat(on(() -> wiring.check(other, pod.netns(), Set.of()))).isEmpty();
    }
}

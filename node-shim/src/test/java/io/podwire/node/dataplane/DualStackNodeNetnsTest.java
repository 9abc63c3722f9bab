package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.cni.Node;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.LinkEvents;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.nft.backend.KernelNft;
import io.podwire.node.nft.diff.ListedTable;
import io.podwire.node.plan.AddressSet;
import io.podwire.node.plan.DirectionPolicy;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EndpointPolicy;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.plan.Masquerade;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.PolicyRule;
import io.podwire.node.plan.PortRange;
import io.podwire.node.plan.RulesetPlanner;
import io.podwire.node.testing.Attachments;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * One node of the real parts, wiring and ruleset in the kernel, with a pod of IPv4, one of IPv6 and two of
 * both: who reaches whom, what policy does, and what forgers can change.
 */
@Tag("netns")
final class DualStackNodeNetnsTest {
    private static final Set<IpFamily> BOTH = Set.of(IpFamily.V4, IpFamily.V6);
    private static final List<String> FOUR =
            List.of("10.1.0.1", "fd00:1::2", "10.1.0.3,fd00:1::3", "10.1.0.4,fd00:1::4");
    private static final String DUAL = "c3";
    private static final String OTHER = "c4";

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private final EventLoop loop = new EventLoop("dual-test");
    private final Map<String, Space> pods = new LinkedHashMap<>();
    private final Map<String, Attachment> attachments = new LinkedHashMap<>();
    private final List<Process> servers = new ArrayList<>();
    private Space node;
    private RtnetlinkPool sockets;
    private LinkEvents events;
    private KernelNft nft;
    private BridgeWiring wiring;
    private RulesetReconciler ruleset;

    @BeforeEach
    void wire() throws Exception {
        node = sandbox.add();
        node.ip("link", "set", "lo", "up");
        sockets = new RtnetlinkPool();
        events = LinkEvents.open(node.netns());
        nft = onNode(KernelNft::open);
        wiring = new BridgeWiring(
                sockets, events, Runnable::run, new Sysctl(Path.of("/proc/sys")), BOTH, FailPoints.none());
        ruleset = new RulesetReconciler(nft, loop, BOTH, 4789, Masquerade.NONE);
        ruleset.start(List.of(), Optional.empty());
        onNode(() -> {
            wiring.prepare(1450, Set.of());
            return true;
        });
        int number = 1;
        for (String addresses : FOUR) {
            Space pod = sandbox.add();
            Attachment attachment = Attachments.in(pod, "c" + number++, addresses);
            String id = attachment.key().containerId();
            pods.put(id, pod);
            attachments.put(id, attachment);
            CompletableFuture<Long> covered = ruleset.attach(Node.endpoint(attachment));
            onNode(() -> {
                wiring.attach(attachment, wiring.enter(pod.netns()));
                return true;
            });
            covered.orTimeout(5, TimeUnit.SECONDS).join();
        }
        awaitPorts();
    }

    /** The kernel tells the bridge of a port's carrier some time after the link is up. */
    private void awaitPorts() {
        await().atMost(Duration.ofSeconds(10))
                .until(() -> !node.run("bridge", "link").contains("state disabled"));
    }

    private <T> T onNode(Callable<T> body) throws Exception {
        return NetnsThread.call(node.netns(), body);
    }

    @AfterEach
    void remove() {
        for (Process server : servers) {
            server.destroy();
            server.onExit().join();
        }
        loop.close();
        nft.close();
        events.close();
        sockets.close();
        sandbox.close();
    }

    @Test
    void podsReachWhoHasAnAddressOfTheSameFamily() throws Exception {
        serve(80);
        for (String from : pods.keySet()) {
            for (String to : pods.keySet()) {
                if (from.equals(to)) {
                    continue;
                }
                for (IpFamily family : BOTH) {
                    Optional<String> target = address(to, family);
                    if (target.isPresent()) {
                        boolean possible = address(from, family).isPresent();
                        assertThat(pings(from, target.get()))
                                .as("ping %s to %s", from, to)
                                .isEqualTo(possible);
                        assertThat(connects(from, target.get(), 80))
                                .as("TCP %s to %s", from, to)
                                .isEqualTo(possible);
                    }
                }
            }
        }
        assertThat(counters().get("nd")).as("nobody asked for a neighbour").isZero();
        assertThat(counters().get("spoofed")).isZero();
    }

    /** A packet of 3000 bytes through a link of 1450, both ways. */
    @Test
    void fragmentsPass() {
        for (String to : List.of("10.1.0.4", "fd00:1::4")) {
            assertThat(pod(DUAL).run("ping", "-c2", "-i0.2", "-W2", "-s", "3000", to))
                    .contains("2 received");
        }
    }

    @Test
    void policyOfAnEndpointHoldsInBothFamilies() throws Exception {
        serve(80);
        PolicyRule fromOther = new PolicyRule(
                "ns/web", 0, false, List.of("other"), false, List.of(new PortRange(IpProtocol.TCP, 80, 80)));
        DirectionPolicy closed = new DirectionPolicy(true, List.of(fromOther), List.of("ns/web"));
        enforce(DUAL, new EndpointPolicy(closed, DirectionPolicy.OPEN));
        for (IpFamily family : BOTH) {
            String target = address(DUAL, family).orElseThrow();
            assertThat(connects(OTHER, target, 80)).as("%s: named", target).isTrue();
            assertThat(pings(OTHER, target)).as("%s: not that protocol", target).isFalse();
            String stranger = family == IpFamily.V4 ? "c1" : "c2";
            assertThat(connects(stranger, target, 80))
                    .as("%s: not named", target)
                    .isFalse();
        }
        enforce(
                DUAL,
                new EndpointPolicy(DirectionPolicy.OPEN, new DirectionPolicy(true, List.of(), List.of("ns/out"))));
        for (IpFamily family : BOTH) {
            assertThat(connects(DUAL, address(OTHER, family).orElseThrow(), 80))
                    .as("%s out", family)
                    .isFalse();
            assertThat(connects(OTHER, address(DUAL, family).orElseThrow(), 80))
                    .as("%s in", family)
                    .isTrue();
        }
    }

    /** An address in use is usable within the ADD: no second of waiting for a duplicate. */
    @Test
    void theFirstPacketOfAPodIsSentAtOnce() throws Exception {
        serve(80);
        Space pod = sandbox.add();
        Attachment attachment = Attachments.in(pod, "c9", "10.1.0.9,fd00:1::9");
        CompletableFuture<Long> covered = ruleset.attach(Node.endpoint(attachment));
        onNode(() -> {
            wiring.attach(attachment, wiring.enter(pod.netns()));
            return true;
        });
        covered.orTimeout(5, TimeUnit.SECONDS).join();
        assertThat(pod.ip("-6", "addr", "show", "tentative")).isEmpty();
        pods.put("c9", pod);
        awaitPorts();
        assertThat(connects("c9", "fd00:1::4", 80)).isTrue();
    }

    @Test
    void forgedDiscoveryChangesNothingAndIsCounted() throws Exception {
        // Nothing else must differ: no path MTU, no redirect, no learned neighbour or prefix.
        String before = state();
        Map<String, Long> counted = counters();
        String mac = attachments.get(DUAL).mac().toString();
        List<String> frames = new ArrayList<>();
        for (String target : List.of("ff02::1", "fd00:1::4", "fe80::1")) {
            for (String message : List.of(
                    "ra fe80::66",
                    "ra fe80::1",
                    "ns fd00:1::4",
                    "ns fd00:1::3",
                    "ns ::",
                    "na fd00:1::4",
                    "na fd00:1::3",
                    "na fe80::1",
                    "redirect fe80::1",
                    "rs fe80::66")) {
                for (Object destination :
                        List.of(PodNames.BRIDGE_MAC, attachments.get(OTHER).mac(), "33:33:00:00:00:01")) {
                    frames.add(message + " " + target + " " + destination);
                }
            }
        }
        forge(DUAL, mac, frames);
        Map<String, Long> after = counters();
        assertThat(after.get("ra") - counted.get("ra")).as("advertisements").isEqualTo(18);
        assertThat(after.get("nd") - counted.get("nd")).as("all others").isEqualTo(72);
        assertThat(state())
                .as("neighbours, routes and addresses of the node and of every pod")
                .isEqualTo(before);
        assertThat(pings(OTHER, "fd00:1::2")).as("the others talk on").isTrue();
    }

    @Test
    void nobodySendsFromAnothersAddress() throws Exception {
        long before = counters().get("spoofed");
        pod(DUAL).ip("addr", "add", "fd00:1::4/128", "dev", "eth0", "nodad");
        assertThat(pod(DUAL).run("sh", "-c", "ping -c1 -W1 -I fd00:1::4 fd00:1::2 || true"))
                .as("not with the address of another pod")
                .contains("0 received");
        pod(DUAL).ip("addr", "add", "fd00:9::9/128", "dev", "eth0", "nodad");
        assertThat(pod(DUAL).run("sh", "-c", "ping -c1 -W1 -I fd00:9::9 fe80::1%eth0 || true"))
                .as("nor with one of its own choice")
                .contains("0 received");
        assertThat(counters().get("spoofed")).isEqualTo(before + 2);
    }

    /** What discovery could change: of the node, and of each pod. */
    private String state() {
        return Stream.concat(Stream.of(node), pods.values().stream())
                .map(space -> space.ip("-6", "neigh")
                        + space.ip("-6", "route", "show", "table", "all")
                        + space.ip("-6", "-o", "addr").replaceAll("valid_lft.*", "")
                        + space.ip("neigh")
                        + space.ip("route"))
                .collect(Collectors.joining("\n--\n"));
    }

    private Map<String, Long> counters() throws Exception {
        ListedTable table = nft.list(RulesetPlanner.SPOOF_TABLE).orElseThrow();
        Map<String, Long> counters = new TreeMap<>();
        table.counters().forEach((key, counter) -> counters.put(key.comment(), counter.packets()));
        return counters;
    }

    private void enforce(String pod, EndpointPolicy policy) {
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        attachments.values().forEach(a -> endpoints.put(a.key(), EndpointPolicy.OPEN));
        endpoints.put(attachments.get(pod).key(), policy);
        SortedMap<String, AddressSet> sets = new TreeMap<>();
        sets.put(
                "other",
                new AddressSet(
                        "other",
                        "pod " + OTHER,
                        attachments.get(OTHER).addresses().stream()
                                .map(IpPrefix::ofHost)
                                .toList()));
        ruleset.program(new NodeProgram(ruleset.revision() + 1, endpoints, sets))
                .orTimeout(5, TimeUnit.SECONDS)
                .join();
    }

    private Space pod(String id) {
        return pods.get(id);
    }

    private Optional<String> address(String id, IpFamily family) {
        return attachments.get(id).addresses().of(family).map(Object::toString);
    }

    private boolean pings(String from, String to) {
        return pod(from).run("sh", "-c", "ping -c1 -W1 " + to + " 2>&1 || true").contains(" 1 received");
    }

    private boolean connects(String from, String to, int port) {
        return pod(from).run("python3", "-c", """
                        import socket, sys
                        try:
                            socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()
                            print("connected")
                        except OSError as e:
                            print(e)
                        """, to, Integer.toString(port)).contains("connected");
    }

    /** A TCP server of both families in every pod. */
    private void serve(int port) throws Exception {
        for (Space pod : pods.values()) {
            Process server = new ProcessBuilder("nsenter", "--net=" + pod.path(), "python3", "-c", """
                    import socket
                    server = socket.create_server(("::", %d), family=socket.AF_INET6, dualstack_ipv6=True)
                    print("ready", flush=True)
                    while True:
                        server.accept()[0].close()
                    """.formatted(port))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            servers.add(server);
            assertThat(server.inputReader().readLine()).isEqualTo("ready");
        }
    }

    /** Sends each "KIND SOURCE DESTINATION MAC" as a frame that says all it could to deceive. */
    private void forge(String from, String mac, List<String> frames) {
        pod(from).run("python3", "-c", """
                import socket, struct, sys
                mac = sys.argv[1]
                raw = lambda text: bytes.fromhex(text.replace(":", ""))
                ip = lambda text: socket.inet_pton(socket.AF_INET6, text)
                option = lambda kind: bytes([kind, 1]) + raw(mac)
                victim = ip("fd00:1::4")
                link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
                link.bind(("eth0", 0))

                def checksum(data):
                    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
                    while total >> 16:
                        total = (total >> 16) + (total & 0xffff)
                    return ~total & 0xffff

                for frame in sys.argv[2].split(","):
                    kind, source, target, to = frame.split()
                    body = {
                        "ra": struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + option(1)
                            + struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 3600, 3600, 0) + ip("2001:db8:bad::"),
                        "rs": struct.pack("!BBHI", 133, 0, 0, 0) + option(1),
                        "ns": struct.pack("!BBHI", 135, 0, 0, 0) + victim + option(1),
                        "na": struct.pack("!BBHI", 136, 0, 0, 0xe0000000) + victim + option(2),
                        "redirect": struct.pack("!BBHI", 137, 0, 0, 0) + ip("fe80::66") + victim + option(2),
                    }[kind]
                    pseudo = ip(source) + ip(target) + struct.pack("!II", len(body), 58)
                    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
                    packet = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + ip(source) + ip(target) + body
                    link.send(raw(to) + raw(mac) + b"\\x86\\xdd" + packet)
                """, mac, String.join(",", frames));
    }
}

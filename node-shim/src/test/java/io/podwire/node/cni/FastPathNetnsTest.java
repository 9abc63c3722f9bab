package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.node.dataplane.FastPathDevices;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Packets between pods of one node, and of a machine on its underlay, past the rules and not past them. */
@Tag("netns")
@Timeout(60)
final class FastPathNetnsTest {
    private static final int PORT = 7000;
    private static final int FROM = 7001;
    private static final int MESSAGES = 200;
    private static final int BYTES = 64;

    @TempDir
    private Path folder;

    private FlowNode node;
    private FastPathDevices devices;
    private Space one;
    private Space two;
    private JsonNode first;
    private JsonNode second;

    @BeforeEach
    void start() throws Exception {
        node = new FlowNode(folder);
        one = node.sandbox.add();
        two = node.sandbox.add();
        first = node.added("one", one, "");
        second = node.added("two", two, "");
        node.nft.script("table inet probe { chain forward { type filter hook forward priority 10; }; }");
        devices = node.fastPathDevices(0);
        look();
    }

    @AfterEach
    void stop() {
        devices.close();
        node.close();
    }

    private void look() throws Exception {
        node.onHost(() -> {
            devices.look();
            return true;
        });
    }

    private static String address(JsonNode result, String family) {
        for (JsonNode ip : result.path("ips")) {
            String address = ip.path("address").asText();
            if (address.contains(":") == family.equals("IPv6")) {
                return address.substring(0, address.indexOf('/'));
            }
        }
        throw new AssertionError("no " + family + " in " + result);
    }

    /** UDP both ways between two spaces, from one port to another. */
    private record Talk(DatagramSocket client, DatagramSocket server) implements AutoCloseable {
        static Talk between(Space from, String source, Space to, String destination) throws Exception {
            DatagramSocket server =
                    NetnsThread.call(to.netns(), () -> new DatagramSocket(new InetSocketAddress(destination, PORT)));
            DatagramSocket client =
                    NetnsThread.call(from.netns(), () -> new DatagramSocket(new InetSocketAddress(source, FROM)));
            client.connect(InetAddress.getByName(destination), PORT);
            server.setSoTimeout(5000);
            client.setSoTimeout(5000);
            return new Talk(client, server);
        }

        void send(String text) throws IOException {
            byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
            client.send(new DatagramPacket(bytes, bytes.length));
        }

        DatagramPacket receive() throws IOException {
            DatagramPacket packet = new DatagramPacket(new byte[2000], 2000);
            server.receive(packet);
            return packet;
        }

        /** What the server receives next, which it sends back. */
        String echo() throws IOException {
            DatagramPacket packet = receive();
            server.send(packet);
            DatagramPacket answer = new DatagramPacket(new byte[2000], 2000);
            client.receive(answer);
            assertThat(text(answer)).isEqualTo(text(packet));
            return text(packet);
        }

        static String text(DatagramPacket packet) {
            return new String(packet.getData(), 0, packet.getLength(), StandardCharsets.US_ASCII);
        }

        /** Until conntrack takes it for a stream, which is after two seconds, and packets of both directions take the short cut. */
        void warm(LongSupplier packets) throws IOException {
            long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
            long before;
            do {
                assertThat(System.nanoTime()).as("no short cut").isLessThan(deadline);
                before = packets.getAsLong();
                exchange(5);
            } while (packets.getAsLong() - before < 10);
        }

        void exchange(int count) throws IOException {
            for (int i = 0; i < count; i++) {
                send("message " + i);
                assertThat(echo()).isEqualTo("message " + i);
            }
        }

        @Override
        public void close() {
            client.close();
            server.close();
        }
    }

    private Talk talk(String family) throws Exception {
        return Talk.between(one, address(first, family), two, address(second, family));
    }

    @ParameterizedTest
    @ValueSource(strings = {"IPv4", "IPv6"})
    void packetsOfUdpFlowsTakeTheShortCutBothWays(String family) throws Exception {
        try (Talk talk = talk(family)) {
            talk.warm(devices::packets);
            long before = devices.packets();
            talk.exchange(MESSAGES);
            // Once a second one goes the long way, in each direction.
            assertThat(devices.packets() - before).isBetween(2L * MESSAGES * 9 / 10, 2L * MESSAGES);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"IPv4", "IPv6"})
    void packetsOfTcpConnectionsTakeTheShortCutAndTheirEndsDoNot(String family) throws Exception {
        AtomicReference<Socket> accepted = new AtomicReference<>();
        try (ServerSocket server = NetnsThread.call(two.netns(), () -> new ServerSocket(PORT))) {
            Thread serving = Thread.ofVirtual().start(() -> accepted.set(accept(server)));
            long before = devices.packets();
            try (Socket client = NetnsThread.call(one.netns(), () -> new Socket(address(second, family), PORT))) {
                serving.join();
                client.setTcpNoDelay(true);
                byte[] message = new byte[BYTES];
                for (int i = 0; i < MESSAGES; i++) {
                    client.getOutputStream().write(message);
                    assertThat(accepted.get().getInputStream().readNBytes(BYTES))
                            .hasSize(BYTES);
                    accepted.get().getOutputStream().write(message);
                    assertThat(client.getInputStream().readNBytes(BYTES)).hasSize(BYTES);
                }
                assertThat(devices.packets() - before).isGreaterThan(2L * MESSAGES * 9 / 10);
                assertThat(conntrack()).contains("ESTABLISHED");
            }
            accepted.get().close();
            assertThat(conntrack()).as("both FINs were seen").contains("TIME_WAIT");
        }
    }

    private static Socket accept(ServerSocket server) {
        try {
            Socket socket = server.accept();
            socket.setTcpNoDelay(true);
            return socket;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private String conntrack() {
        return node.host.run("sh", "-c", "grep 'dport=" + PORT + " ' /proc/net/nf_conntrack");
    }

    /** The packet that is sent right after the transaction meets the new rule, whatever was let pass before. */
    @ParameterizedTest
    @ValueSource(strings = {"IPv4", "IPv6"})
    void aNewRuleHoldsForTheNextPacket(String family) throws Exception {
        try (Talk talk = talk(family)) {
            talk.warm(devices::packets);
            for (int i = 0; i < 20; i++) {
                talk.exchange(5);
                node.nft.script("add rule inet probe forward udp dport " + PORT + " drop");
                talk.send("forbidden");
                node.nft.script("flush chain inet probe forward");
                talk.send("allowed " + i);
                assertThat(talk.echo()).isEqualTo("allowed " + i);
            }
            long before = devices.packets();
            talk.exchange(50);
            assertThat(devices.packets()).as("and then it is on again").isGreaterThan(before + 50);
        }
    }

    @Test
    void whileRulesChangeNothingTakesTheShortCut() throws Exception {
        try (Talk talk = talk("IPv4")) {
            talk.warm(devices::packets);
            node.fastPath.begin();
            node.fastPath.begin();
            node.fastPath.end();
            long before = devices.packets();
            talk.exchange(10);
            assertThat(devices.packets()).isEqualTo(before);
            node.fastPath.end();
            talk.exchange(10);
            assertThat(devices.packets()).isGreaterThan(before);
        }
    }

    @Test
    void nobodyWhoSaysItIsAnotherTakesItsShortCut() throws Exception {
        Space liar = node.sandbox.add();
        node.added("liar", liar, "");
        look();
        String source = address(first, "IPv4");
        try (Talk talk = talk("IPv4")) {
            talk.warm(devices::packets);
            liar.ip("addr", "add", source + "/32", "dev", "eth0");
            try (DatagramSocket forger =
                    NetnsThread.call(liar.netns(), () -> new DatagramSocket(new InetSocketAddress(source, FROM)))) {
                forger.connect(InetAddress.getByName(address(second, "IPv4")), PORT);
                byte[] bytes = "forged".getBytes(StandardCharsets.US_ASCII);
                forger.send(new DatagramPacket(bytes, bytes.length));
            }
            talk.send("true");
            assertThat(talk.echo()).isEqualTo("true");
        }
    }

    /** The kernel takes the tag out of the frame, and would put it in again where that leaves. */
    @Test
    void aFrameOfAVlanIsDroppedThoughItsFlowHasAShortCut() throws Exception {
        try (Talk talk = talk("IPv4")) {
            talk.warm(devices::packets);
            one.run(
                    "python3",
                    "-c",
                    """
                    import socket, struct, sys
                    to, mac, source, destination = sys.argv[1:5]
                    text = b"tagged"
                    udp = struct.pack("!HHHH", %d, %d, 8 + len(text), 0) + text
                    ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                                               socket.inet_aton(source), socket.inet_aton(destination)))
                    total = sum(struct.unpack("!10H", ip))
                    total = (total >> 16) + (total & 0xFFFF)
                    ip[10:12] = struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)
                    frame = bytes.fromhex(to.replace(":", "") + mac.replace(":", "")) + struct.pack("!HHH", 0x8100, 5, 0x0800)
                    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
                    s.bind(("eth0", 0))
                    s.send(frame + bytes(ip) + udp)
                    """.formatted(FROM, PORT),
                    PodNames.BRIDGE_MAC.toString(),
                    one.ipJson("link", "show", "eth0").path(0).path("address").asText(),
                    address(first, "IPv4"),
                    address(second, "IPv4"));
            talk.exchange(5);
            assertThat(node.host.run("nft", "list", "chain", "bridge", "podwire", "prerouting"))
                    .containsPattern("packets 1 bytes \\d+ drop comment \"vlan\"");
        }
    }

    /**
     * A translated flow and one that is not may look alike on the way out, where conntrack gives the second one another
     * port: the way of the first must not be taken for that of the second.
     */
    @Test
    void translatedFlowsGoTheLongWay() throws Exception {
        String service = "10.96.0.1";
        String client = address(first, "IPv4");
        String server = address(second, "IPv4");
        node.nft.script("table inet translated { chain prerouting { type nat hook prerouting priority -100; }; }");
        node.nft.script("add rule inet translated prerouting ip daddr " + service + " dnat ip to " + server);
        try (DatagramSocket serving = socket(two, server, PORT);
                DatagramSocket translated = socket(one, client, FROM);
                DatagramSocket direct = socket(one, client, FROM)) {
            translated.connect(InetAddress.getByName(service), PORT);
            direct.connect(InetAddress.getByName(server), PORT);
            Talk talk = new Talk(translated, serving);
            long before = devices.packets();
            long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
            do {
                assertThat(System.nanoTime()).as("no stream").isLessThan(deadline);
                talk.exchange(5);
            } while (!conntrack().contains("[ASSURED]"));
            talk.exchange(5);
            assertThat(devices.packets()).isEqualTo(before);
            byte[] bytes = "direct".getBytes(StandardCharsets.US_ASCII);
            direct.send(new DatagramPacket(bytes, bytes.length));
            DatagramPacket received = talk.receive();
            assertThat(Talk.text(received)).isEqualTo("direct");
            assertThat(received.getPort()).isNotEqualTo(FROM);
        }
    }

    private static DatagramSocket socket(Space space, String address, int port) throws Exception {
        return NetnsThread.call(space.netns(), () -> {
            DatagramSocket socket = new DatagramSocket(null);
            socket.setOption(StandardSocketOptions.SO_REUSEPORT, true);
            socket.bind(new InetSocketAddress(address, port));
            socket.setSoTimeout(5000);
            return socket;
        });
    }

    @Test
    void aMachineOnTheUnderlayAndAPodTakeItBothWays() throws Exception {
        String pod = address(first, "IPv4");
        node.elsewhere.ip("route", "add", pod, "via", FlowNode.NODE);
        try (Talk talk = Talk.between(node.elsewhere, FlowNode.ELSEWHERE, one, pod)) {
            talk.warm(devices::packets);
            long before = devices.packets();
            talk.exchange(MESSAGES);
            assertThat(devices.packets() - before).isGreaterThan(2L * MESSAGES * 9 / 10);
        }
    }

    @Test
    void whatIsTooLongForThePodsDeviceGoesTheLongWay() throws Exception {
        String pod = address(first, "IPv4");
        node.elsewhere.ip("route", "add", pod, "via", FlowNode.NODE);
        try (Talk talk = Talk.between(node.elsewhere, FlowNode.ELSEWHERE, one, pod)) {
            talk.warm(devices::packets);
            // 1472 bytes of UDP are 1500 of IP, and the pod has 1450: it comes in two fragments, or its sender is told.
            long before = devices.packets();
            talk.send("x".repeat(1472));
            assertThat(devices.packets()).isEqualTo(before);
        }
    }

    @Test
    void itEndsWithTheLeaseAndWithTheDetachment() throws Exception {
        try (Talk talk = talk("IPv4")) {
            talk.warm(devices::packets);
            node.fastPath.close();
            long before = devices.packets();
            talk.exchange(10);
            assertThat(devices.packets()).isEqualTo(before);
            node.fastPath.end();
            talk.exchange(10);
            assertThat(devices.packets()).isGreaterThan(before);
            devices.close();
            long last = devices.packets();
            talk.exchange(10);
            assertThat(devices.packets()).isEqualTo(last);
            assertThat(node.host.run("bpftool", "net", "show")).doesNotContain("podwire", "from_device");
        }
    }

    /** That devices are given the program, and lose it, is no reason to drop what passes meanwhile. */
    @Test
    void noPacketIsLostWhileDevicesAreGivenItAndLoseIt() throws Exception {
        String pod = address(first, "IPv4");
        node.elsewhere.ip("route", "add", pod, "via", FlowNode.NODE);
        AtomicReference<Throwable> failed = new AtomicReference<>();
        AtomicBoolean enough = new AtomicBoolean();
        try (Talk talk = Talk.between(node.elsewhere, FlowNode.ELSEWHERE, one, pod)) {
            talk.warm(devices::packets);
            Thread talking = Thread.ofPlatform().start(() -> {
                try {
                    while (!enough.get()) {
                        // A lost message has no answer within the sockets' time.
                        talk.exchange(10);
                    }
                } catch (IOException | RuntimeException | AssertionError e) {
                    failed.set(e);
                }
            });
            for (int i = 0; i < 50 && talking.isAlive(); i++) {
                devices.close();
                devices = node.fastPathDevices(0);
                look();
            }
            enough.set(true);
            talking.join();
            assertThat(failed.get()).isNull();
        }
    }

    /** Their filters would not see what takes the short cut. */
    @Test
    void aPodWhereAnotherProgramHasFiltersHasNone() throws Exception {
        try (Talk talk = talk("IPv4")) {
            talk.warm(devices::packets);
            node.host.run("tc", "qdisc", "add", "dev", veth("two"), "clsact");
            look();
            long before = devices.packets();
            talk.exchange(20);
            assertThat(devices.packets()).isEqualTo(before);
        }
    }

    @Test
    void aPodHasItOnceItPassesManyPackets() throws Exception {
        devices.close();
        devices = node.fastPathDevices(MESSAGES);
        look();
        try (Talk talk = talk("IPv4")) {
            long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
            do {
                assertThat(System.nanoTime()).as("no stream").isLessThan(deadline);
                talk.exchange(5);
                // At each look a few packets more.
                look();
            } while (!conntrack().contains("[ASSURED]"));
            long before = devices.packets();
            talk.exchange(20);
            assertThat(devices.packets()).as("few").isEqualTo(before);
            look();
            // Both ways.
            talk.exchange(MESSAGES / 2);
            look();
            talk.exchange(20);
            assertThat(devices.packets()).as("many").isGreaterThan(before);
        }
    }

    @Test
    void podsThatHaveNoneAreInNobodysWay() throws Exception {
        String[] names = {"q1", "q2", "q3", "q4"};
        Space[] spaces = new Space[names.length];
        String[] addresses = new String[names.length];
        for (int i = 0; i < names.length; i++) {
            spaces[i] = node.sandbox.add();
            addresses[i] = address(node.added(names[i], spaces[i], ""), "IPv4");
            node.host.run("tc", "qdisc", "add", "dev", veth(names[i]), "clsact");
        }
        devices.close();
        devices = node.fastPathDevices(1);
        look();
        for (int i = 0; i < names.length; i += 2) {
            try (Talk talk = Talk.between(spaces[i], addresses[i], spaces[i + 1], addresses[i + 1])) {
                talk.exchange(50);
            }
        }
        try (Talk talk = talk("IPv4")) {
            talk.exchange(5);
            look();
            talk.warm(devices::packets);
        }
    }

    private String veth(String container) {
        return node.node.attachments().all().stream()
                .filter(attachment -> attachment.key().containerId().equals(container))
                .findFirst()
                .orElseThrow()
                .hostIfname();
    }

    /** As the official bandwidth plugin does it, behind Podwire's in the chain. */
    @Test
    void aPodWhoseSpeedAnotherProgramLimitsHasNoneAnyMore() throws Exception {
        String veth = veth("two");
        try (Talk talk = talk("IPv4")) {
            talk.warm(devices::packets);
            node.host.run(
                    "tc", "qdisc", "add", "dev", veth, "root", "tbf", "rate", "1gbit", "burst", "1mb", "limit", "1mb");
            look();
            long before = devices.packets();
            talk.exchange(20);
            assertThat(devices.packets()).isEqualTo(before);
            node.host.run("tc", "qdisc", "delete", "dev", veth, "root");
            look();
            talk.exchange(20);
            assertThat(devices.packets()).isGreaterThan(before);
        }
    }

    @Test
    void aPodWhoseSpeedIsLimitedHasNone() throws Exception {
        Space slow = node.sandbox.add();
        JsonNode limited = node.added(
                "slow", slow, "\"runtimeConfig\":{\"bandwidth\":{\"ingressRate\":8000000,\"ingressBurst\":80000}}");
        look();
        try (Talk talk = Talk.between(one, address(first, "IPv4"), slow, address(limited, "IPv4"))) {
            long before = devices.packets();
            talk.exchange(20);
            assertThat(devices.packets()).isEqualTo(before);
        }
    }
}

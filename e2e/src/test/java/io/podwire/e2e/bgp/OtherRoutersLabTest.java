package io.podwire.e2e.bgp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.e2e.mesh.Daemon;
import io.podwire.e2e.mesh.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.assertj.core.api.ThrowingConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The reflector beside FRR, a client with a key, and GoBGP, of another AS: each in its own namespace. */
@Tag("lab")
final class OtherRoutersLabTest {
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final String FRR = "frr";
    private static final String GOBGP = "gobgp";

    private final List<AutoCloseable> open = new ArrayList<>();
    private BgpNet net;
    private Path frrFolder;

    @BeforeEach
    void start() throws IOException {
        net = new BgpNet("""
                peers:
                - {name: frr, address: 198.51.100.18, asn: 64512, client: true, passive: true, passwordFile: $KEY,
                   importRules: [203.0.113.0/24]}
                - {name: gobgp, address: 198.51.100.17, asn: 64517, passive: true, importRules: [192.0.2.0/24, "2001:db8:17::/48"],
                   exportRules: [0.0.0.0/0 le 32, "::/0 le 128"]}
                """);
        startFrr();
        startGobgp();
        net.awaitEstablished(FRR, GOBGP);
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable resource : open.reversed()) {
            resource.close();
        }
        net.close();
    }

    @Test
    void routesOfNodesAndOfEachOtherReachBoth() {
        var _ = net.node("node-1", 50, "10.244.1.0/26", "fd00:244:1::/122");
        gobgp("global", "rib", "add", "192.0.2.0/24", "nexthop", BgpNet.address(17), "-a", "ipv4");
        gobgp("global", "rib", "add", "2001:db8:17::/48", "nexthop", BgpNet.address6(17), "-a", "ipv6");

        eventually(
                () -> frr("show bgp ipv4 unicast 10.244.1.0/26"),
                text -> assertThat(text).contains("198.51.100.50", "localpref 100", "valid", "best"));
        eventually(
                () -> frr("show bgp ipv6 unicast fd00:244:1::/122"),
                text -> assertThat(text).contains("2001:db8:64::50"));
        eventually(
                () -> frr("show bgp ipv4 unicast 192.0.2.0/24"),
                text -> assertThat(text).contains("64517", "198.51.100.17", "valid"));
        eventually(
                () -> frr("show bgp ipv6 unicast 2001:db8:17::/48"),
                text -> assertThat(text).contains("2001:db8:64::17"));

        eventually(
                () -> gobgp("global", "rib", "-a", "ipv4"),
                text -> assertThat(text)
                        .containsPattern("10.244.1.0/26 +198.51.100.50 +64512 ")
                        .containsPattern("203.0.113.0/24 +198.51.100.18 +64512 "));
        eventually(
                () -> gobgp("global", "rib", "-a", "ipv6"),
                text -> assertThat(text).containsPattern("fd00:244:1::/122 +2001:db8:64::50 +64512 "));

        // Both ask for all of it again, and have it again.
        var _ = frr("clear bgp ipv4 unicast 198.51.100.1 soft in");
        gobgp("neighbor", BgpNet.ADDRESS, "softresetin");
        eventually(
                () -> gobgp("global", "rib", "-a", "ipv4"),
                text -> assertThat(text).contains("10.244.1.0/26"));
        eventually(
                () -> frr("show bgp ipv4 unicast 10.244.1.0/26"),
                text -> assertThat(text).contains("best"));

        gobgp("global", "rib", "del", "192.0.2.0/24", "-a", "ipv4");
        eventually(
                () -> frr("show bgp ipv4 unicast 192.0.2.0/24"),
                text -> assertThat(text).contains("Network not in table"));
        assertThat(net.peer(FRR).getSessions()).isEqualTo(1);
        assertThat(net.peer(GOBGP).getSessions()).isEqualTo(1);
        assertThat(net.peer(GOBGP).getMalformed() + net.peer(FRR).getMalformed())
                .isZero();
    }

    private void startFrr() throws IOException {
        net.namespace(FRR, 18);
        frrFolder = Files.createDirectories(net.folder().resolve("frr"));
        Files.writeString(frrFolder.resolve("zebra.conf"), "hostname frr\n");
        Files.writeString(frrFolder.resolve("bgpd.conf"), """
                hostname frr
                router bgp 64512
                 bgp router-id 198.51.100.18
                 no bgp default ipv4-unicast
                 no bgp network import-check
                 neighbor 198.51.100.1 remote-as 64512
                 neighbor 198.51.100.1 port 1790
                 neighbor 198.51.100.1 password correct-horse
                 neighbor 198.51.100.1 timers connect 1
                 address-family ipv4 unicast
                  neighbor 198.51.100.1 activate
                  network 203.0.113.0/24
                 exit-address-family
                 address-family ipv6 unicast
                  neighbor 198.51.100.1 activate
                 exit-address-family
                """);
        var _ = Shell.output("chown", "-R", "frr:frr", frrFolder.toString());
        frrDaemon("zebra");
        await("zebra's socket").atMost(SOON).until(() -> Files.exists(frrFolder.resolve("zserv.api")));
        frrDaemon("bgpd", "-p", "0");
    }

    private void frrDaemon(String program, String... further) {
        List<String> command = new ArrayList<>(List.of(
                "/usr/lib/frr/" + program,
                "-u",
                "frr",
                "-g",
                "frr",
                "-f",
                frrFolder.resolve(program + ".conf").toString(),
                "-i",
                frrFolder.resolve(program + ".pid").toString(),
                "-z",
                frrFolder.resolve("zserv.api").toString(),
                "--vty_socket",
                frrFolder.toString(),
                "-A",
                "127.0.0.1",
                "-P",
                "0",
                "--log",
                "stdout"));
        command.addAll(List.of(further));
        daemon(FRR, program, command);
    }

    private void startGobgp() throws IOException {
        net.namespace(GOBGP, 17);
        Path config = net.folder().resolve("gobgpd.toml");
        Files.writeString(config, """
                [global.config]
                  as = 64517
                  router-id = "198.51.100.17"
                  port = -1
                [[neighbors]]
                  [neighbors.config]
                    neighbor-address = "198.51.100.1"
                    peer-as = 64512
                  [neighbors.transport.config]
                    remote-port = 1790
                  [neighbors.timers.config]
                    connect-retry = 1
                  [[neighbors.afi-safis]]
                    [neighbors.afi-safis.config]
                      afi-safi-name = "ipv4-unicast"
                  [[neighbors.afi-safis]]
                    [neighbors.afi-safis.config]
                      afi-safi-name = "ipv6-unicast"
                """);
        daemon(
                GOBGP,
                "gobgpd",
                List.of("gobgpd", "-f", config.toString(), "--api-hosts", "127.0.0.1:50051", "--pprof-disable"));
    }

    private void daemon(String namespace, String name, List<String> command) {
        Daemon daemon = new Daemon(
                name,
                net.folder().resolve(name + ".log"),
                List.of("nsenter", "--net=/run/netns/" + namespace, "--"),
                command);
        daemon.start(List.of());
        open.add(daemon);
    }

    private String frr(String command) {
        return Shell.attempt("vtysh", "--vty_socket", frrFolder.toString(), "-c", command)
                .stdout();
    }

    private static String gobgp(String... words) {
        List<String> command = new ArrayList<>(List.of("ip", "netns", "exec", GOBGP, "gobgp"));
        command.addAll(List.of(words));
        return Shell.output(command.toArray(String[]::new));
    }

    private static void eventually(Supplier<String> asked, ThrowingConsumer<String> holds) {
        await().atMost(SOON).untilAsserted(() -> holds.accept(asked.get()));
    }
}

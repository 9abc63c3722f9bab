package io.podwire.node.nft.backend;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.ffm.TestNetns;
import io.podwire.node.nft.diff.Rewrite;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Action;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Field;
import io.podwire.node.nft.model.Hook;
import io.podwire.node.nft.model.NftSet;
import io.podwire.node.nft.model.Rule;
import io.podwire.node.nft.model.Ruleset;
import io.podwire.node.nft.model.Table;
import io.podwire.node.nft.model.TableFamily;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.nft.model.Verdict;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.SocketTimeoutException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Real packets while real tables are written anew: none is lost, though every one is dropped that no map leads to a
 * chain. With {@link Transaction#replaceAll} in place of {@link Rewrite} some are.
 */
@Tag("netns")
@Timeout(60)
class RewriteUnderTrafficNetnsTest {
    private static final int REWRITES = 400;
    private static final TableId ID = new TableId(TableFamily.INET, "podwire-test-traffic");

    @Test
    void noPacketIsLost() throws Exception {
        IpAddress here = IpAddress.parse("127.0.0.1");
        Chain ok = new Chain.Regular("ok", List.of(Rule.of(new Verdict.Return())));
        Chain judge = new Chain.Regular(
                "judge", List.of(Rule.of(new Action.Lookup(Field.FLOW_SOURCE, "m")), Rule.drop("unknown")));
        Chain input = new Chain.Base("input", Hook.INPUT, 0, List.of(Rule.of(new Verdict.Jump("judge"))));
        NftSet map = new NftSet.VerdictMap("m", IpFamily.V4, new TreeMap<>(Map.of(here, new Verdict.Goto("ok"))));
        Ruleset wanted = Ruleset.of(new Table(
                ID, new TreeMap<>(Map.of("m", map)), new TreeMap<>(Map.of("ok", ok, "judge", judge, "input", input))));
        try (TestNetns netns = new TestNetns();
                KernelNft nft = netns.call(KernelNft::open)) {
            var _ = netns.sh("ip link set lo up");
            nft.apply(Transaction.replaceAll(wanted));
            try (DatagramSocket socket =
                    netns.call(() -> new DatagramSocket(0, InetAddress.getByAddress(here.bytes())))) {
                AtomicBoolean done = new AtomicBoolean();
                CompletableFuture<Tally> traffic = CompletableFuture.supplyAsync(() -> talk(socket, done));
                for (int i = 0; i < REWRITES; i++) {
                    nft.apply(Rewrite.of(Map.of(ID, nft.list(ID).orElseThrow()), wanted));
                }
                done.set(true);
                Tally tally = traffic.join();
                assertThat(tally.sent()).as("packets meanwhile").isGreaterThan(REWRITES);
                assertThat(tally.lost()).as("lost of %s", tally.sent()).isZero();
            }
        }
    }

    private record Tally(int sent, int lost) {}

    /** Sends to itself what it then receives: loopback delivers within send(2). */
    private static Tally talk(DatagramSocket socket, AtomicBoolean done) {
        int sent = 0;
        int lost = 0;
        try {
            socket.setSoTimeout(200);
            DatagramPacket packet = new DatagramPacket(new byte[8], 8, socket.getLocalSocketAddress());
            DatagramPacket into = new DatagramPacket(new byte[8], 8);
            while (!done.get()) {
                socket.send(packet);
                sent++;
                try {
                    socket.receive(into);
                } catch (SocketTimeoutException _) {
                    lost++;
                }
            }
            return new Tally(sent, lost);
        } catch (IOException e) {
            throw new AssertionError("after " + sent + " packets", e);
        }
    }
}

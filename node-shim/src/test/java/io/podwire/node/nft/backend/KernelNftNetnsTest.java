package io.podwire.node.nft.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import io.podwire.node.ffm.TestNetns;
import io.podwire.node.nft.diff.ListedTable;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Command;
import io.podwire.node.nft.model.Ruleset;
import io.podwire.node.nft.model.Table;
import io.podwire.node.nft.model.TableFamily;
import io.podwire.node.nft.model.TableId;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The kernel keeps the contract. */
@Tag("netns")
class KernelNftNetnsTest extends NftBackendContract {
    @Override
    NftBackend open() throws Exception {
        try (TestNetns netns = new TestNetns()) {
            return netns.call(KernelNft::open);
        }
    }

    @Override
    void close(NftBackend backend) {
        ((KernelNft) backend).close();
    }

    @Override
    int rounds() {
        return 25;
    }

    @Test
    void belongsToTheNamespaceItWasOpenedIn() throws Exception {
        TableId mine = new TableId(TableFamily.INET, "podwire-test-netns");
        try (TestNetns here = new TestNetns();
                TestNetns there = new TestNetns();
                KernelNft nft = here.call(KernelNft::open)) {
            there.call(() -> {
                nft.apply(new Transaction(List.of(new Command.AddTable(mine))));
                return null;
            });
            assertThat(here.sh("nft list tables")).as("where it was opened").contains(mine.toString());
            assertThat(there.sh("nft list tables")).as("where it was used from").isEmpty();
        }
    }

    /** Only those of the dump of rules were silent, the eighth to eleventh: {@code strace nft -j list table}. */
    @ParameterizedTest
    @ValueSource(ints = {6, 7, 8, 9, 10, 11, 12})
    void rulesThatCannotBeReadAreNotListedAsNone(int failing) throws Exception {
        assumeThat(Files.isExecutable(Path.of("/usr/bin/strace")))
                .as("strace is not installed, so no system call can be made to fail")
                .isTrue();
        TableId id = new TableId(TableFamily.INET, "podwire-test-unread");
        try (TestNetns netns = new TestNetns();
                KernelNft nft = netns.call(KernelNft::open)) {
            var _ = netns.sh("nft add table " + id + " && nft add chain " + id + " a && nft add rule " + id
                    + " a accept comment '\"first\"'");
            ListedTable all = nft.list(id).orElseThrow();
            assertThat(all.digests()).containsEntry("a", "first +0");
            // Counted by thread: one that has called nothing yet.
            CompletableFuture<Optional<ListedTable>> listed = new CompletableFuture<>();
            Thread lists = Thread.ofPlatform().unstarted(() -> {
                try {
                    listed.complete(nft.list(id));
                } catch (NftException | RuntimeException e) {
                    listed.completeExceptionally(e);
                }
            });
            var _ = netns.sh("nft add table " + id + "-changed");
            Process strace = new ProcessBuilder(
                            "strace",
                            "-f",
                            "-o",
                            "/dev/null",
                            "-p",
                            Long.toString(ProcessHandle.current().pid()),
                            "-e",
                            "trace=recvmsg",
                            "-e",
                            "inject=recvmsg:error=ENOBUFS:when=" + failing)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            try {
                await().failFast("strace ended", () -> !strace.isAlive())
                        .until(() -> !Files.readString(Path.of("/proc/thread-self/status"))
                                .contains("TracerPid:\t0\n"));
                lists.start();
                assertThat(listed.handle((table, failure) -> failure instanceof NftException
                                        ? "refused"
                                        : table.orElseThrow().digests().toString())
                                .get(20, TimeUnit.SECONDS))
                        .as("with the %d. recvmsg failing", failing)
                        .isIn("refused", all.digests().toString());
            } finally {
                strace.destroy();
                strace.waitFor();
            }
        }
    }

    @Test
    void tableThatWasPutToSleepIsNotListedAndReplaced() throws Exception {
        TableId id = new TableId(TableFamily.INET, "podwire-test-asleep");
        Ruleset wanted = Ruleset.of(new Table(id, new TreeMap<>(), new TreeMap<>()));
        try (TestNetns netns = new TestNetns();
                KernelNft nft = netns.call(KernelNft::open)) {
            var _ = netns.sh("nft add table " + id + " '{ flags dormant; }'");
            assertThatThrownBy(() -> nft.list(id))
                    .isInstanceOf(NftException.class)
                    .hasMessageContaining("flags 1");
            nft.apply(Transaction.replaceAll(wanted));
            assertThat(nft.list(id)).as("awake").isPresent();
        }
    }

    @Test
    void flagsOfOthersTablesDoNotMatter() throws Exception {
        TableId id = new TableId(TableFamily.INET, "podwire-test-mine");
        try (TestNetns netns = new TestNetns();
                KernelNft nft = netns.call(KernelNft::open)) {
            var _ = netns.sh("nft add table inet theirs '{ flags dormant; }'");
            assertThat(nft.list(id)).as("before it is made").isEmpty();
            nft.apply(new Transaction(List.of(new Command.AddTable(id))));
            assertThat(nft.list(id)).as("beside theirs").isPresent();
        }
    }

    @Test
    void refusesToRunOnceClosed() throws Exception {
        try (TestNetns netns = new TestNetns()) {
            KernelNft nft = netns.call(KernelNft::open);
            nft.close();
            nft.close();
            assertThatThrownBy(() -> nft.list(new TableId(TableFamily.INET, "t")))
                    .as("the context is freed")
                    .isInstanceOf(NftException.class);
        }
    }
}

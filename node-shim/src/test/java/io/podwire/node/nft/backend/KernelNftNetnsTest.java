package io.podwire.node.nft.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.node.ffm.TestNetns;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Command;
import io.podwire.node.nft.model.Ruleset;
import io.podwire.node.nft.model.Table;
import io.podwire.node.nft.model.TableFamily;
import io.podwire.node.nft.model.TableId;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

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

package io.podwire.node.dataplane;

import io.podwire.node.nft.backend.ModelNft;
import io.podwire.node.nft.backend.NftBackend;
import io.podwire.node.nft.backend.NftException;
import io.podwire.node.nft.diff.ListedTable;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Command;
import io.podwire.node.nft.model.TableId;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Semaphore;

/** {@link ModelNft} that keeps what it was given, and waits at a gate while a test has shut it. */
final class WatchedNft implements NftBackend {
    private final ModelNft model = new ModelNft();
    private final List<Transaction> asked = new CopyOnWriteArrayList<>();
    private final Semaphore gate = new Semaphore(1);

    @Override
    public void apply(Transaction transaction) throws NftException {
        asked.add(transaction);
        gate.acquireUninterruptibly();
        try {
            model.apply(transaction);
        } finally {
            gate.release();
        }
    }

    @Override
    public Optional<ListedTable> list(TableId table) {
        return model.list(table);
    }

    /** Somebody else changes the tables. */
    void foreign(Command... commands) throws NftException {
        model.apply(new Transaction(List.of(commands)));
    }

    List<Transaction> asked() {
        return List.copyOf(asked);
    }

    void failNext(int count) {
        model.failNext(count);
    }

    void shut() {
        gate.acquireUninterruptibly();
    }

    void open() {
        gate.release();
    }
}

package io.podwire.node.nft.backend;

import io.podwire.node.nft.diff.ListedTable;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.TableId;
import java.util.Optional;

/** Where rulesets live: one network namespace. Safe for use by several threads. */
public interface NftBackend {
    /**
     * Does all of it at one instant, or none.
     *
     * @throws NftException when any command does not fit what is there, and nothing was changed then; or when nobody knows;
     *     {@link Transaction#replaceAll} is the way out
     */
    void apply(Transaction transaction) throws NftException;

    /**
     * What a table holds.
     *
     * @return empty when there is no such table
     * @throws NftException when it cannot be read
     */
    Optional<ListedTable> list(TableId table) throws NftException;
}

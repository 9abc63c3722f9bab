package io.podwire.node.nft.backend;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.podwire.node.ffm.LibNftables;
import io.podwire.node.netlink.AnswerLostException;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netlink.NftBatch;
import io.podwire.node.netlink.NftTables;
import io.podwire.node.netlink.nft.NftMessage;
import io.podwire.node.netlink.nft.SetElements;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.nft.diff.ListedTable;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.TableId;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The kernel's nf_tables, by libnftables in this process; what changes members of sets alone goes to the
 * kernel directly. One context, used under one lock. It belongs to the network namespace of the thread that called
 * {@link #open}, whichever thread uses it later.
 *
 * <p>A context that has failed is thrown away: libnftables leaves answers unread in its socket then, takes them for
 * those of its next request, and may end the process over them ("nf_tables kernel ABI is broken").
 */
public final class KernelNft implements NftBackend, AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int SHOWN = 2000;

    private final ReentrantLock lock = new ReentrantLock();
    private final Netns netns;
    private final NftBatch batch;
    private final NftTables tables;
    private final RuleChanges heard;
    private final MemberChanges members = new MemberChanges();
    /** Empty after a failure, until the next use, and after close. */
    private Optional<LibNftables> library;

    private boolean closed;

    private KernelNft(Netns netns, LibNftables library, NftBatch batch, NftTables tables, RuleChanges heard) {
        this.netns = netns;
        this.library = Optional.of(library);
        this.batch = batch;
        this.tables = tables;
        this.heard = heard;
    }

    /** Opens it in the network namespace of the calling thread. */
    public static KernelNft open() {
        return open(RuleChanges.UNHEARD);
    }

    /**
     * Opens it in the network namespace of the calling thread.
     *
     * @param heard who is told of each transaction, before it and after it
     */
    public static KernelNft open(RuleChanges heard) {
        return new KernelNft(Netns.current(), LibNftables.open(), NftBatch.open(), NftTables.open(), heard);
    }

    @Override
    public void apply(Transaction transaction) throws NftException {
        if (transaction.isEmpty()) {
            return;
        }
        heard.begin();
        lock.lock();
        try {
            if (!changedMembers(transaction)) {
                run(transaction.text(), 0);
                members.applied(transaction);
            }
        } finally {
            lock.unlock();
            heard.end();
        }
    }

    /**
     * Runs commands of nft(8) as one transaction.
     *
     * @throws NftException when they are refused; nothing was done then
     */
    public void script(String commands) throws NftException {
        heard.begin();
        try {
            run(commands, 0);
        } finally {
            heard.end();
        }
    }

    /**
     * Changes members of sets and maps, and rules, at one instant, or none.
     *
     * @throws NftException when they are refused, or nobody knows
     */
    public void change(List<? extends NftMessage> messages) throws NftException {
        heard.begin();
        lock.lock();
        try {
            if (closed) {
                throw new NftException("nftables is closed; nothing was changed");
            }
            if (!batch.apply(messages)) {
                throw new NftException("a change of nf_tables is larger than a message, nothing was changed");
            }
        } catch (NetlinkException e) {
            throw new NftException("changing nf_tables: " + e.getMessage(), e);
        } finally {
            lock.unlock();
            heard.end();
        }
    }

    private boolean changedMembers(Transaction transaction) throws NftException {
        Optional<List<SetElements>> messages = closed ? Optional.empty() : members.messages(transaction);
        try {
            return messages.isPresent() && batch.apply(messages.get());
        } catch (AnswerLostException e) {
            throw new NftException(
                    "nobody knows whether nf_tables did it: " + e.getMessage() + ": " + start(transaction.text()), e);
        } catch (NetlinkException e) {
            throw new NftException(
                    "nf_tables refused, nothing was changed: " + e.getMessage() + ": " + start(transaction.text()), e);
        }
    }

    @Override
    public Optional<ListedTable> list(TableId table) throws NftException {
        // Asked first, because a missing table is told from a failure by English text only.
        OptionalInt flags = flags(table);
        if (flags.isEmpty()) {
            return Optional.empty();
        }
        if (flags.getAsInt() != 0) {
            throw new NftException("another program has set flags " + flags.getAsInt() + " of table " + table
                    + ": with flags it cannot be listed");
        }
        ListedTable listed = listing(table);
        return Optional.of(listed.hasNoRules() ? listedAnew(table) : listed);
    }

    private ListedTable listing(TableId table) throws NftException {
        return ListingReader.read(table, json("list table " + table));
    }

    /**
     * libnftables 1.0.6 takes rules that it could not read (ENOBUFS, ENOMEM) for none, says that all went well, and lists
     * the same until something changes. A context that has read nothing yet tells.
     */
    private ListedTable listedAnew(TableId table) throws NftException {
        lock.lock();
        try {
            dropLibrary();
            return listing(table);
        } finally {
            lock.unlock();
        }
    }

    private OptionalInt flags(TableId table) throws NftException {
        lock.lock();
        try {
            if (closed) {
                throw new NftException("nftables is closed; not listed: table " + table);
            }
            return tables.flags(MemberChanges.family(table), table.name());
        } catch (NetlinkException e) {
            throw new NftException("cannot ask for table " + table + ": " + e.getMessage(), e);
        } finally {
            lock.unlock();
        }
    }

    /** Frees the context; what is in the kernel stays. */
    @Override
    public void close() {
        lock.lock();
        try {
            if (!closed) {
                closed = true;
                dropLibrary();
                netns.close();
                batch.close();
                tables.close();
            }
        } finally {
            lock.unlock();
        }
    }

    private JsonNode json(String command) throws NftException {
        String text = run(command, LibNftables.OUTPUT_JSON);
        try {
            return JSON.readTree(text).path("nftables");
        } catch (JsonProcessingException e) {
            throw new NftException("'" + command + "' gave no JSON: " + start(text), e);
        }
    }

    private String run(String commands, int flags) throws NftException {
        lock.lock();
        try {
            if (closed) {
                throw new NftException("nftables is closed; not run: " + start(commands));
            }
            LibNftables.Result result = library().run(commands, flags);
            if (result.code() != 0) {
                dropLibrary();
                throw new NftException("nftables refused, nothing was changed: " + start(result.error()));
            }
            return result.output();
        } finally {
            lock.unlock();
        }
    }

    private LibNftables library() throws NftException {
        if (library.isEmpty()) {
            try {
                library = Optional.of(NetnsThread.call(netns, LibNftables::open));
            } catch (Exception e) {
                throw new NftException("libnftables gives no context: " + e.getMessage(), e);
            }
        }
        return library.get();
    }

    private void dropLibrary() {
        library.ifPresent(LibNftables::close);
        library = Optional.empty();
    }

    private static String start(String text) {
        return text.length() <= SHOWN ? text.strip() : text.substring(0, SHOWN) + "...";
    }
}

package io.podwire.node.upstream;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.address.AddressBook;
import io.podwire.node.address.BlockUse;
import io.podwire.node.address.NamespacePools;
import io.podwire.node.journal.Journal;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The node's blocks: what ipam-service says of them is brought to the address book and the journal, in an order in
 * which a kill at any moment leaves a block owned and used, or on its way back, and never given addresses of while
 * it is released. ipam-service's loop owns all state; what is marked for any thread may be read by others.
 *
 * <p>A block goes back so: the book gives no address of it, the journal says that it is on its way, the others are
 * told that it is not this node's, ipam-service takes it, the journal forgets it.
 */
final class OwnBlocks {
    /**
     * So long a release whose answer was lost may still be done by ipam-service, which tries for less: a block that is
     * the node's again meanwhile is not used before, and a life that begins meanwhile releases it once more.
     */
    static final Duration WITHHELD_FOR = Duration.ofMinutes(1);

    private static final Logger log = LoggerFactory.getLogger(OwnBlocks.class);
    private static final String DRAINING_FACT = "draining-blocks";
    private static final String NAMESPACES_FACT = "namespace-pools";

    private final NodeIdentity self;
    private final Journal journal;
    private final AddressBook<?> book;
    private final Set<String> general;
    private final int lowWater;

    /** Blocks that went back, by several releases; the journal has them until then. */
    private final Map<IpPrefix, Duration> withheldUntil = new HashMap<>();
    /** Of the blocks on their way back those that a release was sent for, as far as is known, without an answer. */
    private final Set<IpPrefix> unanswered = new HashSet<>();

    private final AtomicLong returned = new AtomicLong();

    private Map<IpPrefix, Duration> unusedSince = Map.of();
    private Set<IpPrefix> doubted = Set.of();
    private volatile NamespacePools namespaces;
    private volatile Set<IpPrefix> draining;
    private volatile Set<IpPrefix> returning;
    private volatile Optional<String> fence = Optional.empty();

    /**
     * The blocks as the journal has them, which are in the book already.
     *
     * @param general pools that are kept above low water whatever their namespace selector says
     */
    OwnBlocks(NodeIdentity self, Journal journal, AddressBook<?> book, Set<String> general, int lowWater) {
        this.self = self;
        this.journal = journal;
        this.book = book;
        this.general = Set.copyOf(general);
        this.lowWater = lowWater;
        this.namespaces =
                journal.fact(NAMESPACES_FACT).map(NamespacePools::parse).orElse(NamespacePools.NONE);
        book.serve(namespaces);
        this.returning = Set.copyOf(journal.returning());
        this.unanswered.addAll(returning);
        this.draining = journal.fact(DRAINING_FACT).stream()
                .flatMap(text -> Arrays.stream(text.split(" ")))
                .filter(text -> !text.isEmpty())
                .map(IpPrefix::parse)
                .collect(Collectors.toUnmodifiableSet());
        close();
    }

    /** Blocks of pools that drain. For any thread. */
    Set<IpPrefix> draining() {
        return draining;
    }

    /** Blocks on their way back. For any thread. */
    Set<IpPrefix> returning() {
        return returning;
    }

    /** How many blocks this life gave back. For any thread. */
    long returned() {
        return returned.get();
    }

    /** Why no address of any block is given, one sentence; empty when they are. For any thread. */
    Optional<String> fence() {
        return fence;
    }

    /** Which pools are for some namespaces. For any thread. */
    NamespacePools namespaces() {
        return namespaces;
    }

    /** Takes what ipam-service says of pools with a namespace selector, also for the next life. */
    void namespaces(NamespacePools now) {
        if (!now.equals(namespaces)) {
            log.info("pools with a namespace selector: {}", now.pools());
            journal.putFact(NAMESPACES_FACT, now.text());
            namespaces = now;
            book.serve(now);
        }
    }

    /**
     * How many addresses of a family any pod could have now, those of a pool that has a namespace selector included. For
     * any thread.
     *
     * @param pool empty: none
     */
    int free(IpFamily family, String pool, Duration now) {
        int any = book.free(family, now);
        return namespaces.restricts(pool) ? any + book.free(family, pool, now) : any;
    }

    /**
     * True when a block of a family is to be claimed. For any thread.
     *
     * @param pool the one to claim from, or empty
     */
    boolean low(IpFamily family, String pool, Duration now) {
        return fence.isEmpty() && free(family, pool, now) < lowWater;
    }

    /**
     * No address of any block is given any more, until node-shim starts again: a newer life of this node is known, or what
     * this one had was taken back, and neither can become unknown. Owners keep theirs.
     *
     * @param why what ipam-service said
     */
    void fence(String why) {
        if (fence.isPresent()) {
            return;
        }
        String sentence = "ipam-service serves this life of the node (" + self.name() + ", uid " + self.uid()
                + ", start " + self.counter() + ") no more: " + why
                + "; no address is given to a new pod, running pods keep theirs. A node that was taken for gone: delete"
                + " its pods, then start node-shim again. A newer life of this node, as after a copy or a roll-back of"
                + " its disk: stop the other machine or this one; a copy needs an empty --state-dir, the original a"
                + " start of node-shim";
        // Whoever sees the fence gets no address any more.
        book.close(Set.copyOf(book.blocks()));
        fence = Optional.of(sentence);
        log.error(sentence);
    }

    /**
     * Takes what ipam-service lists.
     *
     * @param all blocks of this node's name
     * @return true when the node has other blocks than before, or gives addresses of others
     */
    boolean listed(Collection<ListedBlock> all, Duration now) {
        List<BlockUse> before = uses(now);
        Optional<NodeIdentity> later = BlockKeeper.laterLife(all, self);
        if (later.isPresent()) {
            fence("it lists start " + later.get().counter() + " in boot "
                    + later.get().bootId());
        }
        if (fence.isPresent()) {
            // That this life is over needs no second list that agrees: what is not listed may be another node's by now.
            BlockKeeper.missing(Set.copyOf(book.blocks()), all, self, Set.copyOf(book.blocks()))
                    .forget()
                    .forEach(this::forget);
            return changed(before, now);
        }
        BlockKeeper.Missing missing = BlockKeeper.missing(Set.copyOf(book.blocks()), all, self, doubted);
        missing.forget().forEach(this::forget);
        if (!missing.doubt().isEmpty() && !missing.doubt().equals(doubted)) {
            log.error(
                    "ipam-service does not list {}, more than half of this node's blocks: no address of them is given"
                            + " to a new pod; they are given up when the next list agrees",
                    missing.doubt());
        }
        doubted = missing.doubt();
        List<ListedBlock> own = all.stream()
                .filter(block -> block.owner().uid().equals(self.uid()))
                .filter(block -> !withheld(block.cidr(), now))
                .toList();
        drain(own.stream().filter(ListedBlock::drains).map(ListedBlock::cidr).collect(Collectors.toSet()));
        own.forEach(this::add);
        return changed(before, now);
    }

    /**
     * Takes a block that ipam-service has given to this node.
     *
     * @return false when it is not used yet: a release of it may still be under way
     */
    boolean claimed(ListedBlock block, Duration now) {
        if (withheld(block.cidr(), now)) {
            return false;
        }
        if (doubted.contains(block.cidr())) {
            // It is this node's, whatever the list before said.
            Set<IpPrefix> rest = new HashSet<>(doubted);
            rest.remove(block.cidr());
            doubted = Set.copyOf(rest);
            close();
        }
        Set<IpPrefix> drained = new HashSet<>(draining);
        if (block.drains() ? drained.add(block.cidr()) : drained.remove(block.cidr())) {
            drain(drained);
        }
        add(block);
        return true;
    }

    /**
     * Sends on their way the blocks that the node need not have: from here on no address of them is given.
     *
     * @return true when there are such, so the others are to be told
     */
    boolean beginReturns(Duration now) {
        List<BlockUse> uses = uses(now);
        unusedSince = BlockKeeper.unusedSince(unusedSince, uses, now);
        if (fence.isPresent()) {
            return false;
        }
        Set<IpPrefix> more = new TreeSet<>(returning);
        for (IpPrefix block : BlockKeeper.toReturn(uses, draining, apart(uses), unusedSince, lowWater, now)) {
            if (book.removeIfUnused(block, now)) {
                log.info("block {} is unused and goes back to ipam-service", block);
                var _ = journal.beginReturn(block);
                more.add(block);
            }
        }
        boolean any = more.size() > returning.size();
        returning = Set.copyOf(more);
        if (any) {
            drain(draining.stream().filter(block -> !more.contains(block)).collect(Collectors.toSet()));
        }
        return any;
    }

    private Set<IpPrefix> apart(List<BlockUse> uses) {
        return uses.stream()
                .filter(use -> namespaces.restricts(use.pool()) && !general.contains(use.pool()))
                .map(BlockUse::block)
                .collect(Collectors.toSet());
    }

    /**
     * Gives back what is on its way, once the others are told. What cannot be noted on the disk waits.
     *
     * @param release tells ipam-service; its exception ends this call, and the block stays on its way
     */
    void finishReturns(Duration now, Consumer<IpPrefix> release) {
        if (fence.isPresent()) {
            return;
        }
        for (IpPrefix block : new TreeSet<>(returning)) {
            if (!journal.beginReturn(block)) {
                return;
            }
            // Until an answer came, there is none.
            boolean before = !unanswered.add(block);
            release.accept(block);
            unanswered.remove(block);
            if (before) {
                withheldUntil.put(block, now.plus(WITHHELD_FOR));
            } else {
                journal.endReturn(block);
            }
            Set<IpPrefix> rest = new HashSet<>(returning);
            rest.remove(block);
            returning = Set.copyOf(rest);
            returned.incrementAndGet();
            log.info("block {} is ipam-service's again", block);
        }
    }

    /** True while a release of a block may be under way: it is not used, whatever ipam-service says. */
    boolean withheld(IpPrefix block, Duration now) {
        withheldUntil.entrySet().removeIf(entry -> {
            boolean over = entry.getValue().compareTo(now) <= 0;
            if (over) {
                journal.endReturn(entry.getKey());
            }
            return over;
        });
        return returning.contains(block) || withheldUntil.containsKey(block);
    }

    private void forget(IpPrefix block) {
        log.error(
                "block {} is in the journal, but ipam-service does not name this node as its owner: no"
                        + " address of it is given to a new pod; pods that have one keep it",
                block);
        journal.removeBlock(block);
        book.removeBlock(block);
    }

    private void add(ListedBlock block) {
        if (!block.pool().equals(journal.blocks().get(block.cidr()))) {
            journal.putBlock(block.cidr(), block.pool());
        }
        block.coolDown()
                .ifPresentOrElse(
                        coolDown -> book.addBlock(block.cidr(), block.pool(), coolDown),
                        () -> book.addBlock(block.cidr(), block.pool()));
    }

    private void drain(Set<IpPrefix> now) {
        if (!now.equals(draining)) {
            log.info("blocks of pools that drain: {}", new TreeSet<>(now));
            journal.putFact(
                    DRAINING_FACT,
                    new TreeSet<>(now).stream().map(IpPrefix::toString).collect(Collectors.joining(" ")));
        }
        draining = Set.copyOf(now);
        close();
    }

    private void close() {
        Set<IpPrefix> none = new HashSet<>(draining);
        none.addAll(doubted);
        if (fence.isPresent()) {
            none.addAll(book.blocks());
        }
        book.close(none);
    }

    private boolean changed(List<BlockUse> before, Duration now) {
        return !gives(before).equals(gives(uses(now)));
    }

    private static Map<IpPrefix, Boolean> gives(List<BlockUse> uses) {
        return uses.stream().collect(Collectors.toMap(BlockUse::block, BlockUse::gives));
    }

    private List<BlockUse> uses(Duration now) {
        return book.usage(now);
    }
}

package io.podwire.ipam.binding;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.Block;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * Answers who has which address, from what nodes reported and from pools and blocks. Pure. No index is kept up to
 * date for questions that few ask: a page merges the reports of all nodes, each in order, as far as it goes.
 */
public final class AddressList {
    /**
     * Of a block, and of a reserved range, only so many addresses are listed as free or reserved: a node hands out no
     * others of a block.
     */
    public static final int MOST_OF_A_RANGE = 1 << 12;

    private final List<NodeReport> reports;
    private final Places places;
    private final AddressQuery query;
    private final Optional<AddressEntry.Place> after;
    private final int most;

    private AddressList(
            List<NodeReport> reports, Places places, AddressQuery query, Optional<AddressEntry.Place> after, int most) {
        this.reports = reports;
        this.places = places;
        this.query = query;
        this.after = after;
        this.most = most;
    }

    /**
     * The first entries, in the order of their places.
     *
     * @param reports one per node
     * @param after only entries behind this place
     * @param most how many at the most, 1 or more
     */
    public static List<AddressEntry> first(
            List<NodeReport> reports, Places places, AddressQuery query, Optional<AddressEntry.Place> after, int most) {
        return new AddressList(reports, places, query, after, most).answer();
    }

    private List<AddressEntry> answer() {
        List<AddressEntry> found = new ArrayList<>();
        addReported(found);
        if (!query.ofPods()) {
            addUnreported(found);
        }
        found.sort(AddressEntry.BY_PLACE);
        return List.copyOf(found.subList(0, Math.min(most, found.size())));
    }

    /** A merge of what each node reported, which is in order already: it ends when the page is full. */
    private void addReported(List<AddressEntry> found) {
        PriorityQueue<Cursor> next = new PriorityQueue<>();
        for (NodeReport report : reports) {
            // Which single addresses are of a node was decided as that report was made.
            if (query.fits(report.node()) || report.epoch().sameOwner(AddressRules.SERVICE)) {
                add(next, new Cursor(report, start().map(report::indexFrom).orElse(0)));
            }
        }
        while (!next.isEmpty() && found.size() < most) {
            Cursor cursor = next.remove();
            Binding binding = cursor.binding();
            if (query.fits(binding) && ofPool(binding.address())) {
                AddressEntry entry = AddressEntry.reported(cursor.report(), binding);
                if (isBehind(entry)) {
                    found.add(entry);
                }
            }
            add(next, new Cursor(cursor.report(), cursor.index() + 1));
        }
    }

    private void add(PriorityQueue<Cursor> next, Cursor cursor) {
        if (cursor.index() < cursor.report().bindings().size()
                && !isPast(cursor.binding().address())) {
            next.add(cursor);
        }
    }

    /** Before it no address fits. */
    private Optional<IpAddress> start() {
        return query.exact()
                .or(() -> query.prefix().map(IpPrefix::address))
                .filter(address ->
                        after.isEmpty() || address.compareTo(after.get().address()) > 0)
                .or(() -> after.map(AddressEntry.Place::address));
    }

    /** A place in a node's report. */
    private record Cursor(NodeReport report, int index) implements Comparable<Cursor> {
        private Binding binding() {
            return report.bindings().get(index);
        }

        @Override
        public int compareTo(Cursor other) {
            int byAddress = binding().address().compareTo(other.binding().address());
            return byAddress != 0 ? byAddress : report.node().compareTo(other.report.node());
        }
    }

    private boolean isPast(IpAddress address) {
        return query.exact().filter(exact -> address.compareTo(exact) > 0).isPresent()
                || query.prefix()
                        .filter(prefix -> address.compareTo(prefix.last()) > 0)
                        .isPresent();
    }

    private boolean ofPool(IpAddress address) {
        return query.pool().isEmpty()
                || places.pool(address)
                        .filter(pool -> pool.name().equals(query.pool()))
                        .isPresent();
    }

    private boolean isBehind(AddressEntry entry) {
        return after.isEmpty() || entry.place().compareTo(after.get()) > 0;
    }

    /** What no node reported: free and reserved addresses, where they are asked for. */
    private void addUnreported(List<AddressEntry> found) {
        boolean free = query.states().contains(AddressState.FREE)
                || (query.states().contains(AddressState.UNKNOWN)
                        && query.exact().isPresent());
        boolean reserved =
                query.states().contains(AddressState.RESERVED) && query.node().isEmpty();
        if (!free && !reserved) {
            return;
        }
        Set<IpAddress> reported = reported();
        if (query.exact().isPresent()) {
            if (!reported.contains(query.exact().get())) {
                addExact(query.exact().get(), found);
            }
            return;
        }
        if (free) {
            addFree(reported, found);
        }
        if (reserved) {
            int left = most;
            for (Places.Reserved range : places.reserved()) {
                if (left > 0 && isOf(range.pool().name()) && query.touches(range.range())) {
                    left -= addRange(range.range(), AddressState.RESERVED, Optional.empty(), reported, left, found);
                }
            }
        }
    }

    /** Every address that any node reported, of those that matter. */
    private Set<IpAddress> reported() {
        Set<IpAddress> reported = new HashSet<>();
        for (NodeReport report : reports) {
            if (query.exact().isPresent()) {
                report.binding(query.exact().get()).ifPresent(binding -> reported.add(binding.address()));
            } else {
                report.bindings().forEach(binding -> reported.add(binding.address()));
            }
        }
        return reported;
    }

    private void addFree(Set<IpAddress> reported, List<AddressEntry> found) {
        Map<String, NodeReport> byNode = new HashMap<>();
        reports.forEach(report -> byNode.put(report.node().value(), report));
        int left = most;
        for (Block block : places.blocks()) {
            NodeReport report = byNode.get(block.owner().node().value());
            // What its owner has not reported may be in use.
            if (left > 0
                    && report != null
                    && report.epoch().sameOwner(block.owner())
                    && query.fits(report.node())
                    && isOf(block.pool())
                    && query.touches(block.cidr())) {
                left -= addRange(block.cidr(), AddressState.FREE, Optional.of(report), reported, left, found);
            }
        }
    }

    private boolean isOf(String pool) {
        return query.pool().isEmpty() || query.pool().equals(pool);
    }

    /** Adds at most {@code left} addresses of a range that nobody reported; gives their number. */
    private int addRange(
            IpPrefix range,
            AddressState state,
            Optional<NodeReport> owner,
            Set<IpAddress> reported,
            int left,
            List<AddressEntry> found) {
        int added = 0;
        int size = range.size().min(BigInteger.valueOf(MOST_OF_A_RANGE)).intValueExact();
        if (after.isPresent() && range.last().compareTo(after.get().address()) < 0) {
            return 0;
        }
        for (int i = 0; i < size && added < left; i++) {
            IpAddress address = range.address().plus(i);
            AddressEntry entry = AddressEntry.unreported(address, state, owner.map(NodeReport::node), owner);
            if (query.fits(address) && !reported.contains(address) && isBehind(entry)) {
                found.add(entry);
                added++;
            }
        }
        return added;
    }

    private void addExact(IpAddress address, List<AddressEntry> found) {
        AddressEntry entry;
        Optional<Block> block = places.block(address);
        if (places.pool(address).isEmpty()) {
            return;
        }
        if (places.pool(address).get().reserved().stream().anyMatch(range -> range.contains(address))) {
            entry = AddressEntry.unreported(address, AddressState.RESERVED, Optional.empty(), Optional.empty());
        } else if (block.isEmpty()) {
            entry = AddressEntry.unreported(address, AddressState.FREE, Optional.empty(), Optional.empty());
        } else {
            Optional<NodeReport> owner = reports.stream()
                    .filter(report -> report.epoch().sameOwner(block.get().owner()))
                    .findFirst();
            entry = AddressEntry.unreported(
                    address,
                    owner.isPresent() ? AddressState.FREE : AddressState.UNKNOWN,
                    Optional.of(block.get().owner().node()),
                    owner);
        }
        if (query.states().contains(entry.state())
                && query.fits(address)
                && ofPool(address)
                && (query.node().isEmpty() || query.node().equals(entry.node()))
                && isBehind(entry)) {
            found.add(entry);
        }
    }
}

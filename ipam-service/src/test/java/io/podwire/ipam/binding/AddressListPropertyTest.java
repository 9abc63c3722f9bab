package io.podwire.ipam.binding;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.ipam.binding.Binding.Holder;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Pages of any size, one after the other, are the whole list of the slow obvious version. */
class AddressListPropertyTest {
    private static final Pool POOL = new Pool("default", IpPrefix.parse("10.1.0.0/27"), 29)
            .with(List.of(new PoolEdit.Reserved(List.of(
                    IpPrefix.parse("10.1.0.24/30"), IpPrefix.parse("10.1.0.26/32"), IpPrefix.parse("10.1.0.29/32")))));

    @Test
    void pagesAreTheWholeList() {
        Seeds.forEach(AddressListPropertyTest.class, 400, AddressListPropertyTest::check);
    }

    private static void check(RandomGenerator random) {
        List<NodeReport> reports = new ArrayList<>();
        List<Block> blocks = new ArrayList<>();
        for (int node = 0; node < 3; node++) {
            NodeEpoch epoch = new NodeEpoch(new NodeName("n" + node), "uid", "boot", 1);
            if (random.nextInt(4) > 0) {
                blocks.add(new Block("default", IpPrefix.parse("10.1.0." + node * 8 + "/29"), epoch, "r" + node));
            }
            if (random.nextInt(4) > 0) {
                reports.add(NodeReport.full(
                        random.nextInt(6) == 0 ? new NodeEpoch(epoch.node(), "other", "boot", 1) : epoch,
                        bindings(random),
                        Duration.ZERO));
            }
        }
        Ledger ledger = Ledger.of(List.of(POOL), blocks, List.of());
        AddressQuery query = query(random);
        List<AddressEntry> expected = slow(reports, ledger, query);

        List<AddressEntry> paged = new ArrayList<>();
        Optional<AddressEntry.Place> after = Optional.empty();
        int size = random.nextInt(1, 9);
        List<AddressEntry> page;
        do {
            page = AddressList.first(reports, new Places(ledger), query, after, size);
            assertThat(page.size()).as("size of a page").isLessThanOrEqualTo(size);
            paged.addAll(page);
            after = paged.isEmpty()
                    ? Optional.empty()
                    : Optional.of(paged.getLast().place());
        } while (page.size() == size);
        assertThat(paged).as("%s", query).containsExactlyElementsOf(expected);
    }

    /** Every address there is, one after the other. */
    private static List<AddressEntry> slow(List<NodeReport> reports, Ledger ledger, AddressQuery query) {
        List<AddressEntry> all = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            IpAddress address = IpAddress.parse("10.1.0.0").plus(i);
            List<AddressEntry> here = new ArrayList<>();
            for (NodeReport report : reports) {
                report.bindings().stream()
                        .filter(binding -> binding.address().equals(address))
                        .forEach(binding -> here.add(AddressEntry.reported(report, binding)));
            }
            if (here.isEmpty() && POOL.cidr().contains(address)) {
                unreported(address, reports, ledger, query).ifPresent(here::add);
            }
            here.stream().filter(entry -> fits(entry, query)).forEach(all::add);
        }
        all.sort(Comparator.comparing(AddressEntry::place));
        return all;
    }

    private static Optional<AddressEntry> unreported(
            IpAddress address, List<NodeReport> reports, Ledger ledger, AddressQuery query) {
        if (POOL.reserved().stream().anyMatch(range -> range.contains(address))) {
            return Optional.of(
                    AddressEntry.unreported(address, AddressState.RESERVED, Optional.empty(), Optional.empty()));
        }
        Optional<NodeEpoch> owner = ledger.blocks().stream()
                .filter(block -> block.cidr().contains(address))
                .map(Block::owner)
                .findFirst();
        Optional<NodeReport> report = owner.flatMap(
                epoch -> reports.stream().filter(r -> r.epoch().equals(epoch)).findFirst());
        boolean known = owner.isEmpty() || report.isPresent();
        // Only a question for this very address is answered where no owner can be asked.
        return query.exact().isPresent() || report.isPresent()
                ? Optional.of(AddressEntry.unreported(
                        address, known ? AddressState.FREE : AddressState.UNKNOWN, owner.map(NodeEpoch::node), report))
                : Optional.empty();
    }

    private static boolean fits(AddressEntry entry, AddressQuery query) {
        Holder holder = entry.binding().map(Binding::holder).orElse(Holder.NOBODY);
        return query.states().contains(entry.state())
                && (query.pool().isEmpty()
                        || (query.pool().equals("default") && POOL.cidr().contains(entry.address())))
                && (query.node().isEmpty() || query.node().equals(entry.node()))
                && (query.namespace().isEmpty() || query.namespace().equals(holder.namespace()))
                && (query.pod().isEmpty() || query.pod().equals(holder.pod()))
                && (query.prefix().isEmpty() || query.prefix().get().contains(entry.address()))
                && (query.exact().isEmpty() || query.exact().get().equals(entry.address()));
    }

    private static AddressQuery query(RandomGenerator random) {
        Set<AddressState> states = EnumSet.noneOf(AddressState.class);
        do {
            for (AddressState state : AddressState.values()) {
                if (random.nextBoolean()) {
                    states.add(state);
                }
            }
        } while (states.isEmpty());
        boolean pods = random.nextInt(4) == 0;
        return new AddressQuery(
                states,
                random.nextInt(4) == 0 ? (random.nextBoolean() ? "default" : "nowhere") : "",
                random.nextInt(3) == 0 ? Optional.of(new NodeName("n" + random.nextInt(4))) : Optional.empty(),
                pods ? "ns" + random.nextInt(2) : "",
                pods && random.nextBoolean() ? "p" + random.nextInt(2) : "",
                random.nextInt(3) == 0
                        ? Optional.of(IpPrefix.containing(address(random), 26 + random.nextInt(7)))
                        : Optional.empty(),
                random.nextInt(3) == 0 ? Optional.of(address(random)) : Optional.empty());
    }

    private static IpAddress address(RandomGenerator random) {
        return IpAddress.parse("10.1.0.0").plus(random.nextInt(40));
    }

    private static List<Binding> bindings(RandomGenerator random) {
        List<Binding> bindings = new ArrayList<>();
        for (int i = random.nextInt(12); i > 0; i--) {
            IpAddress address = address(random);
            bindings.add(
                    random.nextInt(3) == 0
                            ? new Binding(address, Binding.State.COOLING, Holder.NOBODY, Instant.EPOCH)
                            : new Binding(
                                    address,
                                    Binding.State.IN_USE,
                                    new Holder(
                                            "c" + i,
                                            "eth0",
                                            "ns" + random.nextInt(2),
                                            "p" + random.nextInt(2),
                                            "u",
                                            "podwire"),
                                    Instant.EPOCH));
        }
        return bindings;
    }
}

package io.podwire.ipam.binding;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import java.util.Comparator;
import java.util.Optional;

/**
 * One address, as one node or nobody has it.
 *
 * @param address the address
 * @param state what it is
 * @param node who reported it, or else owns its block
 * @param report the node's report; none where nobody reported
 * @param binding what the node reported of it
 */
public record AddressEntry(
        IpAddress address,
        AddressState state,
        Optional<NodeName> node,
        Optional<NodeReport> report,
        Optional<Binding> binding) {

    /** By address, then node; nobody first. */
    static final Comparator<AddressEntry> BY_PLACE = Comparator.comparing(AddressEntry::address)
            .thenComparing(entry -> entry.node().map(NodeName::value).orElse(""));

    /**
     * Where an entry stands among all.
     *
     * @param address first by it
     * @param node then by it; empty for nobody
     */
    public record Place(IpAddress address, String node) implements Comparable<Place> {
        private static final Comparator<Place> ORDER =
                Comparator.comparing(Place::address).thenComparing(Place::node);

        @Override
        public int compareTo(Place other) {
            return ORDER.compare(this, other);
        }
    }

    /** What a node reported. */
    static AddressEntry reported(NodeReport report, Binding binding) {
        return new AddressEntry(
                binding.address(),
                AddressState.of(binding.state()),
                Optional.of(report.node()),
                Optional.of(report),
                Optional.of(binding));
    }

    /** What nobody reported. */
    static AddressEntry unreported(
            IpAddress address, AddressState state, Optional<NodeName> node, Optional<NodeReport> report) {
        return new AddressEntry(address, state, node, report, Optional.empty());
    }

    /** Where it stands among all. */
    public Place place() {
        return new Place(address, node.map(NodeName::value).orElse(""));
    }

    /** True when its node reported it and owns no block around it. */
    public boolean outsideOwnBlock(Places places) {
        return binding.isPresent()
                && report.isPresent()
                && places.block(address)
                        .filter(block -> block.owner().sameOwner(report.get().epoch()))
                        .isEmpty();
    }

    /** The prefix of its block, where it lies in one. */
    public Optional<IpPrefix> block(Places places) {
        return places.block(address).map(block -> block.cidr());
    }
}

package io.podwire.common.net;

import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The addresses of one pod's interface: one or two, at most one of each family.
 *
 * @param list IPv4 first, whatever order they were given in
 */
public record PodAddresses(List<IpAddress> list) {
    /** Sorts, and checks that there is one, and no family twice. */
    public PodAddresses {
        list = list.stream().sorted().toList();
        if (list.isEmpty() || list.stream().map(IpAddress::family).distinct().count() < list.size()) {
            throw new IllegalArgumentException("a pod's interface has one address, or one of each family, got " + list);
        }
    }

    /** These addresses. */
    public static PodAddresses of(IpAddress... addresses) {
        return new PodAddresses(List.of(addresses));
    }

    /**
     * Reads the text of each.
     *
     * @throws IllegalArgumentException when one is no address, there is none, or two are of one family
     */
    public static PodAddresses parse(List<String> texts) {
        return new PodAddresses(texts.stream().map(IpAddress::parse).toList());
    }

    /** The one of a family. */
    public Optional<IpAddress> of(IpFamily family) {
        return list.stream().filter(address -> address.family() == family).findFirst();
    }

    /** The IPv4 address where there is one, else the IPv6 address. */
    public IpAddress first() {
        return list.getFirst();
    }

    /** Families that it has an address of. */
    public Set<IpFamily> families() {
        return list.stream()
                .map(IpAddress::family)
                .collect(Collectors.toCollection(() -> EnumSet.noneOf(IpFamily.class)));
    }

    /** The addresses, IPv4 first. */
    public Stream<IpAddress> stream() {
        return list.stream();
    }

    /** Both, separated by a comma. */
    @Override
    public String toString() {
        return list.stream().map(IpAddress::toString).collect(Collectors.joining(", "));
    }
}

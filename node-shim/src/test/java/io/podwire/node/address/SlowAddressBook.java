package io.podwire.node.address;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/** The address book as a list of facts, asked again for everything each time: the specification of the fast one. */
final class SlowAddressBook {
    private record Release(IpAddress address, Duration until) {}

    private final Duration coolDown;
    private final TreeSet<IpPrefix> blocks = new TreeSet<>();
    private final Map<String, IpAddress> held = new HashMap<>();
    /** Every release that was not taken again, oldest first, whether it still cools or not. */
    private final List<Release> releases = new ArrayList<>();

    SlowAddressBook(Duration coolDown) {
        this.coolDown = coolDown;
    }

    void addBlock(IpPrefix block) {
        blocks.add(block);
    }

    void removeBlock(IpPrefix block) {
        blocks.remove(block);
    }

    List<IpPrefix> blocks() {
        return List.copyOf(blocks);
    }

    Optional<IpAddress> take(String owner, Duration now) {
        if (held.containsKey(owner)) {
            return Optional.of(held.get(owner));
        }
        Optional<IpAddress> best = blocks.stream()
                .map(block -> free(block, now))
                .filter(free -> !free.isEmpty())
                .findFirst()
                .flatMap(free -> free.stream()
                        .min(Comparator.comparingInt(this::releaseOrder).thenComparing(Comparator.naturalOrder())));
        best.ifPresent(address -> hold(owner, address));
        return best;
    }

    /** False: refused. */
    boolean restore(String owner, IpAddress address) {
        boolean othersAddress = held.entrySet().stream()
                .anyMatch(e -> e.getValue().equals(address) && !e.getKey().equals(owner));
        boolean otherAddress = held.containsKey(owner) && !held.get(owner).equals(address);
        if (othersAddress || otherAddress) {
            return false;
        }
        hold(owner, address);
        return true;
    }

    void restoreCooling(IpAddress address, Duration now) {
        if (!held.containsValue(address) && !cooling(now).contains(address)) {
            releases.removeIf(r -> r.address().equals(address));
            releases.add(new Release(address, now.plus(coolDown)));
        }
    }

    Optional<IpAddress> release(String owner, Duration now) {
        Optional<IpAddress> address = Optional.ofNullable(held.remove(owner));
        address.ifPresent(a -> releases.add(new Release(a, now.plus(coolDown))));
        return address;
    }

    List<IpAddress> cooling(Duration now) {
        return releases.stream()
                .filter(r -> r.until().compareTo(now) > 0)
                .map(Release::address)
                .toList();
    }

    int free(Duration now) {
        return blocks.stream().mapToInt(block -> free(block, now).size()).sum();
    }

    Map<String, IpAddress> held() {
        return Map.copyOf(held);
    }

    private List<IpAddress> free(IpPrefix block, Duration now) {
        List<IpAddress> cooling = cooling(now);
        List<IpAddress> free = new ArrayList<>();
        for (int i = 0; i < block.size().intValueExact(); i++) {
            IpAddress address = block.address().plus(i);
            if (!held.containsValue(address) && !cooling.contains(address)) {
                free.add(address);
            }
        }
        return free;
    }

    /** Never released comes before every release. */
    private int releaseOrder(IpAddress address) {
        return releases.stream().map(Release::address).toList().indexOf(address);
    }

    private void hold(String owner, IpAddress address) {
        held.put(owner, address);
        releases.removeIf(r -> r.address().equals(address));
    }
}

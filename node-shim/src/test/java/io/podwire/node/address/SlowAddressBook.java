package io.podwire.node.address;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** The address book as a list of facts, asked again for everything each time: the specification of the fast one. */
final class SlowAddressBook {
    private record Release(IpAddress address, Duration since, Duration until) {
        Release atLeast(Duration coolDown) {
            Duration other = since.plus(coolDown);
            return other.compareTo(until) > 0 ? new Release(address, since, other) : this;
        }
    }

    private final Duration coolDown;
    private final TreeMap<IpPrefix, Duration> blocks = new TreeMap<>();
    private final Set<IpPrefix> closed = new HashSet<>();
    private final Map<String, Set<IpAddress>> held = new HashMap<>();
    /** Every release that was not taken again, oldest first, whether it still cools or not. */
    private final List<Release> releases = new ArrayList<>();
    /** The newest time told. */
    private Duration looked = Duration.ZERO;

    SlowAddressBook(Duration coolDown) {
        this.coolDown = coolDown;
    }

    void addBlock(IpPrefix block, Duration blockCoolDown) {
        blocks.put(block, blockCoolDown);
        releases.replaceAll(
                r -> block.contains(r.address()) && r.until().compareTo(looked) > 0 ? r.atLeast(blockCoolDown) : r);
    }

    Duration shortestCoolDown() {
        return blocks.values().stream().min(Comparator.naturalOrder()).orElse(coolDown);
    }

    private Release releaseOf(IpAddress address, Duration now) {
        Duration length = blocks.entrySet().stream()
                .filter(block -> block.getKey().contains(address))
                .findFirst()
                .map(Map.Entry::getValue)
                .orElse(coolDown);
        return new Release(address, now, now.plus(length));
    }

    void removeBlock(IpPrefix block) {
        blocks.remove(block);
    }

    void close(Set<IpPrefix> these) {
        closed.clear();
        closed.addAll(these);
    }

    boolean removeIfUnused(IpPrefix block, Duration now) {
        boolean unused = blocks.containsKey(block)
                && held().stream().noneMatch(block::contains)
                && cooling(now).stream().noneMatch(block::contains);
        if (unused) {
            blocks.remove(block);
            releases.removeIf(r -> block.contains(r.address()));
        }
        return unused;
    }

    /** Free, used and cooling addresses of each block, and whether it gives some. */
    List<BlockUse> usage(Duration now) {
        return blocks.keySet().stream()
                .map(block -> new BlockUse(
                        block,
                        "pool",
                        free(block, now).size(),
                        (int) held().stream().filter(block::contains).count(),
                        (int) cooling(now).stream().filter(block::contains).count(),
                        !closed.contains(block)))
                .toList();
    }

    Optional<IpAddress> renew(String owner, IpFamily family, Duration now) {
        Optional<IpAddress> has = heldOf(owner, family);
        if (has.isPresent()
                && blocks.keySet().stream().anyMatch(block -> block.contains(has.get()) && !closed.contains(block))) {
            return has;
        }
        Optional<IpAddress> other = best(family, now);
        if (other.isEmpty()) {
            return has;
        }
        has.ifPresent(old -> {
            held.get(owner).remove(old);
            releases.add(releaseOf(old, now));
        });
        hold(owner, other.get());
        return other;
    }

    List<IpPrefix> blocks() {
        return List.copyOf(blocks.keySet());
    }

    /** Nothing: one of the families has no free address. */
    Optional<List<IpAddress>> take(String owner, Set<IpFamily> families, Duration now) {
        List<IpAddress> all = new ArrayList<>();
        for (IpFamily family : families) {
            Optional<IpAddress> one = heldOf(owner, family).or(() -> best(family, now));
            if (one.isEmpty()) {
                return Optional.empty();
            }
            all.add(one.get());
        }
        all.forEach(address -> hold(owner, address));
        return Optional.of(all.stream().sorted().toList());
    }

    /** One that is named, and any of the other families; nothing: one of them cannot be had. */
    Optional<List<IpAddress>> takeThis(String owner, Set<IpFamily> families, IpAddress named, Duration now) {
        boolean holds = heldBy(owner).contains(named);
        boolean can = blocks.keySet().stream().anyMatch(block -> block.contains(named) && !closed.contains(block))
                && !isHeld(named)
                && !cooling(now).contains(named);
        List<IpAddress> all = new ArrayList<>(List.of(named));
        for (IpFamily family : families) {
            if (family != named.family()) {
                heldOf(owner, family).or(() -> best(family, now)).ifPresent(all::add);
            }
        }
        if (!(holds || can) || all.size() < families.size()) {
            return Optional.empty();
        }
        all.forEach(address -> hold(owner, address));
        return Optional.of(all.stream().sorted().toList());
    }

    /** Another address than this one, of its family. */
    boolean holdsAnother(String owner, IpAddress than) {
        return heldOf(owner, than.family()).filter(held -> !held.equals(than)).isPresent();
    }

    private Optional<IpAddress> best(IpFamily family, Duration now) {
        return blocks.keySet().stream()
                .filter(block -> block.family() == family && !closed.contains(block))
                .map(block -> free(block, now))
                .filter(free -> !free.isEmpty())
                .findFirst()
                .flatMap(free -> free.stream()
                        .min(Comparator.comparingInt(this::releaseOrder).thenComparing(Comparator.naturalOrder())));
    }

    private Optional<IpAddress> heldOf(String owner, IpFamily family) {
        return heldBy(owner).stream()
                .filter(address -> address.family() == family)
                .findFirst();
    }

    /** False: refused. */
    boolean restore(String owner, IpAddress address) {
        boolean othersAddress = held.entrySet().stream()
                .anyMatch(e -> e.getValue().contains(address) && !e.getKey().equals(owner));
        boolean otherAddress =
                heldOf(owner, address.family()).filter(a -> !a.equals(address)).isPresent();
        if (othersAddress || otherAddress) {
            return false;
        }
        hold(owner, address);
        return true;
    }

    void restoreCooling(IpAddress address, Duration now) {
        if (!isHeld(address) && !cooling(now).contains(address)) {
            releases.removeIf(r -> r.address().equals(address));
            releases.add(releaseOf(address, now));
        }
    }

    List<IpAddress> release(String owner, Duration now) {
        List<IpAddress> all = heldBy(owner);
        held.remove(owner);
        all.forEach(a -> releases.add(releaseOf(a, now)));
        return all;
    }

    List<IpAddress> cooling(Duration now) {
        looked = now;
        return releases.stream()
                .filter(r -> r.until().compareTo(now) > 0)
                .map(Release::address)
                .toList();
    }

    int free(IpFamily family, Duration now) {
        return blocks.keySet().stream()
                .filter(block -> block.family() == family && !closed.contains(block))
                .mapToInt(block -> free(block, now).size())
                .sum();
    }

    List<IpAddress> heldBy(String owner) {
        return held.getOrDefault(owner, Set.of()).stream().sorted().toList();
    }

    /** Every address that somebody holds, once for each holder. */
    List<IpAddress> held() {
        return held.values().stream().flatMap(Set::stream).toList();
    }

    private boolean isHeld(IpAddress address) {
        return held().contains(address);
    }

    private List<IpAddress> free(IpPrefix block, Duration now) {
        List<IpAddress> cooling = cooling(now);
        List<IpAddress> free = new ArrayList<>();
        for (int i = 0; i < block.size().intValueExact(); i++) {
            IpAddress address = block.address().plus(i);
            if (!isHeld(address) && !cooling.contains(address)) {
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
        held.computeIfAbsent(owner, _ -> new HashSet<>()).add(address);
        releases.removeIf(r -> r.address().equals(address));
    }
}

package io.podwire.node.address;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.PodAddresses;
import io.podwire.common.testing.Seeds;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Any sequence of calls gives what the slow book gives, and no address ever has two owners. */
final class AddressBookPropertyTest {
    private static final List<IpPrefix> BLOCKS =
            List.of("10.1.0.0/30", "10.1.0.8/29", "10.1.9.7/32", "fd00:1::/127", "fd00:1::8/125", "fd00:2::7/128")
                    .stream()
                    .map(IpPrefix::parse)
                    .toList();
    private static final List<Set<IpFamily>> WANTED = List.of(
            Set.of(IpFamily.V4),
            Set.of(IpFamily.V6),
            Set.of(IpFamily.V4, IpFamily.V6),
            Set.of(IpFamily.V4, IpFamily.V6));

    @Test
    void equalsTheSlowBookAfterAnySequence() {
        Seeds.forEach(AddressBookPropertyTest.class, 120, random -> {
            Duration coolDown = random.nextInt(4) == 0 ? Duration.ZERO : Duration.ofSeconds(1 + random.nextInt(60));
            AddressBook<String> book = new AddressBook<>(coolDown);
            SlowAddressBook slow = new SlowAddressBook(coolDown);
            Duration now = Duration.ofSeconds(random.nextInt(1000));
            for (int step = 0; step < 150; step++) {
                now = now.plusMillis(random.nextInt(3) == 0 ? random.nextInt(30_000) : 0);
                step(random, book, slow, now);
                assertThat(slow.held()).as("one owner each after step %d", step).doesNotHaveDuplicates();
                for (IpFamily family : IpFamily.values()) {
                    assertThat(book.free(family, now))
                            .as("free of %s after step %d", family, step)
                            .isEqualTo(slow.free(family, now));
                }
                assertThat(book.cooling(now))
                        .as("cooling, longest first, after step %d", step)
                        .isEqualTo(slow.cooling(now));
                assertThat(book.shortestCoolDown())
                        .as("shortest cool-down after step %d", step)
                        .isEqualTo(slow.shortestCoolDown());
                assertThat(book.blocks()).as("blocks after step %d", step).isEqualTo(slow.blocks());
                assertThat(book.usage(now)).as("usage after step %d", step).isEqualTo(slow.usage(now));
                assertThat(book.usage(now))
                        .as("free, used and cooling are the block's, after step %d", step)
                        .allSatisfy(use -> assertThat(use.free() + use.used() + use.cooling())
                                .isEqualTo(use.block().size().intValueExact()));
            }
        });
    }

    private static void step(RandomGenerator random, AddressBook<String> book, SlowAddressBook slow, Duration now) {
        String owner = "owner-" + random.nextInt(16);
        IpPrefix block = BLOCKS.get(random.nextInt(BLOCKS.size()));
        IpAddress address = block.address().plus(random.nextInt(block.size().intValueExact()));
        switch (random.nextInt(17)) {
            case 0 -> {
                Duration coolDown = Duration.ofSeconds(random.nextInt(3) * 20L);
                book.addBlock(block, "pool", coolDown);
                slow.addBlock(block, coolDown);
            }
            case 1 -> {
                if (random.nextInt(4) == 0) {
                    book.removeBlock(block);
                    slow.removeBlock(block);
                }
            }
            case 2 -> {
                if (slow.restore(owner, address)) {
                    book.restore(owner, address);
                } else {
                    assertThatIllegalStateException()
                            .as("%s for %s", address, owner)
                            .isThrownBy(() -> book.restore(owner, address));
                }
            }
            case 3 -> {
                book.restoreCooling(address, now);
                slow.restoreCooling(address, now);
            }
            case 4, 5, 6, 7 ->
                assertThat(book.release(owner, now)).as("released by %s", owner).isEqualTo(slow.release(owner, now));
            case 14 -> {
                Set<IpPrefix> closed =
                        BLOCKS.stream().filter(_ -> random.nextInt(4) == 0).collect(Collectors.toSet());
                book.close(closed);
                slow.close(closed);
            }
            case 15 ->
                assertThat(book.removeIfUnused(block, now))
                        .as("%s is unused", block)
                        .isEqualTo(slow.removeIfUnused(block, now));
            case 16 ->
                assertThat(book.renew(owner, block.family(), now))
                        .as("renewed for %s", owner)
                        .isEqualTo(slow.renew(owner, block.family(), now));
            case 12, 13 -> takeThis(random, book, slow, owner, address, now);
            default -> {
                Set<IpFamily> wanted = WANTED.get(random.nextInt(WANTED.size()));
                assertThat(book.take(owner, wanted, now).map(PodAddresses::list))
                        .as("%s taken by %s", wanted, owner)
                        .isEqualTo(slow.take(owner, wanted, now));
            }
        }
        assertThat(book.heldBy(owner)).as("held by %s", owner).isEqualTo(slow.heldBy(owner));
    }

    private static void takeThis(
            RandomGenerator random,
            AddressBook<String> book,
            SlowAddressBook slow,
            String owner,
            IpAddress address,
            Duration now) {
        Set<IpFamily> wanted = random.nextBoolean() ? Set.of(address.family()) : WANTED.getLast();
        if (slow.holdsAnother(owner, address)) {
            assertThatIllegalStateException()
                    .as("%s for %s", address, owner)
                    .isThrownBy(() -> book.takeThis(owner, wanted, List.of(address), "", now));
            return;
        }
        Optional<List<IpAddress>> taken = book.takeThis(owner, wanted, List.of(address), "", now)
                        instanceof Taking.Taken<String>(PodAddresses addresses)
                ? Optional.of(addresses.list())
                : Optional.empty();
        assertThat(taken).as("%s taken by %s", address, owner).isEqualTo(slow.takeThis(owner, wanted, address, now));
    }
}

package io.podwire.node.address;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.testing.Seeds;
import java.time.Duration;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Any sequence of calls gives what the slow book gives, and no address ever has two owners. */
final class AddressBookPropertyTest {
    private static final List<IpPrefix> BLOCKS =
            List.of(IpPrefix.parse("10.1.0.0/30"), IpPrefix.parse("10.1.0.8/29"), IpPrefix.parse("10.1.9.7/32"));

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
                assertThat(slow.held().values())
                        .as("one owner each after step %d", step)
                        .doesNotHaveDuplicates();
                assertThat(book.free(now)).as("free after step %d", step).isEqualTo(slow.free(now));
                assertThat(book.cooling(now))
                        .as("cooling, longest first, after step %d", step)
                        .isEqualTo(slow.cooling(now));
                assertThat(book.blocks()).as("blocks after step %d", step).isEqualTo(slow.blocks());
            }
        });
    }

    private static void step(RandomGenerator random, AddressBook<String> book, SlowAddressBook slow, Duration now) {
        String owner = "owner-" + random.nextInt(16);
        IpPrefix block = BLOCKS.get(random.nextInt(BLOCKS.size()));
        IpAddress address = block.address().plus(random.nextInt(block.size().intValueExact()));
        switch (random.nextInt(12)) {
            case 0 -> {
                book.addBlock(block);
                slow.addBlock(block);
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
            default ->
                assertThat(book.take(owner, now)).as("taken by %s", owner).isEqualTo(slow.take(owner, now));
        }
        assertThat(book.heldBy(owner).map(IpAddress::toString).orElse("none"))
                .as("held by %s", owner)
                .isEqualTo(
                        slow.held().containsKey(owner) ? slow.held().get(owner).toString() : "none");
    }
}

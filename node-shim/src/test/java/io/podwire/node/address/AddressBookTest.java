package io.podwire.node.address;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.PodAddresses;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class AddressBookTest {
    private static final Duration COOL = Duration.ofSeconds(60);
    private static final Duration T0 = Duration.ofSeconds(1000);

    private static final Set<IpFamily> V4 = Set.of(IpFamily.V4);
    private static final Set<IpFamily> BOTH = Set.of(IpFamily.V6, IpFamily.V4);

    private final AddressBook<String> book = new AddressBook<>(COOL);

    @Test
    void aReleasedAddressIsGivenToNobodyWhileItCools() {
        book.addBlock(IpPrefix.parse("10.0.0.1/32"));
        assertThat(book.take("a", V4, T0)).hasValue(PodAddresses.of(IpAddress.parse("10.0.0.1")));
        book.release("a", T0);

        assertThat(book.take("b", V4, T0.plus(COOL).minusNanos(1)))
                .as("a nanosecond before its end")
                .isEmpty();
        assertThat(book.take("b", V4, T0.plus(COOL)))
                .as("at its end")
                .hasValue(PodAddresses.of(IpAddress.parse("10.0.0.1")));
    }

    @Test
    void theLastOwnerGetsNoEarlierReturnThanOthers() {
        book.addBlock(IpPrefix.parse("10.0.0.1/32"));
        book.take("a", V4, T0);
        book.release("a", T0);

        assertThat(book.take("a", V4, T0)).as("late packets of its old life").isEmpty();
    }

    @Test
    void releasedLongestAgoIsTakenFirst() {
        book.addBlock(IpPrefix.parse("10.0.0.0/30"));
        for (int i = 0; i < 4; i++) {
            book.take("first-" + i, V4, T0);
        }
        for (int i : new int[] {2, 0, 3, 1}) {
            book.release("first-" + i, T0.plusSeconds(1));
        }

        Duration later = T0.plus(COOL).plusSeconds(10);
        assertThat(java.util.stream.IntStream.range(0, 4)
                        .mapToObj(i -> book.take("second-" + i, V4, later)
                                .orElseThrow()
                                .toString()))
                .containsExactly("10.0.0.2", "10.0.0.0", "10.0.0.3", "10.0.0.1");
    }

    @Test
    void anOwnerKeepsItsAddressWhenTheBlockGoes() {
        IpPrefix block = IpPrefix.parse("10.0.0.0/30");
        book.addBlock(block);
        PodAddresses held = book.take("a", V4, T0).orElseThrow();
        book.removeBlock(block);

        assertThat(book.take("a", V4, T0)).as("the same owner").hasValue(held);
        assertThat(book.take("b", V4, T0)).as("a new owner").isEmpty();
        assertThat(book.free(IpFamily.V4, T0)).as("free in no block").isZero();
        book.addBlock(block);
        assertThat(book.free(IpFamily.V4, T0)).as("the held one counts again").isEqualTo(3);
    }

    @Test
    void anOwnerTakesOneOfEachFamilyOrNone() {
        book.addBlock(IpPrefix.parse("10.0.0.0/30"));
        book.addBlock(IpPrefix.parse("fd00::/127"));
        assertThat(book.take("a", BOTH, T0)).hasValue(addresses("10.0.0.0", "fd00::"));
        assertThat(book.take("b", BOTH, T0)).hasValue(addresses("10.0.0.1", "fd00::1"));

        assertThat(book.take("c", BOTH, T0)).as("IPv6 is used up").isEmpty();
        assertThat(book.heldBy("c")).as("half of it is nothing").isEmpty();
        assertThat(book.free(IpFamily.V4, T0)).isEqualTo(2);
        assertThat(book.cooling(T0)).as("what nobody had does not cool down").isEmpty();

        assertThat(book.release("a", T0))
                .as("both, IPv4 first")
                .isEqualTo(addresses("10.0.0.0", "fd00::").list());
        assertThat(book.cooling(T0)).isEqualTo(addresses("10.0.0.0", "fd00::").list());
        assertThat(book.take("c", BOTH, T0)).as("both cool").isEmpty();
        assertThat(book.take("c", BOTH, T0.plus(COOL))).hasValue(addresses("10.0.0.2", "fd00::"));
    }

    @Test
    void anOwnerOfOneFamilyKeepsItWhenItWantsTheOther() {
        book.addBlock(IpPrefix.parse("10.0.0.0/30"));
        book.addBlock(IpPrefix.parse("fd00::/126"));
        book.restore("a", IpAddress.parse("10.0.0.3"));
        assertThat(book.take("a", BOTH, T0)).hasValue(addresses("10.0.0.3", "fd00::"));
        assertThat(book.take("a", V4, T0)).as("one that it has").hasValue(addresses("10.0.0.3"));
        assertThatIllegalStateException()
                .isThrownBy(() -> book.restore("a", IpAddress.parse("fd00::1")))
                .withMessageContaining("a holds fd00::");
    }

    @Test
    void ofAVastBlockEnoughIsUsed() {
        book.addBlock(IpPrefix.parse("fd00::/64"));
        assertThat(book.free(IpFamily.V6, T0)).isEqualTo(AddressBook.MOST_OF_A_BLOCK);
        IpAddress far = IpAddress.parse("fd00::ffff:ffff");
        book.restore("a", far);
        assertThat(book.release("a", T0)).as("one beyond is known all the same").containsExactly(far);
        assertThat(book.free(IpFamily.V6, T0.plus(COOL)))
                .as("and used again")
                .isEqualTo(AddressBook.MOST_OF_A_BLOCK + 1);
    }

    private static PodAddresses addresses(String... texts) {
        return PodAddresses.parse(java.util.List.of(texts));
    }

    @Test
    void negativeCoolDownIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AddressBook<String>(Duration.ofNanos(-1)))
                .withMessageContaining("0 or more");
    }
}

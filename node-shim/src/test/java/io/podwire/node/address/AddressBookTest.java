package io.podwire.node.address;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import java.time.Duration;
import org.junit.jupiter.api.Test;

final class AddressBookTest {
    private static final Duration COOL = Duration.ofSeconds(60);
    private static final Duration T0 = Duration.ofSeconds(1000);

    private final AddressBook<String> book = new AddressBook<>(COOL);

    @Test
    void aReleasedAddressIsGivenToNobodyWhileItCools() {
        book.addBlock(IpPrefix.parse("10.0.0.1/32"));
        assertThat(book.take("a", T0)).hasValue(IpAddress.parse("10.0.0.1"));
        book.release("a", T0);

        assertThat(book.take("b", T0.plus(COOL).minusNanos(1)))
                .as("a nanosecond before its end")
                .isEmpty();
        assertThat(book.take("b", T0.plus(COOL))).as("at its end").hasValue(IpAddress.parse("10.0.0.1"));
    }

    @Test
    void theLastOwnerGetsNoEarlierReturnThanOthers() {
        book.addBlock(IpPrefix.parse("10.0.0.1/32"));
        book.take("a", T0);
        book.release("a", T0);

        assertThat(book.take("a", T0)).as("late packets of its old life").isEmpty();
    }

    @Test
    void releasedLongestAgoIsTakenFirst() {
        book.addBlock(IpPrefix.parse("10.0.0.0/30"));
        for (int i = 0; i < 4; i++) {
            book.take("first-" + i, T0);
        }
        for (int i : new int[] {2, 0, 3, 1}) {
            book.release("first-" + i, T0.plusSeconds(1));
        }

        Duration later = T0.plus(COOL).plusSeconds(10);
        assertThat(java.util.stream.IntStream.range(0, 4)
                        .mapToObj(i ->
                                book.take("second-" + i, later).orElseThrow().toString()))
                .containsExactly("10.0.0.2", "10.0.0.0", "10.0.0.3", "10.0.0.1");
    }

    @Test
    void anOwnerKeepsItsAddressWhenTheBlockGoes() {
        IpPrefix block = IpPrefix.parse("10.0.0.0/30");
        book.addBlock(block);
        IpAddress held = book.take("a", T0).orElseThrow();
        book.removeBlock(block);

        assertThat(book.take("a", T0)).as("the same owner").hasValue(held);
        assertThat(book.take("b", T0)).as("a new owner").isEmpty();
        assertThat(book.free(T0)).as("free in no block").isZero();
        book.addBlock(block);
        assertThat(book.free(T0)).as("the held one counts again").isEqualTo(3);
    }

    @Test
    void negativeCoolDownIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AddressBook<String>(Duration.ofNanos(-1)))
                .withMessageContaining("0 or more");
    }
}
